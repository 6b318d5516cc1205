"""Many comparisons at once: on a GPU, metrics get a batch of them; on a CPU, one after the other.

A CPU gains nothing by batches (measured with two networks, up to 16 pictures), and alone a picture's numbers are the
same bits whichever others stand beside it. In batches they agree to rounding.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from toolkit.bench.protocols.metric_inputs import MetricInputs, arguments_of
from toolkit.bench.protocols.scoring import OpenMetrics, ask, score
from toolkit.bench.records.units import ScoreRecord
from toolkit.camera import Camera
from toolkit.interfaces.metric import ScoresItems

TOGETHER = 16
"""Comparisons that a GPU sees at once."""


def score_all(
    metrics: OpenMetrics, inputs: Sequence[MetricInputs], batch: int | None = None
) -> list[list[ScoreRecord]]:
    """Ask every metric that can say something about comparisons of one size, as `score` does for each.

    Args:
        metrics: Those that can be computed.
        inputs: The comparisons.
        batch: Comparisons at once; None: `TOGETHER` on a GPU, 1 on a CPU.

    Returns:
        The scores of each, in their order.
    """
    if batch is None:
        batch = TOGETHER if inputs and inputs[0].image.device.type != "cpu" else 1
    if batch == 1 or len(inputs) < 2:
        return [score(metrics, each) for each in inputs]
    found: list[list[ScoreRecord]] = [[] for _ in inputs]
    placed = [each.together() for each in inputs]
    for name, metric in metrics.samples.items():
        together = isinstance(metric, ScoresItems) and name not in metrics.strangers
        offered = [arguments_of(metric.takes, each) for each in placed]
        scored = _by_label(metrics, name, offered, batch) if together else {}
        for place, by_region in enumerate(offered):
            for region, arguments in by_region.items():
                label = f"{name}@{region}" if region else name
                known = scored.get((place, region))
                found[place].append(
                    _record(label, known) if known is not None else ask(metrics, name, label, arguments)
                )
    return found


def _by_label(
    metrics: OpenMetrics, name: str, offered: Sequence[dict[str, tuple[Any, ...]]], batch: int
) -> dict[tuple[int, str], float]:
    """Scores by comparison and region; those of a batch that fails are missing, and are asked for one by one."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, by_region in enumerate(offered):
        for region in by_region:
            places[region].append(place)
    scores: dict[tuple[int, str], float] = {}
    for region, those in places.items():
        for start in range(0, len(those), batch):
            part = those[start : start + batch]
            found = _scored(metrics.factories[name](), [offered[place][region] for place in part])
            scores |= {(place, region): value for place, value in zip(part, found, strict=False)}
    return scores


def _scored(metric: Any, comparisons: Sequence[tuple[Any, ...]]) -> list[float]:
    """Scores of comparisons as one batch; none where that fails."""
    try:
        with torch.no_grad():
            scores = metric.score(*map(_joined, zip(*comparisons, strict=True))).double().cpu()
    except Exception:  # whose failure it was, and what it costs, is found out one by one
        return []
    return scores.tolist() if scores.shape == (len(comparisons),) else []


def _joined(arguments: Sequence[Any]) -> Any:
    if isinstance(arguments[0], Camera):
        return Camera(torch.cat([camera.label for camera in arguments]))
    if isinstance(arguments[0], Tensor):
        return torch.cat([*arguments])
    return arguments[0]


def _record(label: str, value: float) -> ScoreRecord:
    finite = math.isfinite(value)
    return ScoreRecord(metric=label, value=value if finite else math.nan, used=int(finite), failed=int(not finite))
