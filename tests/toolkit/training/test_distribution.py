"""Real processes joined by gloo."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from distributed_fit import BATCH, WAYS
from ranks import finish, start_ranks
from safetensors.torch import load_file

from toolkit.errors import InputError
from toolkit.training import distribution
from toolkit.training.distribution import (
    average_gradients,
    gathered_rows,
    main_process,
    own_rows,
    process_group,
    rank_and_world,
    row_numbers,
)

PROGRAM = str(Path(__file__).with_name("distributed_fit.py"))


def test_two_processes_give_the_gradients_and_weights_of_one_with_the_doubled_batch(tmp_path: Path) -> None:
    for code, _, stderr in finish(start_ranks(2, PROGRAM, str(tmp_path))):
        assert code == 0, stderr
        assert "find_unused_parameters" not in stderr and "Warning" not in stderr
    expected: dict[str, torch.Tensor] = {}
    for way, fit in WAYS.items():
        network, gradients = fit(2 * BATCH)
        expected |= {f"{way}/gradients/{name}": value for name, value in gradients.items()}
        expected |= {f"{way}/weights/{name}": value for name, value in network.state_dict().items()}
    first, second = load_file(tmp_path / "0"), load_file(tmp_path / "1")
    assert first.keys() == second.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], value, rtol=1e-5, atol=2e-6)


def test_alone_nothing_is_averaged_and_all_rows_are_ones_own() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.tensor([1.0, 2.0])
    average_gradients([weight])
    assert weight.grad.tolist() == [1.0, 2.0]
    assert rank_and_world() == (0, 1) and main_process() and own_rows(4) == slice(0, 4)
    assert row_numbers(2, 3) == [0, 1, 2, 3, 4] and torch.equal(gathered_rows(weight, 1, 1), weight)


def test_a_numbered_device_for_several_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="several processes cannot share cuda:1"), process_group("cuda:1"):
        pass


@pytest.mark.parametrize(("rank", "gpus"), [("0", 0), ("0", 1), ("1", 1)])
def test_more_processes_than_gpus_are_refused_in_each_of_them(
    monkeypatch: pytest.MonkeyPatch, rank: str, gpus: int
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    for name, value in {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": rank}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"2 processes want a GPU each, and torch sees {gpus}"), process_group("cuda"):
        pass


def test_a_process_that_makes_batches_knows_whose_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "_assumed", None)
    distribution.assume_place(1, 2)
    assert rank_and_world() == (1, 2) and own_rows(3) == slice(3, 6)
    assert row_numbers(3) == [3, 4, 5] and row_numbers(2, 1) == [2, 3, 5] and row_numbers(0, 2) == [2, 3]
