"""Every format gives what was written; damage of any kind is one sentence."""

from __future__ import annotations

import contextlib
import io
import math
import pickle
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from official_samples import array, persistence_pickle, some_tensors, torch_tar
from safetensors.torch import save_file

from toolkit.errors import ToolkitError, WeightsError
from toolkit.weights.official_files import ARRAY, read_official


def torch_file(path: Path, content: object, *, zipped: bool = True, protocol: int = 2) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    return path


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_torch_saves_comes_back_bit_by_bit(zipped: bool, protocol: int, tmp_path: Path) -> None:
    tensors = some_tensors()
    content = {"state_dict": tensors, "opts": {"lr": 1e-4, "names": ["a", "b"]}, "step": 7}
    found = read_official(torch_file(tmp_path / "a.pt", content, zipped=zipped, protocol=protocol))
    assert found.plain == {"opts": {"lr": 1e-4, "names": ["a", "b"]}, "step": 7}
    read = found.read("state_dict.")
    assert list(read) == list(tensors)
    for key, value in tensors.items():
        assert read[key].dtype == value.dtype and torch.equal(read[key], value), key
    assert not found.inert


@pytest.mark.parametrize("zipped", [True, False])
def test_a_storage_is_held_once_while_its_tensors_are_read(zipped: bool, tmp_path: Path) -> None:
    """Thousands of small parts of one large storage are a sound file, and so are tied weights."""
    base, alone = torch.arange(2.0**20), torch.arange(6.0).reshape(2, 1, 3)
    content = {"alone": alone, "tied": alone, **{f"{row}": base[row : row + 2] for row in range(300)}}
    found = read_official(torch_file(tmp_path / "a.pt", content, zipped=zipped))
    tracemalloc.start()
    read = found.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * base.nbytes, "bytes as read and as numbers, and the file's own copy"
    assert all(torch.equal(read[key], value) for key, value in content.items())
    read["tied"].zero_(), read["0"].zero_()
    assert torch.equal(read["alone"], alone) and float(read["1"][0]) == 1, "copies of their own"
    assert not any("numbers" in vars(value.storage) for value in found.tensors.values())


def test_the_oldest_format_agrees_with_torchs_own_reader(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1.5])}
    path = torch_tar(tmp_path / "old.pth", tensors)
    theirs = torch.load(path, weights_only=False)  # a file of our own: its reader of plain data refuses the format
    ours = read_official(path).read()
    for key, value in tensors.items():
        assert torch.equal(theirs[key], value) and torch.equal(ours[key], value)


