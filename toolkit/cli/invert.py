"""`toolkit invert`: photos in, one folder with a 3D head per photo out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit import DEFAULT_GENERATOR, DEFAULT_METHODS
from toolkit.cli.config_file import ConfigFile
from toolkit.cli.options import Arithmetic, Device, Landmarks, Mask, Photos, Threads, TimeLimit, use_threads
from toolkit.cli.text import say
from toolkit.containment import stdout_to_stderr
from toolkit.errors import InputError

if TYPE_CHECKING:
    from toolkit.apps.invert import Outcome


def invert_command(
    images: Photos = None,
    config: ConfigFile = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results, one sub-folder per photo.")] = Path(
        "inversions"
    ),
    method: Annotated[
        str | None, typer.Option(help="How to invert (plugins list); default: dual-encoder, without its weights wplus.")
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(help="Generator to invert into; default: the checkpoint's, or the method's own choice."),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights of the generator; default: its own.")] = None,
    method_weights: Annotated[Path | None, typer.Option(help="Checkpoint of the method; default: its own.")] = None,
    preset: Annotated[str | None, typer.Option(help="fast, default, quality, or another preset of the method.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="A setting of the method: key=value.")] = None,
    camera: Annotated[Path | None, typer.Option(help="File with the photo's camera label (25 numbers).")] = None,
    landmarks: Landmarks = None,
    mask: Mask = None,
    face: Annotated[int | None, typer.Option(help="Which face of the photo: 0 = the largest.")] = None,
    pose: Annotated[str, typer.Option(help="auto, five_point or label.")] = "auto",
    background: Annotated[str, typer.Option(help="auto, keep or remove.")] = "auto",
    video: Annotated[bool, typer.Option(help="Write orbit.mp4.")] = True,
    mesh: Annotated[bool, typer.Option(help="Write mesh.glb.")] = True,
    viewer: Annotated[bool, typer.Option(help="Write viewer.html.")] = True,
    force: Annotated[bool, typer.Option(help="Invert photos again that already have results.")] = False,
    threads: Threads = None,
    device: Device = "auto",
    arithmetic: Arithmetic = "",
    time_limit: TimeLimit = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per photo on stdout.")] = False,
    options_of: Annotated[
        str | None, typer.Option("--list-options", metavar="METHOD", help="Print what --set and --preset take.")
    ] = None,
) -> None:
    """Turn photos of heads into 3D heads.

    Every photo gets a folder: inversion.safetensors and .json, views.png, orbit.mp4, mesh.glb, viewer.html. A bad
    photo does not stop the others. Photos that have results are skipped. Ctrl-C keeps everything that is finished.
    """
    if options_of is not None:
        _print_options(options_of)
        return
    photos = _named(images, alone=bool(camera or landmarks or mask))

    from toolkit.cli.progress import TerminalProgress
    from toolkit.external.declaration import is_declaration
    from toolkit.options import parse_settings
    from toolkit.registry import default_registry

    options = parse_settings(settings or [])
    # what can be refused at once is refused before torch is imported
    if method is not None and not is_declaration(method):
        default_registry().get("method", method)
    generator = generator or _generator_of(method, method_weights)
    default_registry().get("generator", generator)

    from toolkit.apps.invert import PhotoOptions, Products, invert_photos

    use_threads(threads, arithmetic)
    if preset is not None:
        options["preset"] = preset
    with TerminalProgress(transient=True) as progress, stdout_to_stderr():  # stdout is for results
        outcomes = invert_photos(
            photos,
            out,
            method=method,
            method_weights=method_weights,
            generator=generator,
            weights=weights,
            options=options,
            photo=PhotoOptions(camera, landmarks, mask, face, pose, background),
            products=Products(video=video, mesh=mesh, viewer=viewer),
            force=force,
            device=device,
            time_limit=time_limit,
            progress=progress,
        )
    _tell(outcomes, as_json)


def _named(images: list[Path] | None, alone: bool) -> list[Path]:
    """The photos that were named: at least one, and one only where an option belongs to it `alone`."""
    if not images:
        raise InputError("images are missing: name at least one, as in toolkit invert me.jpg")
    if len(images) > 1 and alone:
        raise InputError("--camera, --landmarks and --mask belong to one photo; several were given")
    return images


def _tell(outcomes: Sequence[Outcome], as_json: bool) -> None:
    """What became of every photo; exit code 1 if some failed, 2 if the only one did."""
    for outcome in outcomes:
        if as_json:
            typer.echo(json.dumps(outcome.as_json()))
        elif outcome.error is None:
            say(f"{outcome.status:<8} {outcome.folder}")
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    for outcome in failed:
        say(f"failed   {outcome.image}: {outcome.error}", err=True)
    if failed:
        raise typer.Exit(2 if len(failed) == len(outcomes) == 1 else 1)


def _generator_of(method: str | None, checkpoint: Path | None) -> str:
    """Into which generator to invert where none is named: the checkpoint's, or the method's own choice."""
    from toolkit.registry import default_registry

    if checkpoint is not None:
        from toolkit.encoders.files import trained_for

        named = trained_for(checkpoint)
        if named in {entry.name for entry in default_registry().of_kind("generator")}:
            return named
    first = method or DEFAULT_METHODS[0]
    choices = {entry.name: entry.generator for entry in default_registry().of_kind("method")}
    return choices.get(first) or DEFAULT_GENERATOR


def _print_options(method: str) -> None:
    """What a method's --set and --preset take, with types, defaults and meanings."""
    from toolkit.apps.plugin_cards import describe
    from toolkit.registry import ENCODER_PREFIX, default_registry

    registry = default_registry()
    found = describe(registry.get("method", method), registry)
    if not found.options:
        encoder = method.startswith(ENCODER_PREFIX)
        say(f"method {method!r} {'has no options' if encoder else 'does not tell its options'}")
    width = max((len(option.key) for option in found.options), default=0)
    for option in found.options:
        meaning = f"  {option.meaning}" if option.meaning else ""
        say(f"{option.key:<{width}}  {option.type} = {option.default}{meaning}")
    if found.presets:
        say(f"presets: {', '.join(found.presets)}")
