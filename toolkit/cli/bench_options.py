"""Types of the options of `toolkit bench`."""

from __future__ import annotations

from typing import Annotated

import typer

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Do every method's first picture and print what the run would cost.")
]
MethodsOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Methods, with commas or several times; all = every headline method; ROW=METHOD = one under another name."
    ),
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(help="Data folder or zip, READER:PATH, with commas or several times, or heads360 (the default)."),
]
ProtocolOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Protocols or YAML files, with commas or several times; all (the default) = every one that the data "
        "permits."
    ),
]
KeepOption = Annotated[
    str,
    typer.Option(
        help="What is kept of inversions: exact (all but planes that the generator can make again exactly), half (as "
        "exact, in 16 bit), codes (no planes; methods invert again if needed) or all."
    ),
]
