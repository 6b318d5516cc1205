"""`toolkit render`: pictures, videos and a viewer of a finished inversion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import Arithmetic, Device, Threads, TimeLimit, use_threads
from toolkit.errors import InputError
from toolkit.files import check_folder_place
from toolkit.strangers import checked_time_limit, limit_time


def render_command(
    inversion: Annotated[Path, typer.Argument(help="Folder of an inversion.")],
    yaw: Annotated[
        list[float] | None, typer.Option(help="Degrees, 0 = front, positive to the camera's right; repeat for more.")
    ] = None,
    pitch: Annotated[
        list[float] | None, typer.Option(help="Degrees, positive from above; one, or one per yaw.")
    ] = None,
    views: Annotated[int | None, typer.Option(help="Number of views, evenly around the head.")] = None,
    orbit: Annotated[bool, typer.Option("--orbit", help="Write orbit.mp4, a full turn.")] = False,
    viewer: Annotated[bool, typer.Option("--viewer", help="Write viewer.html, a page to turn the head.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; default: renders in the inversion's.")
    ] = None,
    cameras: Annotated[
        Path | None, typer.Option(help="Views from these cameras (a run's wanted.json), with renders.json beside them.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="With --cameras: the input picture, as wanted.json names it.")
    ] = None,
    resolution: Annotated[int | None, typer.Option(help="Side of the ray grid; default: the generator's.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights of the generator; default: as it was made.")] = None,
    threads: Threads = None,
    device: Device = "auto",
    arithmetic: Arithmetic = "",
    time_limit: TimeLimit = None,
) -> None:
    """Render the head from any side; without options, eight views evenly around it."""
    angles = chosen_angles(yaw or [], pitch or [], views)
    if resolution is not None and not 1 <= resolution <= 1024:
        raise InputError(f"--resolution must be 1 to 1024, got {resolution}")
    if source is not None and cameras is None:
        raise InputError("--source goes with --cameras")
    if not (angles or orbit or viewer or cameras):
        angles = evenly_around(8)

    from toolkit.cli.progress import TerminalProgress
    from toolkit.export.products import open_inversion, steps_of, write_orbit, write_views
    from toolkit.export.turntable import write_viewer
    from toolkit.export.wanted import read_wanted, write_wanted

    use_threads(threads, arithmetic)
    limit_time(checked_time_limit(time_limit))
    folder = inversion / "renders" if out is None else out
    if inversion.is_dir():
        check_folder_place(folder)
    opened, generator = open_inversion(inversion, weights, device)
    written: list[Path] = []
    try:
        with TerminalProgress(transient=True) as progress:
            if angles:
                written += write_views(folder, opened, generator, angles, resolution, progress)
            if cameras is not None:
                wanted = read_wanted(cameras, source)
                written += write_wanted(folder, opened, generator, wanted, steps_of(progress, "views"))
            if orbit:
                video = folder / "orbit.mp4"
                written.append(write_orbit(video, opened, generator, resolution=resolution, progress=progress))
            if viewer:
                page, tell = folder / "viewer.html", steps_of(progress, "viewer.html")
                written.append(write_viewer(page, opened, generator, resolution=resolution, on_view=tell))
    finally:  # what is finished is named, whatever comes after
        for path in written:
            typer.echo(path)


def chosen_angles(yaws: list[float], pitches: list[float], views: int | None) -> list[tuple[float, float | None]]:
    """Pairs of yaw and pitch in degrees (pitch None: the generator's own).

    Raises:
        InputError: --views with --yaw, --views out of range, or numbers of yaws and pitches that do not go together.
    """
    if views is not None:
        return _angles_around(views, yaws, pitches)
    if not pitches:
        return [(yaw, None) for yaw in yaws]
    count = max(len(yaws), len(pitches))
    if {len(yaws) or 1, len(pitches)} - {1, count}:
        raise InputError(f"give one --pitch, or one per --yaw; got {len(yaws)} yaws and {len(pitches)} pitches")
    yaws = yaws or [0.0]
    return list(zip(yaws * (count // len(yaws)), pitches * (count // len(pitches)), strict=True))


def evenly_around(views: int) -> list[tuple[float, float | None]]:
    """This many yaws in degrees over the full turn, the front first, at the generator's own pitch."""
    return [(360.0 * index / views, None) for index in range(views)]


def _angles_around(views: int, yaws: list[float], pitches: list[float]) -> list[tuple[float, float | None]]:
    if yaws:
        raise InputError("--views and --yaw exclude each other")
    if not 1 <= views <= 3600:
        raise InputError(f"--views must be 1 to 3600, got {views}")
    if len(pitches) > 1:
        raise InputError(f"--views goes with one --pitch, got {len(pitches)}")
    return [(yaw, pitches[0] if pitches else None) for yaw, _ in evenly_around(views)]
