"""Procedural people with exact ground truth from all around: pictures, masks, depth, labels, cameras, meshes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register


@hookimpl
def register_datasets(register: Register) -> None:
    """Offer the data set, which can make itself."""
    register(
        "heads360",
        "toolkit_plugins.heads360.dataset:Heads360",
        summary="procedural people seen from all around; makes itself, needs no download",
        interface=1,
    )
