"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit", help="Seconds that a method may take for a picture; one that takes longer is ended, and named."
    ),
]

Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads; default: torch's choice.")]
Device = Annotated[str, typer.Option("--device", help="auto (cuda, else mps, else cpu), cpu, cuda, cuda:1, ...")]


def use_threads(threads: int | None) -> None:
    """Compute with so many CPU threads; None: as many as torch chooses."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
