"""Metrics: pure functions, and thin stateful classes over them that merge across processes."""

from __future__ import annotations

from toolkit.interfaces.metric import FeatureExtractor
from toolkit.metrics.distributions import (
    DistributionMetric,
    FrechetMetric,
    KernelMetric,
)
from toolkit.metrics.effort import Effort, PeakMemory, Seconds, measured
from toolkit.metrics.feature_distances import frechet_distance, kernel_distance
from toolkit.metrics.geometry import DepthError, MaskIou, PoseError, ScaleFreeDepthError, seen_from
from toolkit.metrics.identity import DetectedFace, FaceCrop, IdentityMetric, ProjectedFace
from toolkit.metrics.images import L2, MsSsim, Psnr, Ssim
from toolkit.metrics.perceptual import FeatureMaps, PerceptualMetric
from toolkit.metrics.registration import AlignedPsnr
from toolkit.metrics.state import MeanMetric, StatefulMetric

__all__ = [
    "L2",
    "AlignedPsnr",
    "DepthError",
    "DetectedFace",
    "DistributionMetric",
    "Effort",
    "FaceCrop",
    "FeatureExtractor",
    "FeatureMaps",
    "FrechetMetric",
    "IdentityMetric",
    "KernelMetric",
    "MaskIou",
    "MeanMetric",
    "MsSsim",
    "PeakMemory",
    "PerceptualMetric",
    "PoseError",
    "ProjectedFace",
    "Psnr",
    "ScaleFreeDepthError",
    "Seconds",
    "Ssim",
    "StatefulMetric",
    "frechet_distance",
    "kernel_distance",
    "measured",
    "seen_from",
]
