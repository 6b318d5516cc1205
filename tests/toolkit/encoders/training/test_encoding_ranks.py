"""Encoder trainings in two processes joined by gloo, with photos, pairs and discriminators."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[2] / "training"))
sys.path.insert(0, str(Path(__file__).parent))
from encoding_ranks import TRAININGS, take_steps
from ranks import finish, start_ranks

PROGRAM = str(Path(__file__).with_name("encoding_ranks.py"))


def test_two_processes_give_the_gradients_and_losses_of_one_with_the_doubled_batch(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    for code, _, stderr in finish(start_ranks(2, PROGRAM, str(photo_folder), str(tmp_path))):
        assert code == 0, stderr
    first, second = load_file(tmp_path / "0"), load_file(tmp_path / "1")
    expected = {name: value for kind in TRAININGS for name, value in take_steps(kind, photo_folder).items()}
    assert first.keys() == second.keys() == expected.keys()
    assert {name.split("/")[0] for name in expected if "/losses/" in name} == set(TRAININGS)
    for name, value in expected.items():
        assert torch.equal(first[name], second[name]), name
        scale = float(value.abs().max())
        torch.testing.assert_close(first[name], value, rtol=1e-3, atol=1e-4 * scale + 1e-7)
