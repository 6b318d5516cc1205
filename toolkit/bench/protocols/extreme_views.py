"""Scores of extreme views alone: those turned so far from the input view that it shows little or nothing of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from toolkit.bench.records.units import CellRecord, ScoreRecord
from toolkit.bench.subjects.inputs import turn

_EXTREME = 90.0
"""Degrees between input view and view from which on a view is extreme."""


def is_extreme(yaw: float | None, input_yaw: float | None) -> bool:
    """Whether a view is extreme, by yaws in whole degrees; one that is not known is not."""
    return yaw is not None and input_yaw is not None and turn(yaw, input_yaw) >= _EXTREME


def of_extreme_views(records: Iterable[CellRecord]) -> list[CellRecord]:
    """The records with scores of whole extreme views alone, as `metric@extreme`."""
    return [record.model_copy(update={"scores": _renamed(record.measured)}) for record in records]


def _renamed(scores: Sequence[ScoreRecord]) -> list[ScoreRecord]:
    return [
        score.model_copy(update={"metric": f"{score.metric}@extreme"})
        for score in scores
        if "@" not in score.metric and is_extreme(score.yaw, score.input_yaw)
    ]
