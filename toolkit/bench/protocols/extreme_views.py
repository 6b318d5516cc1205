"""Scores of extreme views alone: those turned so far from the input view that it shows little or nothing of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from toolkit.bench.records.units import CellRecord, ScoreRecord

EXTREME = 90.0
"""Degrees between input view and view from which on a view is extreme."""
PART = "extreme"


def turned(yaw: float, input_yaw: float) -> float:
    """Degrees between two yaws, 0 to 180."""
    return abs((yaw - input_yaw + 180) % 360 - 180)


def of_extreme_views(records: Iterable[CellRecord]) -> list[CellRecord]:
    """The records with scores of whole extreme views alone, as `metric@extreme`."""
    return [record.model_copy(update={"scores": _renamed(record.measured)}) for record in records]


def _renamed(scores: Sequence[ScoreRecord]) -> list[ScoreRecord]:
    return [
        score.model_copy(update={"metric": f"{score.metric}@{PART}"})
        for score in scores
        if "@" not in score.metric
        and score.yaw is not None
        and score.input_yaw is not None
        and turned(score.yaw, score.input_yaw) >= EXTREME
    ]
