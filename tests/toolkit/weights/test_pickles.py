"""Pickles that try to run, allocate or loop: what they ask for stays a record, or is one sentence."""

from __future__ import annotations

import contextlib
import os
import pickle
import pickletools
import resource
import struct
import sys
import time
from pathlib import Path

import pytest
import torch
from official_samples import TRAP, fake_modules, persistence_pickle, stored_module

from toolkit.errors import WeightsError
from toolkit.weights.official_files import OfficialFile, read_official
from toolkit.weights.pickles import DamagedPickle, PickleReader, Record, Window


class Runs:
    """Asks for a call when it is unpickled."""

    def __init__(self, called: object, *arguments: object) -> None:
        self.call = called, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def load(data: bytes) -> object:
    return PickleReader({}).load(Window(data))


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A file that exists as soon as one of the attacks below has run."""
    return tmp_path / "sprung"


def attacks(trap: Path) -> dict[str, bytes]:
    """Pickles that would make the file `trap` with any reader that calls what they name."""
    command = f"touch {trap}"
    text = f"__import__('pathlib').Path({str(trap)!r}).touch()"
    found = {
        "os.system": pickle.dumps(Runs(os.system, command)),
        "eval": pickle.dumps(Runs(eval, text), protocol=2),
        "exec": pickle.dumps(Runs(exec, text), protocol=4),
        "nested": pickle.dumps({"state_dict": [Runs(Runs, Runs(os.system, command))]}),
        "open": pickle.dumps(Runs(open, str(trap), "w")),
        "protocol 0": f"cos\nsystem\n(S'{command}'\ntR.".encode(),
        "inst": f"(S'{command}'\nios\nsystem\n.".encode(),
        "obj": b"(cos\nsystem\n" + f"S'{command}'\no.".encode(),
        "dotted": _stack_global("builtins", "eval.__call__") + _text(text) + b"\x85R.",
        "dotted module": _stack_global("os.path", "os.system") + _text(command) + b"\x85R.",
        "getattr": _stack_global("builtins", "getattr") + _stack_global("os", "path", bare=True) + _text("system")
        + b"\x86R" + _text(command) + b"\x85R.",
        "renamed": _text("os") + b"\x94" + _text("system") + b"\x94\x93" + _text(command) + b"\x85R.",
        "state": _stack_global("os", "system") + b"}" + _text("__setstate__") + _stack_global("os", "system", bare=True)
        + b"sb" + _text(command) + b"\x85R.",
        "newobj": _stack_global("subprocess", "Popen") + _text(command) + b"\x85\x81.",
    }  # fmt: skip
    return {name: data if data[:1] in (b"\x80", b"c", b"(") else b"\x80\x04" + data for name, data in found.items()}


def _text(text: str) -> bytes:
    encoded = text.encode()
    return (
        b"\x8c" + bytes([len(encoded)]) + encoded
        if len(encoded) < 256
        else b"X" + struct.pack("<I", len(encoded)) + encoded
    )


def _stack_global(module: str, name: str, *, bare: bool = False) -> bytes:
    return (b"" if bare else b"\x80\x04") + _text(module) + _text(name) + b"\x93"


@pytest.mark.parametrize("name", list(attacks(Path("x"))))
def test_what_a_pickle_calls_is_never_called(name: str, trap: Path, tmp_path: Path) -> None:
    data = attacks(trap)[name]
    with contextlib.suppress(DamagedPickle):
        load(data)
    path = tmp_path / "attack.pkl"
    path.write_bytes(data)
    try:
        found = read_official(path)
    except WeightsError as error:
        assert "\n" not in str(error)
    else:
        assert not found.tensors
    assert not trap.exists()


def test_the_attacks_are_real(trap: Path) -> None:
    """The standard library's reader falls for them; otherwise this file would test nothing."""
    sprung = []
    for name, data in attacks(trap).items():
        try:
            result = pickle.loads(data)
            if hasattr(result, "wait"):
                result.wait()
            if hasattr(result, "close"):
                result.close()
        except Exception:
            pass
        if trap.exists():
            sprung.append(name)
            trap.unlink()
    assert {"os.system", "eval", "exec", "nested", "open", "protocol 0", "inst", "obj", "dotted"} <= set(sprung)


def test_a_call_is_kept_as_a_record_of_its_name() -> None:
    found = load(pickle.dumps({"opts": Runs(os.system, "echo")}))
    assert isinstance(found, dict)
    record = found["opts"]
    assert isinstance(record, Record) and record.name == "posix.system" and record.args == ("echo",)


def test_the_source_text_of_a_persistent_object_is_dropped_unread(tmp_path: Path) -> None:
    init = {"z_dim": 8, "rendering_kwargs": {"box_warp": 1}}
    tensors = {"a.weight": torch.ones(2, 3), "a.w_avg": torch.zeros(3), "b": torch.ones(1)}
    path = persistence_pickle(tmp_path / "g.pkl", tensors, init, plane_axes=torch.eye(3).repeat(3, 1, 1))
    assert TRAP.encode() in path.read_bytes()
    found = read_official(path)
    assert {key: value.tolist() for key, value in found.read("G_ema.").items()} == {
        key: value.tolist() for key, value in tensors.items()
    }
    assert found.modules["G_ema."].attributes["_init_kwargs"] == init


