from __future__ import annotations

import json
import os
import random
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.apps.result_folders import distinct, result_folders, sources


def named(*photos: str) -> list[str]:
    folders = result_folders([Path(photo) for photo in photos], Path("out"))
    assert all(folder.parent == Path("out") for folder in folders)
    return [folder.name for folder in folders]


@pytest.mark.parametrize(
    ("photos", "names"),
    [
        (["a/me.png", "you.jpg"], ["me", "you"]),
        (["a/x.png", "b/x.png", "x-2.png"], ["a-x", "b-x", "x-2"]),
        (["x-2.png", "b/x.png", "a/x.png"], ["x-2", "b-x", "a-x"]),
        (["me.png", "me.jpg", "you.png"], ["me-png", "me-jpg", "you"]),
        (["me.png", "ME.jpg"], ["me-png", "ME-jpg"]),
        (["a/x.png", "b/X.png"], ["a-x", "b-X"]),
        (["-x.png", ".hidden.png", "two dots..png"], ["-x", "hidden", "two dots"]),
        (["me", "a/you"], ["me", "you"]),
        (["."], ["photo"]),
        (["..png"], ["photo"]),
        (["...png"], ["photo"]),
    ],
)
def test_folders_are_named_after_their_photos(photos: list[str], names: list[str]) -> None:
    assert named(*photos) == names


@pytest.mark.parametrize(
    "photos",
    [
        ["p/a/x.png", "q/a/x.png", "x.png"],
        ["a/x.png", "b/x.png", "a-x.png", "b-x.png", "x-png.jpg"],
        ["..png", "...png", "photo.png", "a/..png"],
        ["caf\u00e9.png", "cafe\u0301.png", "CAF\u00c9.png"],
        ["a/" + "x" * 251 + ".png", "b/" + "x" * 251 + ".png", "c/" + "x" * 250 + ".jpg"],
        ["a/" + "\u00e9" * 125 + ".png", "b/" + "\u00e9" * 125 + ".png"],
        ["a/\udcff.png", "b/\udcff.png", "\udcfe.png"],
        ["stra\u00dfe.png", "strasse.png"],
    ],
)
def test_there_are_as_many_folders_as_photos_on_any_disk_whatever_the_order(photos: list[str]) -> None:
    found = dict(zip(photos, named(*photos), strict=True))
    keys = {unicodedata.normalize("NFC", name).casefold() for name in found.values()}
    assert len(keys) == len(photos)
    assert all(0 < len(os.fsencode(name)) <= 255 and name.strip(". ") for name in found.values())
    for seed in range(5):
        order = random.Random(seed).sample(photos, len(photos))
        assert dict(zip(order, named(*order), strict=True)) == found


PARTS = st.sampled_from(["x", "X", "a", "a-x", "x-png", "x-2", ".", "..", "photo", "\u00e9", "e\u0301", "x."])


@given(st.lists(st.builds("{}/{}{}".format, PARTS, PARTS, st.sampled_from([".png", ".jpg", ""])), max_size=8))
def test_no_set_of_names_makes_two_photos_share_a_folder(photos: list[str]) -> None:
    several = distinct([Path(photo) for photo in photos])
    folders = result_folders(several, Path("out"))
    keys = {unicodedata.normalize("NFC", folder.name).casefold() for folder in folders}
    assert len(keys) == len(several)
    backwards = result_folders(several[::-1], Path("out"))[::-1]
    assert backwards == folders


def test_a_photo_given_twice_is_one_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photos = [Path("a.png"), Path("b.png"), tmp_path / "a.png", Path("./b.png"), Path("c/../a.png")]
    assert distinct(photos) == [Path("a.png"), Path("b.png")]