@pytest.mark.parametrize("kind", ["<f4", "<f8", "<f2", "<i8", "|u1", "|b1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back(kind: str, order: str, tmp_path: Path) -> None:
    value = np.asarray((np.arange(12).reshape(3, 4) % 5), dtype=kind, order=order)
    np.save(tmp_path / "a.npy", value)
    assert np.array_equal(read_official(tmp_path / "a.npy").read()[ARRAY].numpy(), value)


def test_numpy_inside_a_checkpoint_comes_back(tmp_path: Path) -> None:
    content = {"latent_avg": array(), "number": np.float64(0.1), "half": np.float16(0.5)}
    found = read_official(torch_file(tmp_path / "a.pt", content))
    assert np.array_equal(found.read()["latent_avg"].numpy(), array())
    assert found.plain["number"] == 0.1 and found.plain["half"] == 0.5


def test_safetensors_come_back(tmp_path: Path) -> None:
    save_file({"a.b": torch.ones(2)}, tmp_path / "a.pth")  # told by the content, not by the name
    assert torch.equal(read_official(tmp_path / "a.pth").read("a.")["b"], torch.ones(2))


OTHER_THINGS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "text": (b"these are no weights, are they?" * 40, "neither safetensors"),
    "web page": (b"\n<!DOCTYPE html><html><title>Google Drive - Virus scan warning</title></html>", "web page"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "Git LFS"),
    "objects": (b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(128) + b"\n",
                "plain little-endian numbers"),
    "big-endian": (b"\x93NUMPY\x01\x00v\x00{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }".ljust(128),
                   "little-endian"),
    "huge array": (
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(128),
        "does not hold"),
    "code in a header": (b"\x93NUMPY\x01\x00v\x00{'descr': __import__('os').system('x'), 'shape': ()}".ljust(128),
                         "senseless header"),
    "header of a gigabyte": (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**30) + b"{" * 100, "senseless header"),
    "zip": (b"PK\x03\x04" + b"\0" * 100, "cut short"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(OTHER_THINGS))
def test_other_things_are_called_by_their_name(name: str, tmp_path: Path) -> None:
    data, says = OTHER_THINGS[name]
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(WeightsError, match=says) as caught:
        read_official(tmp_path / "a.pth")
    assert "\n" not in str(caught.value)
    with pytest.raises(WeightsError, match="does not exist"):
        read_official(tmp_path / "b.pth")


def zip_of(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return stream.getvalue()


class _Storage:
    """A reference to a storage of a zip, declared as large as one likes."""

    def __init__(self, key: str, count: int) -> None:
        self.identity = ("storage", torch.FloatStorage, key, "cpu", count)


def declared(key: str, count: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """data.pkl with one tensor over one storage."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            return value.identity if isinstance(value, _Storage) else None

    class Tensor:
        def __reduce__(self) -> tuple[object, ...]:
            return torch._utils._rebuild_tensor_v2, (_Storage(key, count), 0, shape, strides, False, {})

    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump({"a": Tensor()})
    return stream.getvalue()


@pytest.mark.parametrize(
    ("key", "count", "shape", "strides", "says"),
    [
        ("0", 4, (4,), (1,), None),
        ("0", 10**12, (4,), (1,), "does not hold"),
        ("0", 4, (10**12,), (1,), "in a storage of 4"),
        ("0", 4, (10**12,), (0,), "more than it can hold"),
        ("0", 4, (10**6, 10**6), (0, 0), "more than it can hold"),
        ("0", 4, (-4,), (1,), "a tensor of shape"),
        ("0", 4, (4,), (-1,), "a tensor of shape"),
        ("0", 4, (2,) * 60, (0,) * 60, "a tensor of shape"),
        ("0", -4, (4,), (1,), "without a size"),
        ("../../../etc/passwd", 4, (4,), (1,), "does not hold"),
        ("/etc/passwd", 4, (4,), (1,), "does not hold"),
        ("1", 4, (4,), (1,), "does not hold"),
    ],
)
def test_declared_sizes_are_compared_with_the_file(
    key: str, count: int, shape: tuple[int, ...], strides: tuple[int, ...], says: str | None, tmp_path: Path
) -> None:
    entries = {"x/data.pkl": declared(key, count, shape, strides), "x/data/0": struct.pack("<4f", 1, 2, 3, 4)}
    (tmp_path / "a.pt").write_bytes(zip_of(entries))
    if says is None:
        assert read_official(tmp_path / "a.pt").read()["a"].tolist() == [1, 2, 3, 4]
        return
    with pytest.raises(WeightsError, match=says):
        read_official(tmp_path / "a.pt").read()


def test_zips_that_torch_did_not_write_are_refused(tmp_path: Path) -> None:
    sound = {"x/data.pkl": declared("0", 4, (4,), (1,)), "x/data/0": struct.pack("<4f", 1, 2, 3, 4)}
    cases = {
        "compressed": (zip_of(sound, zipfile.ZIP_DEFLATED), "compressed"),
        "no pickle": (zip_of({"a": b"b"}), "no single data.pkl"),
        "two pickles": (zip_of({**sound, "y/data.pkl": b"N."}), "no single data.pkl"),
        "other order": (zip_of({**sound, "x/byteorder": b"big"}), "big-endian"),
        "outside": (zip_of({"../../data.pkl": sound["x/data.pkl"], "../../data/0": b"x" * 16}), ""),
    }
    lying = bytearray(zip_of(sound))
    last = lying.rfind(b"PK\x05\x06")
    lying[last + 8 : last + 12] = b"\xff\xff\xff\xff"
    lying[last + 12 : last + 16] = struct.pack("<I", 2**31)
    cases["a directory of gigabytes"] = (bytes(lying), "entries")
    for name, (data, says) in cases.items():
        (tmp_path / "a.pt").write_bytes(data)
        if not says:  # names in a zip are never places on the disk
            assert read_official(tmp_path / "a.pt").read()["a"].shape == (4,)
            continue
        with pytest.raises(WeightsError, match=says):
            read_official(tmp_path / "a.pt").read()
        assert name


def samples(folder: Path) -> list[Path]:
    """One small file of every format."""
    tensors = {key: value for key, value in some_tensors().items() if key != "empty"}
    init = {"z_dim": 8, "rendering_kwargs": {"box_warp": 1, "ray": [2.25, 3.3]}}
    plain = {"a.weight": torch.ones(2, 3), "a.w_avg": torch.zeros(3), "b": torch.ones(1)}
    np.save(folder / "array.npy", array())
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "a.safetensors")
    return [
        torch_file(folder / "zip.pt", {"state_dict": tensors, "opts": {"a": [1, "b"]}, "n": np.float64(1)}),
        torch_file(folder / "stream.pt", {"state_dict": tensors, "opts": {"a": [1, "b"]}}, zipped=False),
        torch_tar(folder / "tar.pt", {"a": torch.ones(2, 3)}),
        persistence_pickle(folder / "g.pkl", plain, init, plane_axes=torch.eye(3).repeat(3, 1, 1)),
        folder / "array.npy",
        folder / "a.safetensors",
    ]


def bent(data: bytes, source: random.Random) -> bytes:
    """Damage of a random kind."""
    kind = source.randrange(6)
    place = source.randrange(len(data))
    if kind == 0:
        return data[:place]
    changed = bytearray(data)
    if kind == 1:
        changed[place] ^= 1 << source.randrange(8)
    elif kind == 2:
        changed[place] = source.randrange(256)
    elif kind == 3:
        changed[place : place + source.randrange(1, 9)] = source.randbytes(source.randrange(1, 9))
    elif kind == 4:
        other = source.randrange(len(data))
        changed[place : place + 16] = data[other : other + 16]
    else:  # the beginning is where formats say what they are
        for _ in range(source.randrange(1, 4)):
            changed[source.randrange(min(len(data), 400))] = source.randrange(256)
    return bytes(changed)


def damaged_files(folder: Path, count: int, seed: int, read: Callable[[Path], object]) -> dict[str, int]:
    """Read many damaged files and count how they ended; anything but a result or one sentence is a failure."""
    source, ended = random.Random(seed), {"read": 0, "refused": 0}
    originals = [(path.suffix, path.read_bytes()) for path in samples(folder)]
    for number in range(count):
        suffix, data = originals[number % len(originals)]
        path = folder / f"bent{suffix}"
        path.write_bytes(bent(data, source))
        try:
            read(path)
        except ToolkitError as error:
            assert "\n" not in str(error) and len(str(error)) < 2000, (seed, number)
            ended["refused"] += 1
        else:
            ended["read"] += 1
    return ended


def read_all(path: Path) -> None:
    found = read_official(path)
    total = sum(value.numel() * value.element_size() for value in found.read().values())
    assert total <= 2 * path.stat().st_size + 2**20 and math.isfinite(total)


def test_hundreds_of_damaged_files_are_results_or_one_sentence(tmp_path: Path) -> None:
    ended = damaged_files(tmp_path, 600, 0, read_all)
    assert ended["refused"] > 200 and ended["read"] > 20


@pytest.mark.slow
def test_thousands_of_damaged_files_are_results_or_one_sentence(tmp_path: Path) -> None:
    ended = damaged_files(tmp_path, 12_000, 1, read_all)
    assert sum(ended.values()) == 12_000


@pytest.mark.slow
def test_every_truncation_of_a_file_is_a_result_or_one_sentence(tmp_path: Path) -> None:
    for path in samples(tmp_path):
        data, whole, results = path.read_bytes(), read_official(path).read(), 0
        for length in range(0, len(data), max(1, len(data) // 700)):
            path.write_bytes(data[:length])
            with contextlib.suppress(WeightsError):
                found = read_official(path).read()  # where only padding is missing
                assert list(found) == list(whole)
                assert all(torch.equal(found[key], value) for key, value in whole.items())
                results += 1
        assert results < len(range(0, len(data), max(1, len(data) // 700)))
