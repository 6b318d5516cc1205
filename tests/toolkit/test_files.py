from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit import files
from toolkit.errors import InputError, OutputError
from toolkit.files import (
    atomic_export,
    atomic_folder,
    atomic_write,
    check_folder_place,
    disk_errors_named,
    file_sha256,
    is_empty,
    sort_metadata,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_appears_under_its_name_only_when_complete(tmp_path: Path):
    target = tmp_path / "sub" / "result.json"
    with atomic_write(target) as temporary:
        assert temporary.suffix == ".json"
        temporary.write_text("1")
        assert not target.exists()
    assert target.read_text() == "1"
    assert names(target.parent) == ["result.json"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    target = tmp_path / "result.json"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="stopped"), atomic_write(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("stopped")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["result.json"]


def test_a_writer_that_replaces_the_temporary_file_is_fine(tmp_path: Path):
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.unlink()
        temporary.write_text("again")
    assert (tmp_path / "a.txt").read_text() == "again"


def test_a_place_behind_links_that_lead_in_circles_is_one_sentence(tmp_path: Path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(OutputError, match=os.strerror(errno.ELOOP)), atomic_write(tmp_path / "one" / "sub" / "a.txt"):
        pytest.fail("reached")
    with pytest.raises(InputError, match="is not a folder"):
        check_folder_place(tmp_path / "one" / "sub")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENOTCONN, errno.ESTALE, errno.EBUSY])
def test_a_full_or_read_only_disk_is_one_sentence_that_names_the_file(tmp_path: Path, code: int):
    target = tmp_path / "result.bin"
    with pytest.raises(OutputError, match=r"result\.bin: " + os.strerror(code)), atomic_write(target):
        raise OSError(code, os.strerror(code))
    assert names(tmp_path) == []


def test_a_disk_that_fills_up_at_the_rename_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError), atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert names(tmp_path) == []


