"""Inputs bent at random, with a fixed seed: bytes, texts, JSON documents and values of settings."""

from __future__ import annotations

import copy
import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 3.5, 10**30, -(10**30), float("nan"), float("inf"), "", "x" * 5000, "\ud800", "a\nb", "a\0b",
    "2024-13-45", "~", "[", [], {}, [[]], [None], {"": {}}, {"a": {"b": {"c": 1}}}, ["\udfff"] * 3, "../../etc/passwd",
    "-rm", "[/red]", 1e308, 2**63, "é" * 300,
)  # fmt: skip
DEEP = 100_000
"""Brackets of a text that is nested too deeply for any reader."""


def bent_bytes(data: bytes, source: random.Random) -> bytes:
    """Cut short, or with bits, bytes or pieces changed."""
    kind, place = source.randrange(5), source.randrange(max(1, len(data)))
    changed = bytearray(data)
    if kind == 0:
        return data[:place]
    if kind == 1:
        changed[place] ^= 1 << source.randrange(8)
    elif kind == 2:
        changed[place : place + source.randrange(1, 9)] = source.randbytes(source.randrange(1, 9))
    elif kind == 3:
        other = source.randrange(len(data))
        changed[place : place + 16] = data[other : other + 16]
    else:
        for _ in range(source.randrange(1, 6)):
            changed[source.randrange(min(len(data), 300))] = source.randrange(256)
    return bytes(changed)


def bent_document(document: Any, source: random.Random) -> bytes:
    """A JSON document with an entry removed, added, renamed or replaced by an odd value; or bent as bytes."""
    kind = source.randrange(12)
    if kind == 0:
        return bent_bytes(json.dumps(document).encode(), source)
    if kind == 1:
        return source.choice([b"[" * DEEP, b'{"a":' * DEEP, b"", b"null", b"\xff\xfe", b"\x80\x04N.", b"[1,", b"1e999"])
    changed = copy.deepcopy(document)
    for _ in range(source.randrange(1, 3)):
        changed = _bend_one(changed, source)
    return json.dumps(changed).encode("utf-8", "surrogatepass")


def _bend_one(document: Any, source: random.Random) -> Any:
    places = list(_places(document))
    if not places:
        return copy.deepcopy(source.choice(ODD_VALUES))
    owner, key = source.choice(places)
    action = source.randrange(5)
    if action == 0:
        del owner[key]
    elif action == 1 and isinstance(owner, dict):
        owner[source.choice(("", "\ud800", "unknown", str(key) + "s"))] = owner[key]
    elif action == 2 and isinstance(owner, list):
        owner.insert(key, copy.deepcopy(source.choice(ODD_VALUES)))
    else:
        owner[key] = copy.deepcopy(source.choice(ODD_VALUES))
    return document


def _places(document: Any, limit: int = 400) -> list[tuple[Any, Any]]:
    found, waiting = [], [document]
    while waiting and len(found) < limit:
        each = waiting.pop()
        entries = each.items() if isinstance(each, dict) else enumerate(each) if isinstance(each, list) else ()
        for key, value in entries:
            found.append((each, key))
            waiting.append(value)
    return found


def bent_setting(key: str, source: random.Random) -> str:
    """`key=value` with an odd value, an odd key, or none."""
    values = (
        "2024-13-45", "[" * 5000, "{a: " * 3000, "&a [*a]", "!!python/object/apply:os.system [ls]", "1:2:3", "0x",
        "1e999", ".nan", "'", '"', "? ", "- ", "%", "@", "\t", "\ud800", "x" * 9000, "2024-01-01", "0o9", "1_0", "~",
        "{1: 2}", "[[1], {2: 3}]", "!!binary x", "<<: 1", "\0", "\x1b[31m", "=", "true", "-1", "9" * 20,
    )  # fmt: skip
    kind = source.randrange(6)
    if kind == 0:
        return "".join(source.choice("abc=.-_[]{}:,'\"& *!?\n\t0123456789") for _ in range(source.randrange(0, 40)))
    if kind == 1:
        keys = ("", ".", "..", "a.b.c.d", f"{key}.x", key.upper(), "\ud800")
        return f"{source.choice(keys)}={source.choice(values)}"
    return f"{key}={source.choice(values)}"


def with_header(data: bytes, metadata: bytes) -> bytes:
    """A safetensors file with another description."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = {"toolkit": metadata.decode("utf-8", "replace")}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def ended(
    count: int, seed: int, make: Callable[[random.Random], Any], read: Callable[[Any], Any], fault: type[Exception]
) -> dict[str, int]:
    """Read many bent inputs; each ends with a result or with one sentence.

    Raises:
        AssertionError: Another exception, or a message of several lines.
    """
    source, counts = random.Random(seed), {"read": 0, "refused": 0}
    for number in range(count):
        state = source.getstate()
        made = make(source)
        try:
            read(made)
        except fault as error:
            text = str(error)
            assert text and "\n" not in text and len(text) < 3000, f"seed {seed}, number {number}: {text[:300]!r}"
            counts["refused"] += 1
        except Exception as error:
            shown = made if isinstance(made, str) else repr(made)[:300]
            raise AssertionError(f"seed {seed}, number {number}: {type(error).__name__}: {error}; {shown}") from error
        else:
            counts["read"] += 1
        del state
    return counts


@dataclass
class Reader:
    """What is bent, and how it is read."""

    make: Callable[[random.Random], Any]
    read: Callable[[Any], Any]
    share: float = 1.0
    """Of the slow test's inputs; readers that take long get fewer."""


def file_reader(
    path: Path, original: bytes | Any, read: Callable[[Path], Any], share: float = 1.0, bend: Any = None
) -> Reader:
    """Bend a file's bytes (or its JSON document) in place."""
    whole = original if isinstance(original, bytes) else json.dumps(original).encode()
    bend = bend or (bent_bytes if isinstance(original, bytes) else bent_document)

    def make(source: random.Random) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bend(original, source))
        return path

    def read_and_mend(place: Path) -> None:
        try:
            read(place)
        finally:
            path.write_bytes(whole)

    return Reader(make, read_and_mend, share)
