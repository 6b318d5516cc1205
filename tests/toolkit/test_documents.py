"""JSON of others: whatever it is not, is one kind of error; what never ends is not read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit.bench.records.results import read_results
from toolkit.data.store import open_store
from toolkit.documents import parsed, read_bounded, read_document
from toolkit.errors import InputError
from toolkit.export.wanted import read_wanted


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a":' * 100_000, b"\xff\xfe", b"\x80\x04."])
def test_what_is_no_json_is_a_value_error(text: str | bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        parsed(text)
    (tmp_path / "a.json").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ValueError):
        read_document(tmp_path / "a.json")


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"[1, 2]")
    assert read_bounded(tmp_path / "a.json", 6) == b"[1, 2]" and read_document(tmp_path / "a.json") == [1, 2]
    with pytest.raises(ValueError, match="larger than"):
        read_bounded(tmp_path / "a.json", 5)


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such files")
@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device"])
def test_pipes_and_devices_may_never_end_and_are_not_read(kind: str, tmp_path: Path) -> None:
    place = Path("/dev/null") if kind == "device" else tmp_path / "there.json"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind != "device":
        place.symlink_to("/dev/null")
    with pytest.raises(ValueError, match="not a regular file"):
        read_bounded(place)
    for read in (open_store, read_wanted, read_results):
        with pytest.raises(InputError, match="regular file"):
            read(place)
