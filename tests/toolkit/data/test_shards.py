from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit.data.shards import read_shards, write_shard
from toolkit.errors import WeightsError


class Shards:
    """Ten items of a plan, four to a file; remembers what was made."""

    def __init__(self, folder: Path, plan: str = "a") -> None:
        self.files = [folder / f"{start}.safetensors" for start in range(0, 12, 4)]
        self.plan = plan
        self.made: list[int] = []

    def fits(self, number: int, about: Mapping[str, Any]) -> bool:
        return about.get("plan") == self.plan

    def make(self, numbers: list[int]) -> None:
        for number in numbers:
            items = [{"x": torch.tensor([float(item), ord(self.plan)])} for item in range(4 * number, 4 * number + 4)]
            write_shard(self.files[number], items, {"plan": self.plan})
            self.made.append(number)

    def read(self, count: int = 10) -> list[float]:
        return read_shards(self.files, count, self.fits, self.make)["x"][:, 0].tolist()


def test_shards_are_made_once_and_read_as_one(tmp_path: Path) -> None:
    shards = Shards(tmp_path)
    assert shards.read() == list(range(10))
    assert shards.read(3) == [0, 1, 2] and shards.made == [0, 1, 2]


def test_only_what_is_missing_or_of_another_plan_is_made(tmp_path: Path) -> None:
    Shards(tmp_path).read()
    (tmp_path / "4.safetensors").unlink()
    shards = Shards(tmp_path)
    assert shards.read() == list(range(10)) and shards.made == [1]
    other = Shards(tmp_path, "b")
    assert other.read() == list(range(10)) and other.made == [0, 1, 2]


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    Shards(tmp_path).read()
    (tmp_path / "4.safetensors").write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match=r"4\.safetensors"):
        Shards(tmp_path).read()
