from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.faces.labels import find_dataset_entry, read_camera, read_landmarks

CAMERA = Camera.orbit(0.3, 0.1)
NUMBERS = CAMERA.label[0].tolist()
POINTS = [[1.0, 2.0], [30.0, 2.5], [15.0, 20.0], [5.0, 40.0], [28.0, 41.0]]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(NUMBERS),
        json.dumps([NUMBERS]),
        json.dumps({"label": NUMBERS}),
        json.dumps([str(number) for number in NUMBERS]),
        " ".join(map(str, NUMBERS)),
        ",\n".join(map(str, NUMBERS)),
        "\ufeff" + json.dumps(NUMBERS),
    ],
)
def test_cameras_are_read_from_many_forms(tmp_path: Path, text: str):
    path = tmp_path / "camera.json"
    path.write_text(text, encoding="utf-8")
    torch.testing.assert_close(read_camera(path).label, CAMERA.label)


def test_cameras_are_taken_as_they_are():
    assert read_camera(CAMERA) is CAMERA
    torch.testing.assert_close(read_camera(NUMBERS).label, CAMERA.label)
    with pytest.raises(InputError, match="got 2"):
        read_camera(CAMERA.expand(2))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(NUMBERS[:24]), "must hold 25 numbers, got 24"),
        (json.dumps([float("nan"), *NUMBERS[1:]]), "NaN"),
        (" ".join(["inf", *map(str, NUMBERS[1:])]), "NaN or infinity"),
        (json.dumps([None, *NUMBERS[1:]]), "25 numbers"),
        (json.dumps({"camera": NUMBERS}), "label"),
        (json.dumps([0.0] * 25), "rotation"),
        ("hello", "neither JSON nor plain numbers"),
        ("", "25 numbers"),
        ("[" * 100_000, "neither JSON"),
        ('"text"', "25 numbers, got str"),
    ],
)
def test_bad_cameras_are_one_sentence_with_the_file(tmp_path: Path, text: str, words: str):
    path = tmp_path / "camera.json"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_camera(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_no_text_are_refused(tmp_path: Path):
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00\x80" * 10)
    for place in (tmp_path / "x.json", tmp_path, tmp_path / "none.json"):
        with pytest.raises(InputError, match="camera file"):
            read_camera(place)


def test_landmarks_are_read_and_checked(tmp_path: Path):
    for document in (POINTS, {"landmarks": POINTS}, np.ravel(POINTS).tolist()):
        (tmp_path / "l.json").write_text(json.dumps(document))
        np.testing.assert_array_equal(read_landmarks(tmp_path / "l.json"), POINTS)
    for bad in (POINTS[:4], {"points": POINTS}, [["a", "b"]] * 5, [[1, 2], [3]]):
        (tmp_path / "l.json").write_text(json.dumps(bad))
        with pytest.raises(InputError, match=r"l\.json"):
            read_landmarks(tmp_path / "l.json")


def write_data_set(folder: Path, name: str, numbers: list) -> Path:
    image = folder / name
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(b"not read here")
    (folder / "dataset.json").write_text(json.dumps({"labels": [["other.png", NUMBERS], [name, numbers]]}))
    return image


@pytest.mark.parametrize("name", ["a.png", "00000/a.png", "images/00000/a.png"])
def test_a_picture_is_found_in_its_data_set(tmp_path: Path, name: str):
    image = write_data_set(tmp_path, name, NUMBERS)
    entry = find_dataset_entry(image)
    assert entry is not None and entry.name == name and entry.mask is None
    torch.testing.assert_close(entry.camera.label, CAMERA.label)
    mask = tmp_path / "masks" / name
    mask.parent.mkdir(parents=True)
    mask.touch()
    found = find_dataset_entry(image)
    assert found is not None and found.mask == mask


def test_strangers_in_a_data_sets_folder_are_photos(tmp_path: Path):
    image = write_data_set(tmp_path, "a.png", NUMBERS)
    assert find_dataset_entry(image.with_name("b.png")) is None
    (tmp_path / "dataset.json").write_text("this is somebody else's file")
    assert find_dataset_entry(image) is None


def test_a_data_sets_impossible_label_is_named(tmp_path: Path):
    image = write_data_set(tmp_path, "a.png", [float("nan")] * 25)
    with pytest.raises(InputError, match=r"a\.png"):
        find_dataset_entry(image)


@pytest.mark.parametrize(
    "faulty",
    [
        ["\udcff.png", [0.0] * 25], ["\\..\\x.png", [0.0] * 25], ["../out.png", [0.0] * 25], ["b.png", None],
        ["b.png", [1, 2]], ["b.png"], None, 7, [3, [0.0] * 25], ["b.png", ["x"] * 25], ["\\n.png", [0.0] * 25],
    ],
)  # fmt: skip
def test_a_faulty_entry_costs_no_other_picture_its_camera(tmp_path: Path, faulty: object) -> None:
    (tmp_path / "a.png").touch()
    for entries in ([faulty, ["a.png", NUMBERS]], [["a.png", NUMBERS], faulty]):
        (tmp_path / "dataset.json").write_text(json.dumps({"labels": entries}))
        os.utime(tmp_path / "dataset.json", ns=(0, entries.index(faulty)))  # another file, whatever the clock
        entry = find_dataset_entry(tmp_path / "a.png")
        assert entry is not None and torch.allclose(entry.camera.label, CAMERA.label)
