"""`toolkit weights`: lists what ships, what is installed and what can be downloaded; imports, downloads, checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.text import say
from toolkit.errors import InputError, ToolkitError

weights_app = typer.Typer(
    help="The weights files: list, import, download, verify.", no_args_is_help=True, rich_markup_mode=None
)

_KIND = "What they are, where the files do not say: a kind of `toolkit plugins list` or a method."


@weights_app.callback()
def _weights() -> None:
    """Group of commands about weights."""


@weights_app.command("list")
def list_weights() -> None:
    """List shipped weights (size, licence, place), then official files: where they are, or where to get them."""
    from toolkit.weights.embedded import embedded_weights
    from toolkit.weights.inventory import official_state

    for entry in embedded_weights():
        say(f"{entry.name:<32}{entry.size / 2**20:6.2f} MiB  {entry.licence}  {entry.path}")
    for state in official_state():
        say(state.line())


@weights_app.command("import")
def import_weights(
    files: Annotated[list[Path], typer.Argument(help="Official files; several where they belong together.")],
    kind: Annotated[str | None, typer.Option("--as", help=_KIND)] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file of your own instead of the store.")] = None,
    generator: Annotated[
        str | None, typer.Option(help="The generator that a method's codes belong to, where the files do not say.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace other weights that are there.")] = False,
) -> None:
    """Read official weights (.pkl, .pt, .pth, .npy, .safetensors) and write them as safetensors.

    Nothing in the files is executed. Without -o the result goes into the store ($TOOLKIT_HOME), where every command
    finds it: after importing PanoHead's file, `--generator panohead` needs no path.
    """
    from toolkit.weights.importing import import_files
    from toolkit.weights.inventory import check_free, store_target

    if out is not None and out.suffix != ".safetensors":
        raise InputError(f"-o writes safetensors, so the name must end in .safetensors, got {out}")
    found = import_files(files, kind, generator)
    target = out or store_target(found.kind)
    if not force:
        check_free(target, found)
    found.write(target)
    say(f"recognised: {found.kind}, {len(found.tensors)} tensors; licence: {found.header['licence']}", err=True)
    for note in found.notes:
        say(note, err=True)
    typer.echo(target)


@weights_app.command("download")
def download_weights(
    names: Annotated[list[str], typer.Argument(help="Names of `toolkit weights list`.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Fetch published files into the store: resumable, checked by size and sha256. Others are fetched by hand."""
    from toolkit.cli.progress import download_progress
    from toolkit.weights.download import download
    from toolkit.weights.inventory import manifest_entry
    from toolkit.weights.store import found_weights, weights_folder

    for entry in [manifest_entry(name) for name in names]:
        found = found_weights(entry.name)
        if found is not None:
            typer.echo(found)
            continue
        target = weights_folder() / entry.file
        if entry.url is not None and not yes:
            size = f", {entry.size / 2**20:.0f} MiB" if entry.size else ""
            question = f"fetch {entry.file}{size} ({entry.licence}) from {entry.url} to {target}?"
            if not _agreed(question):
                raise InputError(f"{entry.file} was not fetched: nobody agreed (--yes agrees beforehand)")
        with download_progress(entry.file) as progress:
            download(entry, target, progress)
        typer.echo(target)


def _agreed(question: str) -> bool:
    """Ask; whoever cannot answer (a script, a closed terminal) did not agree."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        typer.echo(err=True)  # the sentence that follows begins a line
        return False


@weights_app.command("verify")
def verify_weights() -> None:
    """Check every weights file, shipped or in the store: readable, bounded header, no NaN, sha256 where published.

    Exits with 1 when one is damaged.
    """
    from toolkit.weights.embedded import embedded_weights, verify
    from toolkit.weights.inventory import stored_files, verify_stored

    checks = [(entry.name, entry.path, verify) for entry in embedded_weights()]
    checks += [(path.name, path, verify_stored) for path in stored_files()]
    sound = [_is_sound(name, path, check) for name, path, check in checks]
    if not all(sound):
        raise typer.Exit(1)


def _is_sound(name: str, path: Path, check: Callable[[Path], object]) -> bool:
    """Check one file, and print what came of it."""
    try:
        check(path)
        say(f"ok       {name}")
    except ToolkitError as error:
        say(f"damaged  {name}: {error}")
        return False
    return True
