"""`toolkit data`: make a procedural data set, prepare photos, split or check a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import MOST_AT_ONCE, Threads, use_threads
from toolkit.cli.text import say
from toolkit.errors import InputError

SPLITS = ("train", "val", "test")
DOMAINS = ("clean", "wild")
BACKGROUNDS = ("auto", "keep", "remove")
DEFAULT_VIEWS = "front,left_30,left_60,right_30,right_60,left_90,right_90,back"

data_app = typer.Typer(
    name="data", help="Make, prepare, split and check data sets.", no_args_is_help=True, rich_markup_mode=None
)


@data_app.command("make")
def make_command(
    name: Annotated[str, typer.Argument(help="A procedural data set (heads360).")],
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    subjects: Annotated[int, typer.Option(help="Number of heads.")] = 10,
    split: Annotated[str, typer.Option(help=f"{', '.join(SPLITS)}; splits never share a head.")] = "train",
    seed: Annotated[int, typer.Option(help="Seed: which heads of the split are made.")] = 0,
    domain: Annotated[str, typer.Option(help="clean, or wild (details that a generator does not know).")] = "clean",
    views: Annotated[str, typer.Option(help="Comma-separated views.")] = DEFAULT_VIEWS,
    size: Annotated[int, typer.Option(help="Side of the pictures in pixels.")] = 128,
    workers: Annotated[int, typer.Option(help="Processes; each of several has one thread.", max=MOST_AT_ONCE)] = 1,
    threads: Threads = None,
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
    use_threads(threads)
    factory = default_registry().load("dataset", name)
    if not isinstance(factory, Makeable):
        raise InputError(f"the data set {name!r} is read from files, it cannot be made")
    folder = factory.make(MakeRequest(out, subjects, split, seed, domain, chosen, size, workers))
    typer.echo(str(folder))


@data_app.command("prepare")
def prepare_command(
    kind: Annotated[str, typer.Argument(help="photos, or a data set with raw material: mead, cafca, h3ds.")],
    source: Annotated[Path, typer.Argument(help="Folder of photos (and sub-folders), or of the data set.")],
    out: Annotated[Path, typer.Argument(help="Folder to write, or to continue.")],
    generator: Annotated[str, typer.Option(help="Generator whose crop and size the pictures get.")] = "panohead-mini",
    weights: Annotated[Path | None, typer.Option(help="Weights of the generator; default: its own.")] = None,
    background: Annotated[str, typer.Option(help="auto, keep, remove.")] = "auto",
    workers: Annotated[
        int, typer.Option(help="Processes; each of several has one thread.", min=1, max=MOST_AT_ONCE)
    ] = 1,
    threads: Threads = None,
) -> None:
    """Turn raw photos into a data set folder: crops, masks, cameras, and a reason for every photo left out.

    The same command continues after an interruption. Exit code 1 if no photo could be used.
    """
    from toolkit import load_generator
    from toolkit.cli.progress import TerminalProgress
    from toolkit.data.preparation import SCRATCH_FOLDER, find_photographs, prepare_folder
    from toolkit.files import check_folder_place
    from toolkit.interfaces.dataset import Preparable
    from toolkit.registry import default_registry

    _check_choice("--background", background, BACKGROUNDS)
    check_folder_place(out)
    use_threads(threads)
    if kind == "photos":
        gathered = find_photographs(source, out)
    else:
        factory = default_registry().load("dataset", kind)
        if not isinstance(factory, Preparable):
            raise InputError(f"the data set {kind!r} needs no preparation of its own: toolkit data prepare photos")
        gathered = factory.photographs(source, out / SCRATCH_FOLDER)
    spec = load_generator(generator, weights).spec
    with TerminalProgress() as progress:
        made = prepare_folder(gathered, out, spec, background=background, workers=workers, progress=progress)
    for name, reason in made.rejects.items():
        say(f"left out  {name}: {reason}", err=True)
    for name, notes in made.notes.items():
        say(f"doubtful  {name}: {'; '.join(notes)}", err=True)
    typer.echo(f"{made.done} prepared, {len(made.rejects)} left out, {len(made.notes)} doubtful", err=True)
    typer.echo(str(made.out))
    if not made.done:
        raise typer.Exit(1)


@data_app.command("split")
def split_command(
    source: Annotated[str, typer.Argument(help="Folder or zip with dataset.json, or READER:PATH (lpff:lpff.zip).")],
    out: Annotated[
        Path | None, typer.Argument(help="Write OUT/train and OUT/val, data set folders; default: count only.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the names of each part as JSON.")] = False,
) -> None:
    """Divide a data set into a training and a validation part, by a fixed rule.

    It is enough to name a part: SOURCE@train and SOURCE@val can be given wherever a data set is wanted. All pictures of
    a subject are in one part, and so are a picture and its mirror image.
    """
    from toolkit.cli.progress import TerminalProgress
    from toolkit.data.copying import copy_parts
    from toolkit.data.sources import open_source
    from toolkit.data.split import PARTS, RULE, identities, part_of
    from toolkit.files import check_folder_place, is_empty

    data = open_source(source)
    whose = identities(data)
    chosen = {part: [index for index, each in enumerate(whose) if part_of(each) == part] for part in PARTS}
    parts = {part: data.only(indices) for part, indices in chosen.items()}
    if out is not None:
        check_folder_place(out)
        if not is_empty(out):
            raise InputError(f"{out} is not empty; give another folder")
        for part, some in parts.items():
            if not len(some):
                raise InputError(f"{source} is too small: none of its {len(data)} pictures is in {part!r}")
        with TerminalProgress() as progress:
            copy_parts(parts, out, progress)
    if as_json:
        typer.echo(json.dumps({part: some.names for part, some in parts.items()}, indent=2))
        return
    for part, some in parts.items():
        typer.echo(f"{part:<6} {len(some):>8,} pictures of {len({whose[index] for index in chosen[part]}):,} subjects")
    typer.echo(f"rule   {RULE}")


@data_app.command("check")
def check_command(
    source: Annotated[str, typer.Argument(help="Folder or zip with dataset.json, or READER:PATH (lpff:lpff.zip).")],
    threads: Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read every file of a data set and name every fault; exit code 1 if there are any."""
    from toolkit.cli.folder_report import as_document, as_text
    from toolkit.cli.progress import TerminalProgress
    from toolkit.data import check_folder
    from toolkit.data.sources import open_source_store

    use_threads(threads)
    with TerminalProgress() as progress:
        report = check_folder(open_source_store(source), progress)
    typer.echo(json.dumps(as_document(report), indent=2) if as_json else as_text(report))
    if report.faults:
        raise typer.Exit(1)


def _check_choice(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{option} must be one of {', '.join(allowed)}, got {value!r}")
