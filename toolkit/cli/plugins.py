"""`toolkit plugins`: what is installed, and what could not be loaded."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.cli.text import say

if TYPE_CHECKING:
    from toolkit.registry import Registry

_SHOWN = 200
"""Letters of what a plugin prints that are shown."""

plugins_app = typer.Typer(help="What plugins offer, and which are broken.", no_args_is_help=True, rich_markup_mode=None)


@plugins_app.command("list")
def list_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")] = False,
) -> None:
    """List the plugins that could not be loaded (then the exit code is 1), and what the other plugins offer."""
    from toolkit.registry import KINDS, default_registry
    from toolkit.strangers import changes

    registry = default_registry()
    if as_json:
        names = [dataclasses.asdict(entry) for kind in KINDS for entry in registry.of_kind(kind)]
        broken = [dataclasses.asdict(plugin) for plugin in registry.broken]
        told = {"registrations": names, "broken": broken, "slow": registry.slow(), "printed": registry.printed,
                "changed": changes()}  # fmt: skip
        typer.echo(json.dumps(told, indent=2))
    else:
        for plugin in registry.broken:
            say(f"broken: {plugin.plugin}: {plugin.reason}")
        for name, seconds in registry.slow().items():
            say(f"slow: {name} takes {seconds:.1f} s to load, whatever the command")
        for name, text in registry.printed.items():
            say(f"noisy: {name} prints while it is loaded: {text[:_SHOWN]}")
        for name, what in changes().items():
            say(f"meddling: {name} changes {'; '.join(what)} while it is loaded (undone)")
        for kind in KINDS:
            _list_kind(kind, registry)
    if registry.broken:
        raise typer.Exit(1)


def _list_kind(kind: str, registry: Registry) -> None:
    entries = registry.of_kind(kind)
    if entries:
        say(f"{kind.replace('_', ' ')}s")
        width = max(len(entry.name) for entry in entries)
        for entry in entries:
            say(f"  {entry.name:<{width}}  {entry.summary}  [{entry.plugin}]")
