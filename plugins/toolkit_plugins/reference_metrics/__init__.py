"""Metrics that need no network, and those of the literature, whose networks are files that the user has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register

_PLAIN = {
    "l2": ("images:L2", "mean squared difference in [-1, 1] at 256 px"),
    "psnr": ("images:Psnr", "peak signal-to-noise ratio in decibels"),
    "ssim": ("images:Ssim", "structural similarity"),
    "ms_ssim": ("images:MsSsim", "multi-scale structural similarity, images of 161 px or more"),
    "depth_error": ("geometry:DepthError", "mean absolute depth error in world units"),
    "depth_error_scale_free": ("geometry:ScaleFreeDepthError", "deviation of log depth, blind to distance and scale"),
    "mask_iou": ("geometry:MaskIou", "overlap of silhouettes"),
    "pose_error": ("geometry:PoseError", "degrees between the asked and the estimated pose of a rendered face"),
    "seconds": ("effort:Seconds", "seconds per inversion"),
    "peak_memory": ("effort:PeakMemory", "peak memory of an inversion in MiB"),
}
_NETWORKS = {
    "lpips_alex": ("open_lpips_alex", "LPIPS v0.1, AlexNet trunk (needs its file)"),
    "lpips_vgg": ("open_lpips_vgg", "LPIPS v0.1, VGG16 trunk (needs its file)"),
    "id_curricularface": ("open_id_curricularface", "identity by CurricularFace IR-101 (needs its file)"),
    "id_arcface": ("open_id_arcface", "identity by ArcFace IR-SE50, faces aligned by detection (needs its file)"),
    "fid": ("open_fid", "Frechet distance of Inception features, clean-fid's resize (needs its file)"),
    "kid": ("open_kid", "kernel distance of Inception features, clean-fid's resize (needs its file)"),
}


@hookimpl
def register_metrics(register: Register) -> None:
    """Offer metrics without networks (either world), and those with the literature's (full scale)."""
    for name, (target, summary) in _PLAIN.items():
        register(name, f"toolkit.metrics.{target}", summary=summary, interface=1)
    for name, (target, summary) in _NETWORKS.items():
        place = f"toolkit_plugins.reference_metrics.networks:{target}"
        register(name, place, summary=summary, interface=1, world="full")
