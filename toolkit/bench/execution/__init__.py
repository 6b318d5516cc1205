"""How a run goes: the order of work, workers, the forecast, and what is written at the end."""
