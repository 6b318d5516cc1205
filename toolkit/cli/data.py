"""`toolkit data`: make a procedural data set, check a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.errors import InputError

if TYPE_CHECKING:
    from toolkit.data import FolderReport

SPLITS = ("train", "val", "test")
DOMAINS = ("clean", "wild")
DEFAULT_VIEWS = "front,left_30,left_60,right_30,right_60,left_90,right_90,back"

data_app = typer.Typer(name="data", help="Make and check data sets.", no_args_is_help=True)


@data_app.command("make")
def make_command(
    name: Annotated[str, typer.Argument(help="A registered data set that can make itself (heads360).")],
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    subjects: Annotated[int, typer.Option(help="Number of heads.")] = 10,
    split: Annotated[str, typer.Option(help=f"{', '.join(SPLITS)}; splits never share a head.")] = "train",
    seed: Annotated[int, typer.Option(help="Which heads of the split.")] = 0,
    domain: Annotated[str, typer.Option(help="clean, or wild (details that a generator does not know).")] = "clean",
    views: Annotated[str, typer.Option(help="Comma-separated views.")] = DEFAULT_VIEWS,
    size: Annotated[int, typer.Option(help="Side of the pictures in pixels.")] = 128,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
) -> None:
    """Make a procedural data set: pictures, masks, depth and cameras from all around."""
    from toolkit.interfaces import Makeable, MakeRequest
    from toolkit.registry import default_registry

    for option, value in (("--subjects", subjects), ("--size", size), ("--workers", workers)):
        if value < 1:
            raise InputError(f"{option} must be at least 1, got {value}")
    if seed < 0:
        raise InputError(f"--seed must not be negative, got {seed}")
    _check_choice("--split", split, SPLITS)
    _check_choice("--domain", domain, DOMAINS)
    chosen = tuple(view.strip() for view in views.split(",") if view.strip())
    if not chosen:
        raise InputError("--views must name at least one view")
    factory = default_registry().load("dataset", name)
    if not isinstance(factory, Makeable):
        raise InputError(f"the data set {name!r} is read from files, it cannot be made")
    folder = factory.make(MakeRequest(out, subjects, split, seed, domain, chosen, size, workers))
    typer.echo(str(folder))


@data_app.command("check")
def check_command(
    folder: Annotated[Path, typer.Argument(help="Data set folder or zip with dataset.json.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read every file of a data set and name every fault; exit code 1 if there are any."""
    from toolkit.data import check_folder

    report = check_folder(folder, _show_progress if sys.stderr.isatty() else None)
    typer.echo(json.dumps(_as_document(report), indent=2) if as_json else _as_text(report))
    if report.faults:
        raise typer.Exit(1)


def _check_choice(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{option} must be one of {', '.join(allowed)}, got {value!r}")


def _show_progress(done: int, total: int) -> None:
    end = "\n" if done == total else "\r"
    typer.echo(f"checked {done} of {total}{end}", nl=False, err=True)


def _as_document(report: FolderReport) -> dict[str, object]:
    return {
        "items": report.items,
        "labelled": report.labelled,
        "masks": report.masks,
        "depths": report.depths,
        "subjects": report.subjects,
        "sizes": {str(side): count for side, count in sorted(report.sizes.items())},
        "faults": [{"name": fault.name, "problem": fault.problem} for fault in report.faults],
    }


def _as_text(report: FolderReport) -> str:
    sizes = ", ".join(f"{count} of {side} px" for side, count in sorted(report.sizes.items())) or "none readable"
    lines = [
        f"pictures  {report.items} ({sizes})",
        f"cameras   {report.labelled}",
        f"masks     {report.masks}",
        f"depth     {report.depths}",
        f"subjects  {report.subjects}",
        *(f"fault     {fault.name}: {fault.problem}" for fault in report.faults),
        f"{len(report.faults)} faults" if report.faults else "no faults",
    ]
    return "\n".join(lines)
