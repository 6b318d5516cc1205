"""PanoHead (An et al., CVPR 2023) and its miniature: 3D heads seen from all around, as tri-grids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register


@hookimpl
def register_generators(register: Register) -> None:
    """Offer the full model, its sizes without its weights, and the embedded miniature."""
    register(
        "panohead",
        "toolkit_plugins.panohead.loading:load_panohead",
        summary="PanoHead, 512 px, needs the released weights",
        interface=1,
        world="full",
    )
    register(
        "panohead-untrained",
        "toolkit_plugins.panohead.loading:load_untrained",
        summary="PanoHead's sizes with random weights, for dry runs and timings",
        interface=1,
        world="untrained",
    )
    register(
        "panohead-mini",
        "toolkit_plugins.panohead.loading:load_mini",
        summary="miniature PanoHead, 256 px, weights included",
        interface=1,
        world="embedded",
    )


@hookimpl
def register_architectures(register: Register) -> None:
    """Offer the reader of official PanoHead weights."""
    register(
        "panohead",
        "toolkit_plugins.panohead.architecture:PanoHeadArchitecture",
        summary="generator of PanoHead",
        interface=1,
    )


@hookimpl
def register_trainables(register: Register) -> None:
    """Offer the training of the miniature."""
    register(
        "panohead-mini",
        "toolkit_plugins.panohead.training.job:make_job",
        summary="the embedded generator, learnt from procedural people",
        interface=1,
        world="embedded",
    )
