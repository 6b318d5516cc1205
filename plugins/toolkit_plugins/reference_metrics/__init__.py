"""The literature's metrics and perceptual distances, whose networks are files that the user has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register

_NETWORKS = {
    "lpips_alex": ("open_lpips_alex", "LPIPS v0.1, AlexNet trunk (needs its file)"),
    "lpips_vgg": ("open_lpips_vgg", "LPIPS v0.1, VGG16 trunk (needs its file)"),
    "id_curricularface": ("open_id_curricularface", "identity by CurricularFace IR-101 (needs its file)"),
    "id_arcface": ("open_id_arcface", "identity by ArcFace IR-SE50, faces aligned by detection (needs its file)"),
    "fid": ("open_fid", "Frechet distance of Inception features, clean-fid's resize (needs its file)"),
    "kid": ("open_kid", "kernel distance of Inception features, clean-fid's resize (needs its file)"),
}


_ARCHITECTURES = {
    "alexnet": ("AlexNetArchitecture", "AlexNet's convolutions (torchvision)"),
    "vgg16": ("Vgg16Architecture", "VGG16's convolutions (torchvision)"),
    "inception": ("InceptionArchitecture", "Inception of FID and KID"),
    "lpips_layers": ("LpipsLayersArchitecture", "the five weighted sums of LPIPS"),
}


@hookimpl
def register_architectures(register: Register) -> None:
    """Offer the readers of the networks' published files."""
    for name, (attribute, summary) in _ARCHITECTURES.items():
        place = f"toolkit_plugins.reference_metrics.architecture:{attribute}"
        register(name, place, summary=summary, interface=1)


@hookimpl
def register_metrics(register: Register) -> None:
    """Offer the metrics with the literature's networks (full scale)."""
    for name, (target, summary) in _NETWORKS.items():
        place = f"toolkit_plugins.reference_metrics.networks:{target}"
        register(name, place, summary=summary, interface=1, world="full")


@hookimpl
def register_perceptual_distances(register: Register) -> None:
    """Offer LPIPS for losses; its trunk is a file that the user has."""
    for net in ("vgg", "alex"):
        register(
            f"lpips-{net}",
            f"toolkit.losses.perceptual:open_lpips_{net}",
            summary="LPIPS v0.1 (needs the extra 'perceptual' and the trunk's file)",
            interface=1,
        )
