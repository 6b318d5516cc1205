from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.data import EndlessSampler
from toolkit.errors import InputError


def draws(count: int, length: int, **options) -> list[int]:
    return list(islice(EndlessSampler(length, **options), count))


@given(st.integers(1, 20), st.integers(0, 5), st.integers(0, 60))
def test_a_resumed_sampler_goes_on_where_it_was(length: int, seed: int, start: int):
    whole = draws(start + 25, length, seed=seed)
    assert draws(25, length, seed=seed, start=start) == whole[start:]


@given(st.integers(1, 20), st.integers(0, 5))
def test_every_epoch_holds_every_item_once(length: int, seed: int):
    drawn = draws(3 * length, length, seed=seed)
    for epoch in range(3):
        assert sorted(drawn[epoch * length : (epoch + 1) * length]) == list(range(length))


def test_epochs_and_seeds_differ():
    drawn = draws(200, 100)
    assert drawn[:100] != drawn[100:]
    assert drawn[:100] != draws(100, 100, seed=1)


@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 9))
def test_several_processes_are_together_the_single_one(length: int, world: int, start: int):
    single = draws((start + 6) * world, length)
    parts = [draws(6, length, start=start, rank=rank, world=world) for rank in range(world)]
    assert [index for step in zip(*parts, strict=True) for index in step] == single[start * world :]


def test_weights_decide_how_often_an_item_is_drawn():
    drawn = draws(30_000, 3, weights=[1.0, 0.0, 3.0])
    counts = np.bincount(drawn, minlength=3) / len(drawn)
    assert counts == pytest.approx([0.25, 0.0, 0.75], abs=0.02)


@pytest.mark.parametrize(
    "options",
    [{"length": 0}, {"length": 2, "seed": -1}, {"length": 2, "start": -1}, {"length": 2, "rank": 1}],
)
def test_impossible_samplers_are_refused(options: dict[str, int]):
    with pytest.raises(InputError, match="length >= 1"):
        EndlessSampler(**options)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("nan")]])
def test_impossible_weights_are_refused(weights: list[float]):
    with pytest.raises(InputError, match="weights must be 2 finite numbers"):
        EndlessSampler(2, weights=weights)