def test_a_persistent_object_that_is_no_class_is_one_sentence(tmp_path: Path) -> None:
    with fake_modules():
        made = stored_module({}, "x")
        made.meta["type"] = "function"
        (tmp_path / "g.pkl").write_bytes(pickle.dumps({"G_ema": made}))
    with pytest.raises(WeightsError, match="persistent object without a description"):
        read_official(tmp_path / "g.pkl")


BOMBS = {
    "memo index": (b"\x80\x02Nr\xff\xff\xff\xff.", None),
    "list of references": (
        b"\x80\x04]\x94" + b"".join(b"]\x94(" + b"h" + bytes([n]) + (b"h" + bytes([n])) * 9 + b"e" for n in range(40))
        + b".",
        None,
    ),
    "tables of references": (
        b"\x80\x04}\x94" + b"".join(
            b"}\x94(" + b"".join(_text(str(k)) + b"h" + bytes([n]) for k in range(9)) + b"u" for n in range(35)
        ) + b".",
        "nested",
    ),
    "itself": (b"\x80\x04}\x94" + _text("a") + b"h\x00s.", "nested"),
    "long string": (b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.", "bytes"),
    "long text": (b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b"x.", None),
    "long frame": (b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.", None),
    "long number": (b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"x.", None),
    "number of a million digits": (b"I" + b"9" * 1_000_000 + b"\n.", None),
    "range of a billion": (_stack_global("builtins", "list") + _stack_global("builtins", "range", bare=True)
                           + b"J" + struct.pack("<i", 10**9) + b"\x85R\x85R.", "sequence"),
    "bytearray of a billion": (_stack_global("builtins", "bytearray") + b"J" + struct.pack("<i", 10**9) + b"\x85R.",
                               None),
    "deep tuple as a key": (b"\x80\x04}" + b")" + b"\x85" * 60_000 + b"Ns.", "keys of type tuple"),
    "deep lists": (b"\x80\x04" + b"(" * 40_000 + b"l" * 40_000 + b".", None),
    "deep tables": (b"\x80\x04" + b"}" + b"".join(b"\x94}" + _text("a") + b"h" + b"\x00" + b"s" for _ in range(100)) +
                    b".", None),
    "colliding keys": (b"\x80\x04}(" + b"".join(
        b"\x8a\x09" + (k * (2**61 - 1)).to_bytes(9, "little") + b"N" for k in range(1, 500)) + b"u.", "of type int"),
    "billions of opcodes": (b"\x80\x04" + b"N0" * 600_000 + b"N.", "opcodes"),
    "empty": (b"\x80\x04.", None),
    "stack": (b"\x80\x04s.", None),
    "marks": (b"\x80\x04ttt.", None),
    "no end": (b"\x80\x04NNN", None),
    "array of a trillion": (
        _stack_global("numpy.core.multiarray", "_reconstruct") + b")R(K\x01" + b"(\x8a\x06"
        + (10**12).to_bytes(6, "little") + b"t" + _stack_global("numpy", "dtype", bare=True) + _text("f4")
        + b"\x85R\x89C\x04aaaat" + b"b.", "tensor of shape",
    ),
    "persistent id": (b"\x80\x02" + _text("x") + b"Q.", "outside of the file"),
    "extension": (b"\x80\x02\x82\x01.", "opcode EXT1"),
    "out of band": (b"\x80\x05\x97.", "opcode NEXT_BUFFER"),
}  # fmt: skip
"""Pickles that are small and ask for much; and what the sentence says, where it must say something."""


@pytest.mark.parametrize("name", list(BOMBS))
def test_a_bomb_takes_neither_memory_nor_time(name: str, tmp_path: Path) -> None:
    data, says = BOMBS[name]
    path = tmp_path / "bomb.pkl"
    path.write_bytes(data)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        found = read_official(path)
    except WeightsError as error:
        assert "\n" not in str(error) and str(path) in str(error)
        assert says is None or says in str(error)
    else:
        assert says is None and not found.tensors
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700 * 1024  # KiB
    assert time.process_time() - started < 30


def test_the_reader_knows_every_opcode_of_the_standard_library(tmp_path: Path) -> None:
    refused = {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER", "STOP"}
    reader = PickleReader({})
    from toolkit.weights import pickles

    known = pickles._PUSHED | pickles._CONSTANTS.keys() | pickles._TUPLES.keys()
    for opcode in pickletools.opcodes:
        handled = opcode.name in known or hasattr(reader, f"_op_{opcode.name.lower()}")
        assert handled != (opcode.name in refused), opcode.name


def test_plain_data_comes_back_as_the_standard_library_reads_it() -> None:
    value = {"a": [1, -2, 2**40, 1.5, None, True], "b": ("x", b"y" * 300, "ü"), "c": {"d": (), "e": []}, "f": {"g"}}
    for protocol in range(6):
        if protocol >= 2:
            found = load(pickle.dumps(value, protocol=protocol))
            assert isinstance(found, dict)
            assert found["a"] == value["a"] and found["c"] == value["c"]
            assert found["b"][0] == "x" and found["b"][2] == "ü"
    assert load(pickle.dumps({"a": [1, "x", 2.5]}, protocol=0)) == {"a": [1, "x", 2.5]}


def test_nothing_is_imported_by_reading(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04" + _text("antigravity") + _text("x") + b"\x93)R.")
    assert isinstance(read_official(tmp_path / "a.pkl"), OfficialFile)
    assert "antigravity" not in sys.modules
