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
