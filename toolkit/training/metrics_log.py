"""The file metrics.jsonl: one JSON object per line, the same whether or not the training was interrupted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.documents import parsed
from toolkit.errors import TrainingError
from toolkit.files import atomic_write, disk_errors_named


class MetricsLog:
    """Averages losses over some steps and appends them; evaluations get lines of their own.

    Lines are `{"step", "losses": {...}, "seconds", "rate"}`, `{"step", "evaluation": {...}}` and, about the data,
    `{"step", "note": "..."}`. `step` counts steps done, `seconds` the time spent training over all sessions, `rate` is
    steps a second since the line before.
    """

    def __init__(self, path: Path) -> None:
        """Log into a file, which need not exist."""
        self._path = path
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._line_step = 0
        self._line_seconds = 0.0

    def add(self, losses: Mapping[str, float], step: int) -> dict[str, float]:
        """Count one step's losses in.

        Returns:
            The losses as plain numbers.

        Raises:
            TrainingError: One of them is NaN or infinite.
        """
        values = as_numbers(losses)
        for name, value in values.items():
            if not math.isfinite(value):
                raise TrainingError(
                    f"training diverged: the loss {name!r} is {value} in step {step}; the last checkpoint is kept, "
                    "a lower learning rate may help"
                )
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1
        return values

    def write_losses(self, step: int, seconds: float) -> dict[str, float]:
        """Append the averages since the line before, if there is anything to average, and return them."""
        if not self._counts:
            return {}
        losses = {name: total / self._counts[name] for name, total in self._sums.items()}
        rate = (step - self._line_step) / max(seconds - self._line_seconds, 1e-9)
        self._append({"step": step, "losses": losses, "seconds": round(seconds, 3), "rate": round(rate, 4)})
        self._sums, self._counts = {}, {}
        self._line_step, self._line_seconds = step, seconds
        return losses

    def write_evaluation(self, step: int, scores: Mapping[str, float]) -> None:
        """Append scores, those that are not finite as null."""
        finite = {name: value if math.isfinite(value) else None for name, value in scores.items()}
        self._append({"step": step, "evaluation": finite})

    def write_note(self, step: int, sentence: str) -> None:
        """Append a sentence to the log, with the step."""
        self._append({"step": step, "note": sentence})

    def rewind(self, step: int, evaluated: bool = True) -> None:
        """Drop lines beyond a step, that step's evaluation unless `evaluated`, and a last line that was cut off."""
        if not self._path.exists():
            return
        kept = []
        for line in self._path.read_bytes().splitlines():
            try:
                known = parsed(line)
                if known["step"] < step or (known["step"] == step and (evaluated or "evaluation" not in known)):
                    kept.append(line + b"\n")
            except (ValueError, KeyError, TypeError):
                continue
        with atomic_write(self._path) as temporary:
            temporary.write_bytes(b"".join(kept))

    def state(self) -> dict[str, Any]:
        """What is averaged so far, for a checkpoint."""
        return {
            "sums": dict(self._sums),
            "counts": dict(self._counts),
            "line_step": self._line_step,
            "line_seconds": self._line_seconds,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
        self._line_step, self._line_seconds = state["line_step"], state["line_seconds"]

    def _append(self, line: Mapping[str, Any]) -> None:
        with disk_errors_named(self._path), open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def as_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Plain numbers of those that a job hands over, which may be tensors."""
    return {name: float(value.detach() if hasattr(value, "detach") else value) for name, value in values.items()}
