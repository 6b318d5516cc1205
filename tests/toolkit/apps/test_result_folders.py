from __future__ import annotations

import os
import random
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.apps.result_folders import distinct, result_folders


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