def made(out: Path, *photos: Path) -> dict[str, str]:
    """Photos and their folders' names, as if all had been inverted."""
    folders = result_folders(photos, out)
    for photo, folder in zip(photos, folders, strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        record = {"format": "toolkit-inversion", "schema_version": 1}
        about = {"input": photo.name, "source": sources(photo, out)}
        (folder / "inversion.json").write_text(json.dumps(record | {"provenance": about}))
    return {"/".join(photo.parts[-2:]): folder.name for photo, folder in zip(photos, folders, strict=True)}


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        ([["a/x.png"], ["b/x.png"], ["c/x.png"]], {"a/x.png": "x", "b/x.png": "b-x", "c/x.png": "c-x"}),
        ([["a/x.png"], ["a/x.png", "b/x.png", "a/x-2.png"]], {"a/x.png": "x", "b/x.png": "b-x", "a/x-2.png": "x-2"}),
        ([["a/x.png", "b/x.png"], ["a/x.png"], ["b/x.png"]], {"a/x.png": "a-x", "b/x.png": "b-x"}),
        ([["a/x-2.png"], ["b/x.png", "a/x.png"]], {"a/x-2.png": "x-2", "b/x.png": "b-x", "a/x.png": "a-x"}),
        ([["a/x.png"], ["a/x.jpg"], ["b/x.jpg"]], {"a/x.png": "x", "a/x.jpg": "x-jpg", "b/x.jpg": "b-x"}),
        ([["a/b-x.png"], ["a/x.png"], ["b/x.png"]], {"a/b-x.png": "b-x", "a/x.png": "x"}),
        ([["a/x"], ["b/x"], ["b/x.png"]], {"a/x": "x", "b/x": "b-x", "b/x.png": "x-png"}),
        ([["a/..png"], ["b/..png"]], {"a/..png": "photo", "b/..png": "b-photo"}),
    ],
)  # fmt: skip
def test_a_photo_has_one_folder_whatever_was_there_before(
    tmp_path: Path, runs: list[list[str]], names: dict[str, str]
) -> None:
    found: dict[str, str] = {}
    for photos in runs:
        for photo, folder in made(tmp_path / "out", *(tmp_path / photo for photo in photos)).items():
            assert found.setdefault(photo, folder) == folder  # an earlier run's folder is kept
    assert {photo: found[photo] for photo in names} == names
    assert len(list((tmp_path / "out").iterdir())) == len(found) == len(set(found.values()))
    for photos in runs:  # again, the other way round
        again = made(tmp_path / "out", *(tmp_path / photo for photo in photos[::-1]))
        assert all(found[photo] == folder for photo, folder in again.items())


@pytest.mark.parametrize(
    "photos",
    [
        ["a/x.png", "b/x.png"],
        ["a/x.png", "b/x.png", "x-2.png", "c/you.png"],
        ["a/x.png", "a/x.jpg", "b/x.png"],
        ["p/a/x.png", "q/a/x.png"],
        ["a/..png", "b/..png", "photo.png"],
        ["me.png", "ME.jpg"],
    ],
)
def test_a_run_that_was_interrupted_after_any_photo_goes_on_with_the_same_names(
    tmp_path: Path, photos: list[str]
) -> None:
    places = [tmp_path / photo for photo in photos]
    whole = [folder.name for folder in result_folders(places, tmp_path / "whole")]
    for kept in range(1 << len(photos)):
        out = tmp_path / str(kept)
        for index, (photo, name) in enumerate(zip(places, whole, strict=True)):
            if kept >> index & 1:
                (out / name).mkdir(parents=True)
                record = {"format": "toolkit-inversion", "schema_version": 1}
                about = {"input": photo.name, "source": sources(photo, out)}
                (out / name / "inversion.json").write_text(json.dumps(record | {"provenance": about}))
        assert [folder.name for folder in result_folders(places, out)] == whole


def test_folders_are_found_again_after_photos_and_results_were_moved(tmp_path: Path) -> None:
    before = made(tmp_path / "old" / "out", tmp_path / "old/a/x.png", tmp_path / "old/b/x.png")
    (tmp_path / "old").rename(tmp_path / "new")
    assert made(tmp_path / "new" / "out", tmp_path / "new/a/x.png", tmp_path / "new/b/x.png") == before
    (tmp_path / "new" / "out").rename(tmp_path / "results")
    assert made(tmp_path / "results", tmp_path / "new/b/x.png") == {"b/x.png": "b-x"}
    # a folder that two photos could call theirs goes to one of them
    several = [tmp_path / "old/a/x.png", tmp_path / "new/a/x.png"]
    assert len(set(result_folders(several, tmp_path / "results"))) == 2


@pytest.mark.parametrize("source", [None, "x", [], [1, 2], {"a": 1}, ["a"], ["\ud800", "b"]])
def test_records_that_do_not_say_whose_they_are_change_no_name(tmp_path: Path, source: object) -> None:
    made(tmp_path, tmp_path / "x.png")
    record = json.loads((tmp_path / "x" / "inversion.json").read_text())
    record["provenance"] |= {"source": source, "input": None}
    (tmp_path / "x" / "inversion.json").write_text(json.dumps(record))
    assert result_folders([tmp_path / "x.png"], tmp_path)[0].name in ("x", "x-png")
