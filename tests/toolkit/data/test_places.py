"""What users name or pack in another way: found, suggested or told."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from toolkit.camera import Camera
from toolkit.data import ImageFolder
from toolkit.errors import InputError

NAMES = ("00000/front.png", "00000/left_30.png", "00001/front.png")
LABELS = [[name, Camera.orbit(0.1 * index).label[0].tolist()] for index, name in enumerate(NAMES)]


def packed(place: Path, folder: Path, prefix: str, **others: str) -> Path:
    with zipfile.ZipFile(place, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, prefix + file.relative_to(folder).as_posix())
        for name, text in others.items():
            archive.writestr(name, text)
    return place


@pytest.mark.parametrize("beside", [[], [".DS_Store"], ["__MACOSX/set/._front.png", "Thumbs.db"], ["README.txt"]])
@pytest.mark.parametrize("prefix", ["set/", "my set (1)/", "\u00e9/"])
def test_a_set_one_level_down_is_found_whatever_lies_beside(
    tmp_path: Path, folder: Path, prefix: str, beside: list[str]
) -> None:
    place = packed(tmp_path / "x.zip", folder, prefix, **dict.fromkeys(beside, "x"))
    assert ImageFolder(place).names == list(NAMES)
    with zipfile.ZipFile(place) as archive:
        archive.extractall(tmp_path / "down")
    assert ImageFolder(tmp_path / "down").names == list(NAMES)


def test_two_sets_one_level_down_are_told_and_neither_is_taken(tmp_path: Path, folder: Path) -> None:
    for name in ("a", "b"):
        packed(tmp_path / "x.zip", folder, "")
        with zipfile.ZipFile(tmp_path / "x.zip") as archive:
            archive.extractall(tmp_path / "both" / name)
    with pytest.raises(InputError) as refused:
        ImageFolder(tmp_path / "both")
    assert "\n" not in str(refused.value) and "a" in str(refused.value)


@pytest.mark.parametrize("there", ["front.jpg", "front.JPEG", "front.webp", "front.tiff", "Front.png", "FRONT.jpg"])
@pytest.mark.parametrize("in_zip", [False, True])
def test_the_picture_that_was_meant_is_suggested(tmp_path: Path, folder: Path, there: str, in_zip: bool) -> None:
    (folder / NAMES[0]).unlink()
    Image.new("RGB", (8, 8)).save(folder / "00000" / there)
    place = packed(tmp_path / "x.zip", folder, "") if in_zip else folder
    with pytest.raises(InputError) as refused:
        ImageFolder(place)[0]
    assert f"did you mean '00000/{there}'" in str(refused.value)


@pytest.mark.parametrize("form", ["{0}\\{1}", ".\\{0}\\{1}", "./{0}/{1}", "{0}/./{1}", "{0}//{1}"])
def test_labels_in_another_systems_spelling_are_read(folder: Path, tmp_path: Path, form: str) -> None:
    labels = [[form.format(*name.split("/")), numbers] for name, numbers in LABELS]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    for place in (folder, packed(tmp_path / "x.zip", folder, "")):
        data = ImageFolder(place)
        assert [data[index].image.shape for index in range(3)] == [(3, 8, 8)] * 3
        assert data.names == list(NAMES)
