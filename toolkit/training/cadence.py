"""How often the training loop does what besides training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from toolkit.configuration import Config


class Cadence(Config):
    """Intervals in optimisation steps unless said otherwise; may be nested into a job's configuration as `cadence`.

    None of it changes what is learnt, so a run may be resumed with another cadence.
    """

    log_every: Annotated[int, Field(ge=1)] = 50
    """Steps that a line of metrics.jsonl averages over."""
    checkpoint_every: Annotated[int, Field(ge=1)] = 1000
    """Steps between checkpoints."""
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 300.0
    """Seconds after which a checkpoint is written whatever the step."""
    sheet_every: Annotated[int, Field(ge=1)] = 500
    """Steps between picture sheets."""
    evaluate_every: Annotated[int, Field(ge=1)] = 1000
    """Steps between evaluations."""
    keep: Annotated[int, Field(ge=1)] = 2
    """Checkpoints that are kept."""
    best: str | None = None
    """Name of the evaluation score whose best weights are kept too, with their checkpoint; None keeps only the last.
    Where a training has stages, every stage begins anew."""
    best_is: Literal["lowest", "highest"] = "lowest"
    """Which way that score is better."""
