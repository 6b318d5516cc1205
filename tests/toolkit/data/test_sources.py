from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import pytest

from toolkit import registry as registry_module
from toolkit.data import ImageFolder
from toolkit.data.sources import Source, absolute_source, find_maker, find_source, open_source, open_source_store
from toolkit.errors import InputError, PluginError
from toolkit.hookspecs import hookimpl
from toolkit.registry import Registry


class Mine:
    """A reader without a layout of its own."""

    def __new__(cls, path: Path, size: int | None = None) -> ImageFolder:  # type: ignore[misc]
        return ImageFolder(path, size)


class Odd:
    """A reader that opens something else."""

    def __init__(self, path: Path, size: int | None = None) -> None:
        pass


class Plugin:
    @hookimpl
    def register_datasets(self, register) -> None:
        for name in ("Mine", "Odd", "Absent"):
            register(name.lower(), f"stand_in_readers:{name}", summary="reads", interface=1)


@pytest.fixture(autouse=True)
def readers(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("stand_in_readers")
    module.Mine, module.Odd = Mine, Odd  # type: ignore[attr-defined]
    registry = Registry()
    registry.add_plugin("readers", Plugin())
    monkeypatch.setitem(sys.modules, "stand_in_readers", module)
    monkeypatch.setattr(registry_module, "default_registry", lambda: registry)


def test_a_path_and_a_readers_path_are_found_and_a_name_is_neither(folder: Path):
    assert find_source(str(folder)) == Source(folder)
    assert find_source(f"mine:{folder}") == Source(folder, "mine")
    assert find_source("heads360") is None


def test_a_path_that_exists_wins_over_a_prefix(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder.parent)
    folder.rename(folder.parent / "mine:set")
    assert find_source("mine:set") == Source(Path("mine:set"))
    assert len(open_source("mine:set")) == 3


def test_the_home_folder_may_be_written_short(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert find_source("mine:~/set") == Source(folder, "mine") and find_source("~/set") == Source(folder)


def test_opening_passes_the_size_on(folder: Path):
    assert open_source(f"mine:{folder}", 4)[0].image.shape == open_source(str(folder), 4)[0].image.shape == (3, 4, 4)
    assert open_source_store(f"mine:{folder}").names() == open_source_store(str(folder)).names()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mime:set", "there is nothing at mime:set: unknown reader 'mime'; did you mean 'mine'"),
        ("mine:nowhere", "no data set at 'nowhere', where 'mine' is to read one"),
        ("mine:", "no data set at ''"),
        ("nowhere", "there is no data set at nowhere"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(text: str, message: str):
    for open_it in (open_source, open_source_store):
        with pytest.raises(InputError, match=message):
            open_it(text)


def test_readers_that_are_broken_or_open_something_else_are_named(folder: Path):
    with pytest.raises(PluginError, match="'odd' opens a Odd, not an ImageFolder"):
        open_source(f"odd:{folder}")
    with pytest.raises(PluginError, match="'absent' of plugin 'readers' cannot be loaded"):
        open_source(f"absent:{folder}")
    (folder / "dataset.json").unlink()
    with pytest.raises(InputError, match="has no camera labels"):  # a broken reader does not hide what is wrong
        open_source(str(folder))


def test_a_source_travels_to_another_folder(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder.parent)
    assert absolute_source("set") == os.path.join(folder.parent, "set")
    assert absolute_source("mine:set") == f"mine:{folder}"
    assert absolute_source("heads360") == "heads360"


def test_a_name_that_makes_nothing_is_told_what_to_write():
    with pytest.raises(InputError, match="--data: the data set 'mine' is read from files: write mine:PATH"):
        find_maker("mine", "--data")
    with pytest.raises(InputError, match=r"--data: 'mime' is neither a folder nor a data set; .*did you mean 'mine'"):
        find_maker("mime", "--data")
