"""`toolkit mesh`: a finished inversion as a coloured mesh."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import Arithmetic, Device, Threads, TimeLimit, use_threads
from toolkit.errors import InputError
from toolkit.files import check_folder_place
from toolkit.strangers import checked_time_limit, limit_time


def mesh_command(
    inversion: Annotated[Path, typer.Argument(help="Folder of an inversion.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="GLB file; default: mesh.glb in the folder.")] = None,
    resolution: Annotated[int, typer.Option(help="Grid cells along the generator's box, 8 to 1024.")] = 128,
    scale: Annotated[float, typer.Option(help="Metres per unit of the generator's box.")] = 0.5,
    weights: Annotated[Path | None, typer.Option(help="Weights of the generator; default: as it was made.")] = None,
    threads: Threads = None,
    device: Device = "auto",
    arithmetic: Arithmetic = "",
    time_limit: TimeLimit = None,
) -> None:
    """Export the head as mesh.glb: y up, in metres, colours from rendered views."""
    from toolkit.cli.progress import TerminalProgress
    from toolkit.export.products import open_inversion, write_mesh

    if out is not None and out.suffix.lower() != ".glb":
        raise InputError(f"--out writes GLB, so the name must end in .glb, got {out}")
    use_threads(threads, arithmetic)
    limit_time(checked_time_limit(time_limit))
    target = inversion / "mesh.glb" if out is None else out
    if inversion.is_dir():
        check_folder_place(target.parent)
    opened, generator = open_inversion(inversion, weights, device)
    with TerminalProgress(transient=True) as progress:
        written = write_mesh(target, opened, generator, resolution, scale, progress)
    typer.echo(written)
