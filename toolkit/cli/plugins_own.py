"""`toolkit plugins show|check|new`: what one plugin offers, whether it keeps its contracts, and a new one."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.cli.options import Device, Threads, use_threads
from toolkit.cli.text import say, say_lines

if TYPE_CHECKING:
    from toolkit.apps.plugin_cards import Description
    from toolkit.testing.verdict import Line

_MARKS = {"passed": "ok    ", "failed": "FAILED", "not checked": "-     "}


def show_command(
    name: Annotated[str, typer.Argument(help="A plugin, or a part by its registered name.")],
    kind: Annotated[str | None, typer.Option(help="Only parts of this kind (method, generator ...).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")] = False,
) -> None:
    """Show what a part is: paper, authors, licence, needs, options with types and defaults, presets, status."""
    from toolkit.apps.plugin_cards import describe, find_entries
    from toolkit.registry import default_registry

    registry = default_registry()
    found = [describe(entry, registry) for entry in find_entries(registry, name, kind)]
    if as_json:
        typer.echo(json.dumps([_as_document(each) for each in found], indent=2))
        return
    say_lines("\n\n".join(_as_text(each) for each in found))


def check_command(
    name: Annotated[str, typer.Argument(help="A plugin, or a part by its registered name.")],
    kind: Annotated[str | None, typer.Option(help="Only parts of this kind (method, generator ...).")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights of the part.")] = None,
    data: Annotated[Path | None, typer.Option(help="A data set in the layout of the reader that is checked.")] = None,
    generator: Annotated[
        list[str] | None, typer.Option(help="Generators to check with, beside the suite's own [panohead-mini].")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="a.b=c: settings that make a training small.")
    ] = None,
    threads: Threads = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")] = False,
) -> None:
    """Run the conformance suite on what a plugin registers; exit code 1 if anything failed.

    A training is checked with the plugin's configuration training/NAME-check, or with --set; the file that it leaves is
    then the weights of the encoder and the method of its name.
    """
    from toolkit.apps.plugin_cards import find_entries
    from toolkit.devices import checked_device
    from toolkit.registry import default_registry
    from toolkit.testing.verdict import Given, check_all

    registry = default_registry()
    use_threads(threads)
    given = Given(
        weights,
        data,
        tuple(generator or ("panohead-mini",)),
        tuple(settings or ()),
        device=checked_device(device),
    )
    verdicts: dict[str, list[Line]] = {}
    for title, lines in check_all(find_entries(registry, name, kind), registry, given):
        verdicts[title] = lines
        if not as_json:
            say(title)
            for before, line in zip([None, *lines], lines, strict=False):
                again = before is not None and before.reason == line.reason
                reason = f": {'the same' if again else line.reason}" if line.reason else ""
                say(f"  {_MARKS[line.verdict]}  {line.check.replace('_', ' ')}{reason}")
    count = Counter(line.verdict for lines in verdicts.values() for line in lines)
    if as_json:
        typer.echo(json.dumps({part: [line._asdict() for line in lines] for part, lines in verdicts.items()}, indent=2))
    else:
        say(f"{count['passed']} passed, {count['failed']} failed, {count['not checked']} not checked")
    if count["failed"]:
        raise typer.Exit(1)


def new_command(
    name: Annotated[str, typer.Argument(help="What users will type: lower case letters, digits, - between them.")],
    kind: Annotated[
        str, typer.Option(help="generator, encoder, discriminator, stitcher, method, metric or dataset.")
    ] = "method",
    out: Annotated[Path, typer.Option(help="Folder in which the package's own folder is made.")] = Path(),
) -> None:
    """Write a small package of your own that installs, works and tests itself."""
    from toolkit.apps.new_plugin import write_plugin

    folder = write_plugin(name, kind, out)
    typer.echo(str(folder))
    say(f"next: pip install -e {folder} && toolkit plugins check {name}", err=True)


def _as_document(found: Description) -> dict[str, object]:
    return {
        "registration": dataclasses.asdict(found.entry),
        "about": found.about,
        "card": None if found.card is None else found.card.model_dump(),
        "options": [option._asdict() for option in found.options],
        "presets": {name: {key: str(value) for key, value in values.items()} for name, values in found.presets.items()},
    }


def _as_text(found: Description) -> str:
    entry, card = found.entry, found.card
    lines = [f"{entry.kind.replace('_', ' ')} {entry.name}: {entry.summary}"]
    facts = {"plugin": entry.plugin, "from": entry.target, "world": entry.world, "about": found.about}
    if card is not None:
        facts |= {
            "paper": card.paper,
            "authors": card.authors,
            "licence": card.licence,
            "needs": ", ".join(card.needs),
            "status": f"{card.status}{': ' + card.evidence if card.evidence else ''}",
        }
    lines += [f"  {key:<8} {value}" for key, value in facts.items() if value]
    if found.options:
        lines.append("  options (--set KEY=VALUE)")
        width = max(len(option.key) for option in found.options)
        for option in found.options:
            meaning = f"  {option.meaning}" if option.meaning else ""
            lines.append(f"    {option.key:<{width}}  {option.type} = {option.default}{meaning}")
    if found.presets:
        lines.append(f"  presets (--preset NAME)  {', '.join(found.presets)}")
    return "\n".join(lines)
