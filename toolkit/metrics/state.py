"""What all metrics share: states that say how they merge, and a mean that counts what could not be scored."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor
from typing_extensions import Self

from toolkit.errors import InputError
from toolkit.files import file_sha256
from toolkit.interfaces.metric import Direction, Score, Takes

_sha256 = functools.cache(file_sha256)
Reduction = Literal["sum", "cat"]


class StatefulMetric(ABC):
    """A metric whose states are declared with their reduction, so that processes merge by data, not by code."""

    name: str
    direction: Direction
    unit: str = ""
    backend: str = "none"
    takes: Takes
    networks: Mapping[str, str] = MappingProxyType({})
    """sha256 of the files that its networks were read from, by name: values by other files are of another metric."""

    def __init__(self) -> None:
        self._states: dict[str, Tensor] = {}
        self._reductions: dict[str, Reduction] = {}

    def using(self, *files: Path) -> Self:
        """Say which files its networks were read from; each is hashed once per process."""
        self.networks = {file.name: _sha256(file) for file in files}
        return self

    def declare(self, name: str, reduction: Reduction, start: Tensor) -> None:
        """Declare a state: 'sum' states are added on merging, 'cat' states are joined along their first dimension."""
        self._states[name] = start
        self._reductions[name] = reduction

    def state(self) -> dict[str, Tensor]:
        """All states by name, on the CPU: what another process needs."""
        return {name: value.detach().cpu() for name, value in self._states.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take in the state of another process's metric of the same kind.

        Raises:
            InputError: It is the state of another metric.
        """
        if state.keys() != self._states.keys():
            raise InputError(f"metric {self.name!r} has states {sorted(self._states)}, got {sorted(state)}")
        for name, theirs in state.items():
            self._take(name, theirs)

    def merge(self, other: Self) -> None:
        """Take in another process's state.

        Raises:
            InputError: Another metric, or the same one with another backend.
        """
        if (other.name, other.backend) != (self.name, self.backend):
            raise InputError(
                f"metric {self.name!r} ({self.backend}) cannot take in {other.name!r} ({other.backend})"
            )  # fmt: skip
        self.load_state(other.state())

    def _take(self, name: str, value: Tensor) -> None:
        mine = self._states[name]
        value = value.detach().to(mine)
        if self._reductions[name] == "sum":
            self._states[name] = mine + value
        else:
            self._states[name] = value.clone() if mine.shape[0] == 0 else torch.cat([mine, value])

    @abstractmethod
    def update(self, *args: Any) -> None:
        """Take in one batch."""

    @abstractmethod
    def compute(self) -> Score:
        """Score everything seen so far; NaN where nothing was."""


class MeanMetric(StatefulMetric):
    """The mean over items of a score per item; items without a finite score are counted as failed."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("total", "used", "failed"):
            self.declare(name, "sum", torch.zeros((), dtype=torch.float64))

    @abstractmethod
    def score(self, *args: Any) -> Tensor:
        """Scores [B] of one batch; NaN marks an item that cannot be scored."""

    def update(self, *args: Any) -> None:
        """Take in one batch (see `takes` for what that is)."""
        with torch.no_grad():
            scores = self.score(*args).detach().double().cpu()
        finite = torch.isfinite(scores)
        self._take("total", scores[finite].sum())
        self._take("used", finite.sum())
        self._take("failed", (~finite).sum())

    def compute(self) -> Score:
        """The mean over what was scored; NaN where nothing was."""
        used, failed = int(self._states["used"]), int(self._states["failed"])
        return Score(float(self._states["total"]) / used if used else math.nan, used, failed)
