"""Paired comparison of distances between distributions: two methods on the same heads, beside the same random heads.

Draws of random heads move the distances of all methods together, and so do easy and difficult pictures. Here both
cancel. A resample draws whole subjects with replacement, so a subject's pictures stay together. Both methods are
measured on the same resample and against the same draw of random heads; the resamples take the draws in turn.

The interval holds 95 % of the resampled differences, shifted so that their mean is the measured difference: a resample
holds copies of heads, which changes a distance, and more so for the method whose heads vary more. It covers other
pictures and other random heads (as if there were a single draw of them: it errs on the wide side). It does not cover
another training of a method, other yaws, or other numbers of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from toolkit.bench.protocols.comparisons import Gap
from toolkit.bench.protocols.features import distance_of
from toolkit.bench.protocols.random_heads import Features
from toolkit.bench.protocols.rows import drawn_groups
from toolkit.bench.protocols.scoring import OpenMetrics
from toolkit.interfaces import Resamples
from toolkit.metrics import KernelMetric

RESAMPLES = 200
LARGEST = 1000
"""Heads (or features, whichever are fewer) beyond which a distance other than KID would take hours to resample."""
_LEVELS = (0.025, 0.975)


class MethodFeatures(NamedTuple):
    """What a method made."""

    places: list[int]
    """Of its pictures among all, rising."""
    features: Features
    """[len(places), size] by extractor."""

    def part(self, places: Collection[int]) -> Features:
        """Features of some of its pictures, in the places' order."""
        ranks = {place: rank for rank, place in enumerate(self.places)}
        chosen = [ranks[place] for place in places]
        return {name: features[chosen] for name, features in self.features.items()}


class PairedDistances:
    """Differences between methods under one metric; what several pairs need is computed once."""

    def __init__(
        self,
        metrics: OpenMetrics,
        name: str,
        draws: Sequence[Features],
        made: Mapping[str, MethodFeatures],
        subjects: Sequence[str],
        seed: int,
    ) -> None:
        """Look at nothing yet.

        Args:
            metrics: Open metrics.
            name: The metric of distributions.
            draws: Of random heads: features [n, size] by extractor, the i-th to be compared with picture i.
            made: What the methods made of the n pictures, by method.
            subjects: [n], whose picture each is.
            seed: Of the resampling.
        """
        self._metrics, self._name, self._draws, self._made = metrics, name, draws, made
        self._subjects, self._seed = subjects, seed
        self._metric = metrics.distributions[name]
        self._extractor = self._metric.extractor.name
        self._sound = set(range(len(subjects)))
        """Places whose random heads all have finite features."""
        for draw in draws:
            self._sound &= _finite(range(len(subjects)), draw[self._extractor])
        self._known: dict[tuple[str, tuple[int, ...]], tuple[float, Tensor]] = {}

    def difference(self, first: str, second: str, places: Collection[int]) -> Gap | None:
        """First minus second on what both made among `places`.

        Returns:
            The difference of the means over draws, its interval, the number of pictures; None where fewer than two
            pictures are left, the metric offers no resampling, or the interval would take too long (see `LARGEST`).
        """
        finite = (
            _finite(self._made[each].places, self._made[each].features[self._extractor]) for each in (first, second)
        )
        shared = tuple(sorted(self._sound.intersection(places, *finite)))
        metric = self._metric
        if len(shared) < 2 or not isinstance(metric, Resamples) or self._too_large(len(shared)):
            return None
        mine, spread = self._distances(first, shared, metric)
        theirs, other = self._distances(second, shared, metric)
        differences = spread - other
        deviations = differences[differences.isfinite()]
        if not len(deviations):
            return None
        low, high = torch.quantile(deviations - deviations.mean(), torch.tensor(_LEVELS).to(deviations)).tolist()
        value = mine - theirs
        return Gap(value, value + low, value + high, len(shared))

    def _too_large(self, count: int) -> bool:
        return min(count, self._metric.extractor.size) > LARGEST and not isinstance(self._metric, KernelMetric)

    def _distances(self, method: str, places: tuple[int, ...], metric: Resamples) -> tuple[float, Tensor]:
        """Mean distance over the draws, and the distances [RESAMPLES] of resamples from one draw each."""
        if (method, places) not in self._known:
            made = self._made[method].part(places)
            draws = [{name: features[list(places)] for name, features in draw.items()} for draw in self._draws]
            values = [distance_of(self._metrics, self._name, draw, made) for draw in draws]
            counts, found = self._counts(places), torch.zeros(RESAMPLES, dtype=torch.float64)
            for number, draw in enumerate(draws):
                turn = slice(number, None, len(draws))
                found[turn] = metric.resampled(draw[self._extractor], made[self._extractor], counts[turn])
            self._known[method, places] = math.fsum(values) / len(values), found
        return self._known[method, places]

    def _counts(self, places: tuple[int, ...]) -> Tensor:
        """How often each place is drawn, [RESAMPLES, places]."""
        names, group = np.unique([self._subjects[place] for place in places], return_inverse=True)
        drawn = drawn_groups(len(names), self._seed)[:RESAMPLES]
        counts = np.stack([np.bincount(each, minlength=len(names)) for each in drawn])
        return torch.from_numpy(counts[:, group])


def _finite(places: Iterable[int], features: Tensor) -> set[int]:
    return {place for place, finite in zip(places, features.isfinite().all(1).tolist(), strict=True) if finite}
