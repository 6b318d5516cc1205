"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Arithmetic = Annotated[
    str,
    typer.Option(
        help="Faster and less exact: tf32, cudnn-benchmark, half-superresolution, fused-rendering, with commas; "
        "results record it."
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        help="Seconds that a method, or a part of a plugin, may take at one time; longer ones are ended, and named.",
    ),
]

MOST_AT_ONCE = 1024
"""Threads and processes that may be asked for: with far more the program crashes."""
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, max=MOST_AT_ONCE, help="CPU threads; default: torch's choice.")
]
ThreadsOfEach = Annotated[
    int | None, typer.Option("--threads", min=1, max=MOST_AT_ONCE, help="CPU threads (of each process).")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, max=MOST_AT_ONCE, help="Processes of the engine; processes: default 2."),
]
Photos = Annotated[
    list[Path] | None,
    typer.Argument(help="Photos of heads: PNG, JPEG, WebP, BMP, TIFF or AVIF; HEIC with an extra.", show_default=False),
]
Landmarks = Annotated[
    Path | None,
    typer.Option("--landmarks", help="JSON file with five landmarks [x, y] in pixels of the photo turned upright."),
]
Mask = Annotated[
    Path | None,
    typer.Option("--mask", help="Mask image of the head, same shape as the photo; both are turned upright first."),
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
