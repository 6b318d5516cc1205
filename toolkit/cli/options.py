"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Arithmetic = Annotated[
    str,
    typer.Option(
        help="Faster and less exact: tf32, cudnn-benchmark, half-superresolution, with commas; results record it."
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        help="Seconds that a method, or a part of a plugin, may take for a picture; longer ones are ended, named.",
    ),
]

MOST_AT_ONCE = 1024
"""Threads and processes that may be asked for: with far more the program crashes."""
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, max=MOST_AT_ONCE, help="CPU threads; default: torch's choice.")
]
Device = Annotated[str, typer.Option("--device", help="auto (cuda, else mps, else cpu), cpu, cuda, cuda:1, ...")]


def use_threads(threads: int | None, arithmetic: str | None = None) -> None:
    """Compute with so many CPU threads (None: as many as torch chooses), in this arithmetic (None: as it is)."""
    if arithmetic is not None:
        from toolkit.devices import choose_arithmetic

        choose_arithmetic(arithmetic.split(","))
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
