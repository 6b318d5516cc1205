"""Small networks trained on procedural heads, in two independent sets: `*-loss` for losses, `*-e` for scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register

_HERE = "toolkit_plugins.embedded_networks"
_METRICS = {
    "lpips-e": ("open_lpips", "LPIPS with an embedded network, trained on procedural heads"),
    "id-e": ("open_id", "identity by an embedded network, faces cut out by the camera"),
    "fid-e": ("open_fid", "Frechet distance of an embedded network's features"),
    "kid-e": ("open_kid", "kernel distance of an embedded network's features"),
}


@hookimpl
def register_metrics(register: Register) -> None:
    """Offer the embedded world's metrics; none of them uses a network that losses are made of."""
    for name, (target, summary) in _METRICS.items():
        register(name, f"{_HERE}.metrics:{target}", summary=summary, interface=1, world="embedded")


@hookimpl
def register_perceptual_distances(register: Register) -> None:
    """Offer the perceptual distance for losses."""
    register(
        "embedded",
        f"{_HERE}.losses:open_perceptual",
        summary="features of a small network trained on procedural heads; weights included",
        interface=1,
        world="embedded",
    )


@hookimpl
def register_face_embedders(register: Register) -> None:
    """Offer the recogniser for losses."""
    register(
        "embedded",
        f"{_HERE}.losses:open_embedder",
        summary="recogniser of procedural heads, 64 px; weights included",
        interface=1,
        world="embedded",
    )


@hookimpl
def register_trainables(register: Register) -> None:
    """Offer the training of all four networks."""
    register(
        "embedded-networks",
        f"{_HERE}.training.job:make_job",
        summary="the embedded world's recognisers and perceptual networks, for losses and for scores",
        interface=1,
        world="embedded",
    )
