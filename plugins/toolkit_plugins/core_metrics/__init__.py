"""Metrics, and a perceptual distance, that need no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register

_METRICS = {
    "l2": ("images:L2", "mean squared difference in [-1, 1] at 256 px"),
    "psnr": ("images:Psnr", "peak signal-to-noise ratio in decibels"),
    "psnr_aligned": ("registration:AlignedPsnr", "psnr after the best scale, turn and shift of the picture"),
    "ssim": ("images:Ssim", "structural similarity"),
    "ms_ssim": ("images:MsSsim", "multi-scale structural similarity, images of 161 px or more"),
    "depth_error": ("geometry:DepthError", "mean absolute depth error in world units"),
    "depth_error_scale_free": ("geometry:ScaleFreeDepthError", "deviation of log depth, blind to distance and scale"),
    "mask_iou": ("geometry:MaskIou", "overlap of silhouettes"),
    "pose_error": ("geometry:PoseError", "degrees between the asked and the estimated pose of a rendered face"),
    "seconds": ("effort:Seconds", "seconds per inversion"),
    "peak_memory": ("effort:PeakMemory", "peak memory of an inversion in MiB"),
}


@hookimpl
def register_metrics(register: Register) -> None:
    """Offer what is computed from pictures, depth, masks, poses and clocks alone (either world)."""
    for name, (target, summary) in _METRICS.items():
        register(name, f"toolkit.metrics.{target}", summary=summary, interface=1)


@hookimpl
def register_perceptual_distances(register: Register) -> None:
    """Offer the image pyramid, a perceptual distance without weights."""
    register(
        "pyramid",
        "toolkit.losses.perceptual:open_pyramid",
        summary="Laplacian bands and edges; needs no weights",
        interface=1,
    )
