"""SphereHead (Li et al., ECCV 2024): heads from all around as two spherical tri-planes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register


@hookimpl
def register_generators(register: Register) -> None:
    """Offer the full model, and its sizes without its weights."""
    register(
        "spherehead",
        "toolkit_spherehead.loading:load_spherehead",
        summary="SphereHead, 360 degrees, needs the released weights",
        interface=1,
        world="full",
    )
    register(
        "spherehead-untrained",
        "toolkit_spherehead.loading:load_untrained",
        summary="SphereHead's sizes with random weights, for dry runs and timings",
        interface=1,
        world="untrained",
    )


@hookimpl
def register_architectures(register: Register) -> None:
    """Offer the reader of official SphereHead weights."""
    register(
        "spherehead",
        "toolkit_spherehead.architecture:SphereHeadArchitecture",
        summary="generator of SphereHead",
        interface=1,
    )
