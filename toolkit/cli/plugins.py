"""`toolkit plugins`: what is installed, and what could not be loaded."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

plugins_app = typer.Typer(help="What plugins offer, and which are broken.", no_args_is_help=True, rich_markup_mode=None)


@plugins_app.command("list")
def list_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")] = False,
) -> None:
    """List everything that plugins offer, by kind, and the plugins that were kept out with their reasons."""
    from toolkit.registry import KINDS, default_registry

    registry = default_registry()
    if as_json:
        names = [dataclasses.asdict(entry) for kind in KINDS for entry in registry.of_kind(kind)]
        broken = [dataclasses.asdict(plugin) for plugin in registry.broken]
        typer.echo(json.dumps({"registrations": names, "broken": broken}, indent=2))
        return
    for kind in KINDS:
        entries = registry.of_kind(kind)
        if entries:
            typer.echo(f"{kind.replace('_', ' ')}s")
            width = max(len(entry.name) for entry in entries)
            for entry in entries:
                typer.echo(f"  {entry.name:<{width}}  {entry.summary}  [{entry.plugin}]")
    for plugin in registry.broken:
        typer.echo(f"broken: {plugin.plugin}: {plugin.reason}")
