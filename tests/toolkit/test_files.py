from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest

from toolkit.errors import OutputError
from toolkit.files import atomic_folder, atomic_write, disk_errors_named, file_sha256


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


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
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
