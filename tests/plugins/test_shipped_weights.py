"""What every shipped weights file promises: it says how it was made, and nothing of the machine that made it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

import toolkit
from toolkit.errors import WeightsError
from toolkit.interfaces import Generator
from toolkit.registry import default_registry
from toolkit.tensors import read_tensors, write_tensors

PLUGINS = Path(__file__).resolve().parents[2] / "plugins" / "toolkit_plugins"
FILES = sorted(PLUGINS.glob("*/weights/*.safetensors"))
MEBIBYTE = 2**20


@functools.cache
def generator(name: str) -> Generator:
    return toolkit.load_generator(name)


def test_all_together_are_small() -> None:
    assert FILES
    assert sum(file.stat().st_size for file in FILES) < 60 * MEBIBYTE


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_header_names_licence_and_training_but_no_folder_of_a_machine(file: Path) -> None:
    with safe_open(file, "pt") as opened:
        header = opened.metadata()["toolkit"]
    for key in ("licence", "training"):
        assert f'"{key}"' in header, key
    assert '"/' not in header.replace("\\", "")


@pytest.mark.parametrize("hole", [float("nan"), float("-inf")])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_copy_with_a_hole_is_refused_at_once_by_a_sentence_that_names_it(
    file: Path, hole: float, tmp_path: Path
) -> None:
    tensors, header = read_tensors(file)
    name = max(tensors, key=lambda each: tensors[each].is_floating_point() and tensors[each].numel())
    tensors[name].view(-1)[-1] = hole
    damaged = tmp_path / "mine.safetensors"
    write_tensors(damaged, tensors, header)
    with pytest.raises(WeightsError) as caught:
        open_again(file.stem, damaged, header)
    assert str(caught.value) == f"{damaged}: tensor {name!r} holds NaN or infinity"


def open_again(name: str, file: Path, header: dict[str, Any]) -> None:
    """Read a file as whoever uses one of this name does."""
    if name.startswith("panohead-mini"):
        toolkit.load_generator(name, file)
    elif name == "identity-lite":
        default_registry().build("face_embedder", name, file)
    else:
        toolkit.load_method(header["architecture"], generator(header["generator"]["name"]), file)
