"""Weights files of generators that are of another kind, or none: one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit.errors import WeightsError
from toolkit.generators.files import load_generator
from toolkit.tensors import write_tensors


def never(config: dict[str, Any]) -> Any:
    raise AssertionError("nothing is built from such a header")


@pytest.mark.parametrize("named", [["eg3d"], {"eg3d": 1}, None, 3, "", "eg3d\nx", "x" * 100_000, [["deep"] * 9] * 9])
def test_a_header_that_names_another_kind_whatever_it_holds_is_one_sentence(tmp_path: Path, named: Any):
    path = tmp_path / "weights.safetensors"
    write_tensors(path, {"weight": torch.ones(2)}, {"architecture": named, "config": {}})
    with pytest.raises(WeightsError, match="its header names") as caught:
        load_generator(path, "panohead", never)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_the_generator_that_opens_a_file_is_named(tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    write_tensors(path, {"weight": torch.ones(2)}, {"architecture": "panohead-mini", "config": {}})
    with pytest.raises(WeightsError, match="--generator panohead-mini opens it"):
        load_generator(path, "eg3d", never)
