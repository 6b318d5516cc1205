"""What the commands do, as functions: inverting photos, and the demonstration."""
