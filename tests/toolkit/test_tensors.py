"""Files of tensors: what is none is called what it is."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from toolkit import tensors as module
from toolkit.errors import WeightsError
from toolkit.tensors import check_header, read_tensors, write_tensors


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("held", [{}, {"a": 1}, ["text" * 1000]])
def test_a_pickle_is_called_a_pickle(tmp_path: Path, protocol: int, held: object):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(pickle.dumps(held, protocol).ljust(16, b"."))
    for read in (check_header, read_tensors):
        with pytest.raises(WeightsError, match="but a pickle: nothing in it is run"):
            read(path)


def test_what_torch_saves_is_called_so(tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(WeightsError, match="but a zip, as torch"):
        check_header(path)


@pytest.mark.parametrize("size", [640, 896, 1152, 1408])
def test_a_header_whose_size_begins_like_a_pickle_is_read(tmp_path: Path, size: int):
    path = tmp_path / "weights.safetensors"
    for length in range(size - 300, size):
        write_tensors(path, {"weight": torch.ones(2)}, {"note": "x" * length})
        if int.from_bytes(path.read_bytes()[:8], "little") == size:
            break
    assert path.read_bytes()[:1] == b"\x80"
    assert torch.equal(read_tensors(path)[0]["weight"], torch.ones(2))


def test_writing_copies_only_what_shares_memory_or_is_turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Weights of gigabytes are not held twice while they are written."""
    whole = torch.arange(6.0).reshape(2, 3)
    given = {"whole": whole, "tied": whole, "row": whole[1], "turned": torch.arange(6.0).reshape(2, 3).t()}
    given["gradient"] = torch.ones(2, requires_grad=True)
    written: dict[str, torch.Tensor] = {}

    def save(tensors: dict[str, torch.Tensor], *args: object, **options: object) -> None:
        written.update(tensors)
        real(tensors, *args, **options)

    real = module.save_file
    monkeypatch.setattr(module, "save_file", save)
    write_tensors(tmp_path / "a.safetensors", given, {})
    assert {name for name in given if written[name].data_ptr() == given[name].data_ptr()} == {"whole", "gradient"}
    found, _ = read_tensors(tmp_path / "a.safetensors")
    assert all(torch.equal(found[name], value) for name, value in given.items())
