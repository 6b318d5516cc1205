"""`toolkit weights`: which weights are embedded, which a user has to bring, and whether they are whole."""

from __future__ import annotations

import typer

weights_app = typer.Typer(help="The weights files: list and verify.", no_args_is_help=True)


@weights_app.callback()
def _weights() -> None:
    """Group of commands about weights."""


@weights_app.command("list")
def list_weights() -> None:
    """List the embedded weights with their size, training run and licence."""
    from toolkit.weights.embedded import embedded_weights

    for entry in embedded_weights():
        typer.echo(f"{entry.name:<32}{entry.size / 2**20:6.2f} MiB  {entry.licence}  {entry.path}")


@weights_app.command("verify")
def verify_weights() -> None:
    """Check every embedded weights file: readable, bounded header, no NaN.

    Exits with 1 when one is damaged.
    """
    from toolkit.errors import ToolkitError
    from toolkit.weights.embedded import embedded_weights, verify

    damaged = 0
    for entry in embedded_weights():
        try:
            verify(entry.path)
            typer.echo(f"ok       {entry.name}")
        except ToolkitError as error:
            damaged += 1
            typer.echo(f"damaged  {entry.name}: {error}")
    if damaged:
        raise typer.Exit(1)
