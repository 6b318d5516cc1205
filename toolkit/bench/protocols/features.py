"""Features of images for distances between distributions, kept in files between runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from toolkit.bench.protocols.scoring import OpenMetrics
from toolkit.bench.records.units import CellRecord
from toolkit.devices import moved_to
from toolkit.errors import InputError, WeightsError
from toolkit.interfaces import ComparesFeatures, FeatureExtractor
from toolkit.metrics.feature_distances import KID_SUBSET
from toolkit.tensors import read_tensors, tensor_names

DISTANCES = (
    "pictures rounded to 8 bit; by clean-fid, float64: fid: covariances over n - 1; kid: cubic kernel, "
    f"unbiased, all pictures at once up to {KID_SUBSET}; Inception after clean-fid's resize"
)
"""How distributions are compared, as results tell it."""


def distribution_names(metrics: OpenMetrics) -> list[str]:
    """Names of the metrics that compare distributions.

    Raises:
        InputError: None is available; the sentence says why.
    """
    names = list(metrics.distributions)
    if not names:
        by_reason: dict[str, list[str]] = defaultdict(list)
        for name, reason in metrics.unavailable.items():
            by_reason[reason].append(name)
        reasons = [f"{', '.join(found)}: {reason}" for reason, found in by_reason.items()]
        why = "; ".join(reasons) or "no such metric is installed for this backend"
        raise InputError(f"fid360 has no network to compare distributions with ({why})")
    return names


def extractors_of(metrics: OpenMetrics) -> dict[str, FeatureExtractor]:
    """The networks behind the available metrics of distributions, by their own names."""
    return {metric.extractor.name: metric.extractor for metric in metrics.distributions.values()}


def are_kept(file: Path, extractors: Mapping[str, FeatureExtractor]) -> bool:
    """Whether a file is there and holds features of each network."""
    try:
        names = tensor_names(file)
    except WeightsError:
        return False
    return all(any(name in (extractor, f"made.{extractor}") for name in names) for extractor in extractors)


def features_of(extractors: Mapping[str, FeatureExtractor], image: Tensor) -> dict[str, Tensor]:
    """Features [B, size] by extractor of images [B, 3, S, S] in [-1, 1], rounded to 8 bit as saved files are."""
    levels = ((image.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
    with torch.no_grad():
        return {
            name: moved_to(extractor, image.device).features(levels).float().cpu()
            for name, extractor in extractors.items()
        }


def features_of_each(extractors: Mapping[str, FeatureExtractor], images: Tensor) -> list[dict[str, Tensor]]:
    """Features [1, size] by extractor of each of images [B, 3, S, S]: on a GPU together, on a CPU one by one."""
    if images.device.type == "cpu":
        return [features_of(extractors, image[None]) for image in images]
    together = features_of(extractors, images)
    return [{name: found[place : place + 1] for name, found in together.items()} for place in range(len(images))]


def features_by_group(folder: Path, records: Iterable[CellRecord]) -> dict[str, dict[str, list[Tensor]]]:
    """Features [1, size] of each render and target, by group of targets and by `side.extractor`."""
    found: dict[str, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for each in record.features:
            tensors, _ = read_tensors(folder / each.features)
            for key, value in tensors.items():
                found[each.group or ""][key].append(value)
    return found


def distance_of(metrics: OpenMetrics, name: str, real: Mapping[str, Tensor], made: Mapping[str, Tensor]) -> float:
    """The metric `name` between two sides of features [n, size] by extractor."""
    metric = metrics.factories[name]()
    if not isinstance(metric, ComparesFeatures):
        raise InputError(f"metric {name!r} compares no features")
    metric.update_features(real[metric.extractor.name], True)
    metric.update_features(made[metric.extractor.name], False)
    return float(metric.compute().value)
