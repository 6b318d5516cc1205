from __future__ import annotations

from pathlib import Path

import pytest
import torch

from toolkit.weights import embedded
from toolkit.weights.tensors import write_tensors


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of embedded weights with one good file."""
    write_tensors(tmp_path / "good.safetensors", {"a": torch.ones(3)}, {"licence": "Apache-2.0"})
    monkeypatch.setattr(embedded, "_weight_folders", lambda: [tmp_path])
    return tmp_path


def test_the_list_has_size_licence_and_place(program, shipped: Path) -> None:
    ended = program("weights", "list")
    assert ended.code == 0
    line = ended.out.splitlines()[0]
    assert line.startswith("good ") and "Apache-2.0" in line and line.endswith(str(shipped / "good.safetensors"))


def test_damaged_weights_are_named_and_end_with_1(program, shipped: Path) -> None:
    assert program("weights", "verify").out == "ok       good\n"
    write_tensors(shipped / "holes.safetensors", {"a": torch.tensor([float("nan")])}, {})
    whole = (shipped / "good.safetensors").read_bytes()
    for name, content, complaint in (
        ("holes", None, "holds NaN or infinity"),
        ("text", b"this is a text, is it not?", "not a sound safetensors file"),
        ("cut", whole[:-4], "not a sound safetensors file"),
    ):
        if content is not None:
            (shipped / f"{name}.safetensors").write_bytes(content)
        ended = program("weights", "verify")
        assert ended.code == 1 and "Traceback" not in ended.err
        (line,) = (line for line in ended.out.splitlines() if line.startswith(f"damaged  {name}: "))
        assert complaint in line and "ok       good" in ended.out


def test_a_damaged_file_does_not_hide_the_others_from_the_list(program, shipped: Path) -> None:
    (shipped / "text.safetensors").write_text("this is a text, is it not?")
    ended = program("weights", "list")
    assert ended.code == 0
    assert "good" in ended.out and "unreadable" in ended.out


def test_what_the_package_ships_is_whole(program) -> None:
    ended = program("weights", "verify")
    assert ended.code == 0 and "ok       panohead-mini" in ended.out
