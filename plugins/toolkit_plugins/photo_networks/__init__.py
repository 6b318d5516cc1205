"""Networks trained on photographs that install from PyPI with their weights: a recogniser and two image networks.

EfficientNet-Lite0 is for losses, Lite2 and dlib's recogniser are for scores: nothing is scored by the network that it
was trained against.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register

_HERE = "toolkit_plugins.photo_networks"
_METRICS = {
    "id_dlib": ("identity:open_id_dlib", "identity by dlib's recogniser: descriptor distance, same person below 0.6"),
    "lpips_lite": ("metrics:open_lpips_lite", "perceptual distance of EfficientNet-Lite2's maps"),
    "fd_lite": ("metrics:open_fd_lite", "Frechet distance of EfficientNet-Lite2's features"),
    "kd_lite": ("metrics:open_kd_lite", "kernel distance of EfficientNet-Lite2's features"),
}


@hookimpl
def register_metrics(register: Register) -> None:
    """Offer metrics with networks that have seen photographs and need no download."""
    for name, (target, summary) in _METRICS.items():
        register(name, f"{_HERE}.{target}", summary=summary, interface=1, world="embedded")


@hookimpl
def register_perceptual_distances(register: Register) -> None:
    """Offer the perceptual distance for losses."""
    register(
        "lite0",
        f"{_HERE}.losses:open_lite0",
        summary="maps of EfficientNet-Lite0, trained on photographs; weights come with its package",
        interface=1,
        world="embedded",
    )


@hookimpl
def register_face_embedders(register: Register) -> None:
    """Offer the recogniser for losses."""
    register(
        "identity-lite",
        f"{_HERE}.identity_network:open_identity_lite",
        summary="learnt from dlib's descriptors of procedural people, 112 px; weights included",
        interface=1,
        world="embedded",
    )


@hookimpl
def register_trainables(register: Register) -> None:
    """Offer the training of `identity-lite`."""
    register(
        "identity-lite",
        f"{_HERE}.training.job:make_job",
        summary="the recogniser for losses, from dlib's descriptors of procedural people",
        interface=1,
        world="embedded",
    )