def test_a_file_in_the_place_of_a_folder_is_one_sentence(tmp_path: Path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(OutputError, match="taken"), atomic_write(tmp_path / "taken" / "a.txt"):
        pytest.fail("the block must not run")
    with pytest.raises(OutputError, match="taken"), atomic_folder(tmp_path / "taken" / "b"):
        pytest.fail("the block must not run")


def test_a_folder_in_the_place_of_a_file_is_one_sentence(tmp_path: Path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match="taken"), atomic_write(tmp_path / "taken") as temporary:
        temporary.write_text("x")
    assert names(tmp_path) == ["taken"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser writes everywhere")
def test_a_read_only_folder_is_one_sentence(tmp_path: Path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"), atomic_write(tmp_path / "a.txt"):
            pytest.fail("the block must not run")
    finally:
        tmp_path.chmod(0o700)


def test_other_errors_keep_their_kind(tmp_path: Path):
    with pytest.raises(FileNotFoundError), disk_errors_named(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "somebody else's file")


def test_reading_an_unreadable_input_is_not_blamed_on_the_output(tmp_path: Path):
    with pytest.raises(PermissionError), atomic_write(tmp_path / "out.txt"):
        raise PermissionError(errno.EACCES, "denied", str(tmp_path.parent / "elsewhere" / "input.txt"))


def test_files_get_the_modes_that_the_user_asked_for(tmp_path: Path):
    old = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "a.txt") as temporary:
            temporary.write_text("x")
        with atomic_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o750


def test_a_folder_takes_the_place_of_the_old_one_as_a_whole(tmp_path: Path):
    target = tmp_path / "run"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with atomic_folder(target) as temporary:
        (temporary / "new.txt").write_text("new")
        assert names(target) == ["old.txt"]
    assert names(target) == ["new.txt"]
    assert names(tmp_path) == ["run"]


def test_a_failing_folder_keeps_the_old_one(tmp_path: Path):
    target = tmp_path / "run"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_folder(target) as temporary:
        (temporary / "new.txt").write_text("new")
        raise KeyboardInterrupt
    assert names(target) == ["old.txt"]
    assert names(tmp_path) == ["run"]


def test_the_old_folder_comes_back_when_the_rename_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "run"
    target.mkdir()
    (target / "old.txt").write_text("old")
    rename = Path.rename

    def refuse_new(self: Path, destination: Path) -> Path:
        if Path(destination) == target and (self / "new.txt").exists():
            raise OSError(errno.ENOSPC, "full")
        return rename(self, destination)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(OutputError), atomic_folder(target) as temporary:
        (temporary / "new.txt").write_text("new")
    assert names(tmp_path) == ["run"]
    assert names(target) == ["old.txt"]


def test_file_sha256_is_the_standard_one(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


class SafetensorError(Exception):
    """Named like the library's, which is no OSError."""


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "full"),
        OSError("encoder error -2 when writing image file"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("unexpected pos 576 vs 534"),
        ValueError("write failed"),
        OutputError("cannot write orbit.mp4: ffmpeg says: nothing was written"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("kind", [atomic_write, atomic_folder])
def test_a_full_disk_is_one_sentence_however_a_library_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, kind
):
    usage = files.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda place: usage._replace(free=0))
    told = pytest.raises(OutputError, match=r"^cannot write .*result\.bin: " + os.strerror(errno.ENOSPC) + "$")
    with told, kind(tmp_path / "result.bin") as temporary:
        assert temporary.exists()
        raise error
    assert names(tmp_path) == []


def test_an_error_of_the_work_keeps_its_kind_while_there_is_space(tmp_path: Path):
    for error in (RuntimeError("x"), ValueError("y"), SafetensorError("z"), KeyError("k")):
        with pytest.raises(type(error)), atomic_write(tmp_path / "a") as _:
            raise error


def test_a_file_inside_a_folder_is_named_by_its_place_to_be(tmp_path: Path):
    with (
        pytest.raises(OutputError, match=f"cannot write {tmp_path / 'a' / 'b.txt'}"),
        atomic_folder(tmp_path / "a") as folder,
        atomic_write(folder / "b.txt"),
    ):
        raise OSError(errno.ENOSPC, "full")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux alone has such a place")
@pytest.mark.parametrize("place", ["/proc/nothing", "/proc/nothing/deep", "/sys/nothing", "/dev/null/x"])
def test_a_place_that_cannot_be_made_is_one_sentence(place: str):
    for kind in (atomic_write, atomic_folder, atomic_export):
        with pytest.raises(OutputError, match=f"^cannot write {place}/sub/y: "), kind(f"{place}/sub/y"):
            pytest.fail("the block must not run")
    with pytest.raises(OutputError, match="cannot write"), disk_errors_named(Path(place)):
        Path(place).mkdir(parents=True)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux alone has such a place")
@pytest.mark.parametrize("place", ["/proc", "/proc/x/y", "/sys/fs/x", "/dev/null", "/dev/null/x"])
def test_a_place_that_takes_nothing_is_refused_before_any_work(place: str):
    with pytest.raises((OutputError, InputError), match=f"^cannot write into {place}: "):
        check_folder_place(place)


def test_looking_at_a_place_leaves_nothing_there(tmp_path: Path):
    check_folder_place(tmp_path / "deep" / "deeper")
    assert names(tmp_path) == []


def test_another_file_that_is_missing_is_not_the_targets_fault(tmp_path: Path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a") as _:
        (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("outer", [atomic_write, atomic_export])
def test_a_file_that_another_function_writes_is_named_by_its_place_to_be(tmp_path: Path, outer):
    told = pytest.raises(OutputError, match=f"^cannot write {tmp_path / 'best.bin'}: {os.strerror(errno.ENOSPC)}$")
    with told, outer(tmp_path / "best.bin") as temporary, atomic_write(temporary):
        raise OSError(errno.ENOSPC, "full")


@pytest.mark.parametrize("name", ["x" * 255, "\u00e9" * 127, "caf\udce9", "-rf", "two\nlines", "a [b].txt"])
def test_every_name_that_the_disk_takes_can_be_written(tmp_path: Path, name: str):
    with atomic_write(tmp_path / name) as path:
        path.write_text("x")
    assert names(tmp_path) == [name]
    (tmp_path / name).unlink()
    with atomic_folder(tmp_path / name) as folder:
        (folder / "y").write_text("y")
    assert names(tmp_path / name) == ["y"]


def test_a_name_that_no_disk_takes_is_one_sentence(tmp_path: Path):
    with pytest.raises(OutputError, match="File name too long"), atomic_write(tmp_path / ("x" * 300)):
        pytest.fail("the block must not run")


def test_what_is_to_be_kept_of_the_old_folder_is_there_afterwards(tmp_path: Path):
    old = tmp_path / "a"
    (old / "notes").mkdir(parents=True)
    for name in ("notes/deep.txt", "mine.txt", "ours.txt", "both.txt"):
        (old / name).write_text("old")
    with atomic_folder(old, keep=lambda name: name != "ours.txt") as new:
        (new / "both.txt").write_text("new")
    assert names(old) == ["both.txt", "mine.txt", "notes"]
    assert (old / "both.txt").read_text() == "new" and (old / "notes" / "deep.txt").read_text() == "old"


def leftover(parent: Path, name: str, *parts: str) -> Path:
    place = parent.joinpath(f".toolkit-{name}", *parts)
    place.mkdir(parents=True)
    (place / "half").write_text("half")
    return place


def test_what_killed_processes_left_is_cleared_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "_cleared", set())
    leftover(tmp_path, "abcdefgh")
    leftover(tmp_path, "12345678", "result")
    (tmp_path / ".toolkit-note").mkdir()
    (tmp_path / ".mine").mkdir()
    (tmp_path / "plain").mkdir()
    with atomic_write(tmp_path / "a.txt") as path:
        path.write_text("x")
    assert names(tmp_path) == [".mine", ".toolkit-note", "a.txt", "plain"]


def test_a_folder_that_a_kill_left_between_old_and_new_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "_cleared", set())
    leftover(tmp_path, "abcdefgh", ".old", "lost")
    leftover(tmp_path, "12345678", ".old", "there")
    (tmp_path / "there").mkdir()
    with atomic_folder(tmp_path / "new"):
        pass
    assert names(tmp_path) == ["lost", "new", "there"]
    assert names(tmp_path / "lost") == ["half"] and names(tmp_path / "there") == []


KILLED = """
import os, pathlib, sys
from toolkit.files import atomic_folder, atomic_write
kind = atomic_folder if sys.argv[2] == "folder" else atomic_write
with kind(pathlib.Path(sys.argv[1]) / "result") as path:
    print("working", flush=True)
    sys.stdin.read(1)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_work_of_another_process_is_left_alone_until_it_is_killed(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    other = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None and other.stdout is not None
    assert other.stdout.readline() == "working\n"
    monkeypatch.setattr(files, "_cleared", set())
    with atomic_write(tmp_path / "a.txt"):
        pass
    assert len(names(tmp_path)) == 2
    other.communicate("x")
    monkeypatch.setattr(files, "_cleared", set())
    with atomic_write(tmp_path / "b.txt"):
        pass
    assert names(tmp_path) == ["a.txt", "b.txt"]


def test_a_folder_with_leftovers_of_a_kill_is_empty_and_one_with_anything_else_is_not(tmp_path: Path):
    assert is_empty(tmp_path / "nothing") and is_empty(tmp_path)
    (tmp_path / ".toolkit-abcd1234").mkdir()
    (tmp_path / ".toolkit-abcd1234" / "half.json").write_text("{")
    assert is_empty(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    assert not is_empty(tmp_path) and is_empty(tmp_path, besides="mine.txt")
    assert not is_empty(tmp_path / "mine.txt")
    (tmp_path / "link").symlink_to("nowhere")
    assert not is_empty(tmp_path / "link")


def test_a_headers_metadata_has_one_order(tmp_path: Path):
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    tensors = {"b": torch.arange(3.0), "a": torch.zeros(2, 2)}
    metadata = {"format": "x", "generated": "true", "method": "caf\u00e9", "more": "\n"}
    written = set()
    for index in range(8):
        path = tmp_path / f"{index}.safetensors"
        save_file(tensors, path, metadata=metadata)
        sort_metadata(path)
        written.add(path.read_bytes())
        with safe_open(path, framework="pt") as file:
            assert file.metadata() == metadata and torch.equal(file.get_tensor("b"), tensors["b"])
    assert len(written) == 1


def test_what_an_export_writes_beside_its_file_gets_its_place_too(tmp_path: Path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "old").write_text("stays")
    with atomic_export(tmp_path / "all.bin") as path:
        path.write_text("all")
        with atomic_write(path.parent / "parts" / "one.bin") as part:
            part.write_text("one")
        assert names(tmp_path / "parts") == ["old"]
    assert names(tmp_path) == ["all.bin", "parts"] and names(tmp_path / "parts") == ["old", "one.bin"]
    with pytest.raises(RuntimeError), atomic_export(tmp_path / "all.bin") as path:
        (path.parent / "more.bin").write_text("more")
        raise RuntimeError
    assert names(tmp_path) == ["all.bin", "parts"]
