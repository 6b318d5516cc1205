from __future__ import annotations

import torch

from toolkit.training.rng import RowRng, make_rng, row_rng


def test_a_generator_is_a_function_of_all_its_words() -> None:
    draws = {
        words: torch.rand(1, generator=make_rng(*words)).item() for words in [(0, 0, 1), (0, 1, 0), (1, 0, 0), (2, 3)]
    }
    assert len(set(draws.values())) == 4
    assert all(torch.rand(1, generator=make_rng(*words)).item() == value for words, value in draws.items())


def test_a_row_draws_the_same_with_whatever_rows_it_is_together() -> None:
    def draws(*rows: int) -> list[torch.Tensor]:
        rng = row_rng(rows, 7, 3, 1)
        return [rng.normal(2, 3), rng.uniform(), rng.below(1000), rng.uniform(4)]

    whole, parts = draws(0, 1, 2, 3), [draws(0, 1), draws(2), draws(3)]
    for index, numbers in enumerate(whole):
        assert torch.equal(torch.cat([part[index] for part in parts]), numbers)
        assert len({tuple(row.flatten().tolist()) for row in numbers}) == 4
    assert [tuple(numbers.shape) for numbers in whole] == [(4, 2, 3), (4,), (4,), (4, 4)]


def test_one_generator_may_serve_many_rows() -> None:
    rng = RowRng([make_rng(5)], 6)
    assert len(rng) == 6 and torch.equal(rng.normal(2), torch.randn(6, 2, generator=make_rng(5)))
