"""A plugin that offers the test generators; not installed as an entry point, tests add it to a registry themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register


@hookimpl
def register_generators(register: Register) -> None:
    """Offer the spherical generator with every capability, and the same with none."""
    register(
        "spherical",
        "toolkit.testing.spherical:build_spherical",
        summary="Tiny generator on spherical maps, random weights (tests only).",
        interface=1,
        world="embedded",
    )
    register(
        "spherical-bare",
        "toolkit.testing.spherical:build_bare",
        summary="The spherical generator without any optional capability (tests only).",
        interface=1,
        world="embedded",
    )
