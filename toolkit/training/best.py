"""Which weights were the best so far, by one score of the evaluations.

The best checkpoint is tracked per part of a training. Scores of an earlier part, in which not all networks had learnt,
say nothing about a later one. So the best of a training is the best of its last part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from toolkit.errors import ConfigError
from toolkit.interfaces.training import Cadence
from toolkit.registry import unknown_name


def check_best(cadence: Cadence, scores: Iterable[str]) -> None:
    """Refuse a `cadence.best` that no evaluation will have; a job calls it before it makes data.

    Args:
        cadence: Of the training.
        scores: What its evaluations will have.

    Raises:
        ConfigError: There is no such score.
    """
    if cadence.best is not None and cadence.best not in (known := sorted(scores)):
        raise ConfigError(f"cadence.best: {unknown_name('score', cadence.best, known)}")


class BestSoFar:
    """Remembers the best value of the score that `Cadence.best` names, and its step."""

    def __init__(self, cadence: Cadence) -> None:
        self._name, self._sign = cadence.best, -1.0 if cadence.best_is == "highest" else 1.0
        self.step: int | None = None
        """Steps done at the best evaluation."""
        self._value: float | None = None
        self._part = ""

    def improved(self, step: int, scores: Mapping[str, float], part: str = "") -> bool:
        """Take in an evaluation; True where it is the best so far.

        Args:
            step: Steps done.
            scores: By name.
            part: Of the training, as `TrainingJob.part_of` names it; the first of a part is the best so far.

        Raises:
            ConfigError: The evaluation has no such score.
        """
        if self._name is None:
            return False
        if self._name not in scores:
            raise ConfigError(f"cadence.best: no score {self._name!r}; the evaluation has {', '.join(sorted(scores))}")
        value = scores[self._name]
        before = self._value if part == self._part else None
        if not math.isfinite(value) or (before is not None and self._sign * value >= self._sign * before):
            return False
        self.step, self._value, self._part = step, value, part
        return True

    def state(self) -> Mapping[str, Any]:
        """What a checkpoint keeps of it, for `load_state`."""
        return {"name": self._name, "sign": self._sign, "step": self.step, "value": self._value, "part": self._part}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave, unless another score counts now."""
        if (state["name"], state["sign"]) == (self._name, self._sign):
            self.step, self._value, self._part = state["step"], state["value"], state.get("part", "")
