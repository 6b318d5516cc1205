from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import OutputError, TrainingError
from toolkit.training.checkpoints import check_identity, latest_checkpoint, save_checkpoint
from toolkit.training.packing import pack, unpack

IDENTITY = {"job": "x", "seed": 1, "config": {"a": {"b": 1}}}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)


def silent(_: str) -> None:
    pass


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@given(trees)
def test_a_nested_state_comes_back_with_its_types(tree: Any) -> None:
    description, tensors = pack(tree)
    assert same(unpack(description, tensors), tree)


def test_tied_transposed_sliced_empty_and_odd_tensors_come_back(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    state = {
        "modules": {"tied": [base, base], "transposed": base.T, "slice": base[1:2], "a/b": base[0]},
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(3, dtype=torch.int64),
        "half": (torch.ones(2, dtype=torch.bfloat16), torch.tensor([True, False])),
        "a": {"b": torch.tensor(1.0)},
        "a/b": torch.tensor(2.0),
        7: 0.1 + 0.2,
    }
    save_checkpoint(tmp_path, 5, IDENTITY, state, keep=1)
    checkpoint = latest_checkpoint(tmp_path, silent)
    assert checkpoint is not None and checkpoint.step == 5
    assert same(checkpoint.state, state)


def test_what_cannot_be_saved_is_named_by_its_place() -> None:
    with pytest.raises(TypeError, match="'/job/0/sampler' is <object"):
        pack({"job": [{"sampler": object()}]})


def test_only_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    for step in (5, 20, 100):
        save_checkpoint(tmp_path, step, IDENTITY, {"modules": {"w": torch.ones(1)}}, keep=2)
    assert sorted(path.stem for path in tmp_path.glob("*.safetensors")) == ["step-00000020", "step-00000100"]
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["step-00000020", "step-00000100"]


@pytest.mark.parametrize("damage", ["tensors gone", "tensors cut", "seal cut", "seal foreign", "seal not text"])
def test_every_kind_of_damage_falls_back_to_the_one_before(tmp_path: Path, damage: str) -> None:
    for step in (1, 2):
        seal = save_checkpoint(tmp_path, step, IDENTITY, {"modules": {"w": torch.ones(4)}}, keep=2)
    tensors = seal.with_suffix(".safetensors")
    match damage:
        case "tensors gone":
            tensors.unlink()
        case "tensors cut":
            tensors.write_bytes(tensors.read_bytes()[:-4])
        case "seal cut":
            seal.write_text(seal.read_text()[:-9])
        case "seal foreign":
            seal.write_text('{"format": "another"}')
        case _:
            seal.write_bytes(b"\xff\xfe")
    said: list[str] = []
    checkpoint = latest_checkpoint(tmp_path, said.append)
    assert checkpoint is not None and checkpoint.step == 1
    assert len(said) == 1 and "step-00000002 is damaged" in said[0]


def test_tensors_without_a_seal_are_no_checkpoint(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, IDENTITY, {"modules": {}}, keep=1).unlink()
    assert latest_checkpoint(tmp_path, silent) is None


def test_another_version_of_the_format_is_refused_not_set_aside(tmp_path: Path) -> None:
    seal = save_checkpoint(tmp_path, 1, IDENTITY, {"modules": {}}, keep=1)
    seal.write_text(seal.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(TrainingError, match="was written as version 2"):
        latest_checkpoint(tmp_path, silent)
    assert seal.exists()


def test_a_new_key_in_the_configuration_is_named(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, IDENTITY, {"modules": {}}, keep=1)
    checkpoint = latest_checkpoint(tmp_path, silent)
    assert checkpoint is not None
    check_identity(checkpoint, IDENTITY)
    with pytest.raises(TrainingError, match=r"'a.c' was absent there and is 2 now"):
        check_identity(checkpoint, IDENTITY | {"config": {"a": {"b": 1, "c": 2}}})


def test_a_full_disk_is_one_sentence_and_harms_no_older_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {"modules": {"w": torch.ones(1)}}
    save_checkpoint(tmp_path, 1, IDENTITY, state, keep=1)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            save_checkpoint(tmp_path, 2, IDENTITY, state, keep=1)
    checkpoint = latest_checkpoint(tmp_path, silent)
    assert checkpoint is not None and checkpoint.step == 1
