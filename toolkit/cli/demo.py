"""`toolkit demo`: the main job on a real photograph and on a synthetic face, with what the package ships."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import Device, Threads, use_threads
from toolkit.cli.text import say


def demo_command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("out"),
    preset: Annotated[str, typer.Option(help="fast, default or quality.")] = "default",
    threads: Threads = None,
    device: Device = "auto",
) -> None:
    """Turn a photograph (scikit-image's astronaut) and a picture of a procedural person into 3D heads."""
    from toolkit.apps.demo import run_demo
    from toolkit.cli.progress import TerminalProgress

    use_threads(threads)
    typer.echo("Two heads from one picture each: a photograph (NASA, public domain) and a procedural person.")
    with TerminalProgress(transient=True) as progress:
        outcomes = run_demo(out, preset, progress, device)
    for outcome in outcomes:
        say(f"{outcome.status:<8} {outcome.folder} ({outcome.seconds:.0f} s)")
        products = f"look at {outcome.folder / 'views.png'} and open {outcome.folder / 'viewer.html'}"
        say(f"         {outcome.error or products}")
    if any(outcome.error is not None for outcome in outcomes):
        raise typer.Exit(1)
