from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy_training import ToyBatches, ToyConfig, ToyJob, metrics, weights

from toolkit.errors import InputError
from toolkit.training import EngineSettings, train
from toolkit.training.prefetch import prefetched


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more processes than one core
def test_workers_change_neither_what_is_learnt_nor_the_order(tmp_path: Path) -> None:
    train(ToyJob(ToyConfig(steps=12)), tmp_path / "none")
    job = ToyJob(ToyConfig(steps=12, engine=EngineSettings(workers=2)))
    train(job, tmp_path / "two", max_steps=5)
    job = ToyJob(ToyConfig(steps=12, engine=EngineSettings(workers=1)))
    train(job, tmp_path / "two", resume=True)
    assert metrics(tmp_path / "two") == metrics(tmp_path / "none")
    assert weights(tmp_path / "two") == weights(tmp_path / "none")


def test_what_a_worker_refuses_comes_out_in_its_words_after_the_batches_before() -> None:
    make = ToyBatches(seed=1, batch=2, refuse_step=6)
    state, seen = torch.get_rng_state(), []
    with pytest.raises(InputError, match=r"^the picture of step 6 is broken$"):
        for batch in prefetched(make, range(3, 9), workers=1):
            seen.append(batch)
    assert torch.equal(torch.stack(seen), torch.stack([make(step) for step in (3, 4, 5)]))
    assert torch.equal(torch.get_rng_state(), state)


def test_workers_without_a_maker_for_them_are_refused(tmp_path: Path) -> None:
    class Homemade(ToyJob):
        def batch_maker(self) -> None:
            return None

        def batch(self, step: int) -> torch.Tensor:
            return torch.zeros(2, 2)

    with pytest.raises(InputError, match=r"set engine\.workers to 0"):
        train(Homemade(ToyConfig(steps=1, engine=EngineSettings(workers=1))), tmp_path / "run")
    train(Homemade(ToyConfig(steps=1)), tmp_path / "other")
