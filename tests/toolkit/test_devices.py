"""Which device a worker computes on, without a device."""

from __future__ import annotations

import pytest
import torch

from toolkit import devices
from toolkit.devices import use_device, worker_device


@pytest.mark.parametrize(
    ("name", "gpus", "expected"),
    [
        ("cuda", 4, ["cuda:0", "cuda:1", "cuda:2", "cuda:3", "cuda:0"]),
        ("auto", 2, ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]),
        ("cuda", 1, ["cuda"] * 5),
        ("cuda:1", 4, ["cuda:1"] * 5),
        ("cpu", 4, ["cpu"] * 5),
        ("auto", 0, ["cpu"] * 5),
    ],
)
def test_workers_take_gpus_in_turn_and_leave_a_named_device_alone(
    name: str, gpus: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "best_device", lambda: "cuda" if gpus else "cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert [worker_device(name, worker) for worker in range(5)] == expected


def test_a_numbered_gpu_becomes_the_one_that_cuda_means(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    for name in ("auto", "cpu", "cuda", "cuda:2"):
        use_device(name)
    assert chosen == [torch.device("cuda:2")]
