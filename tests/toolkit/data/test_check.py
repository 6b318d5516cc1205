from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from toolkit.camera import Camera
from toolkit.data import check_folder
from toolkit.errors import InputError
from toolkit.interfaces import MakeRequest
from toolkit.progress import Silence
from toolkit.registry import default_registry

OPENGL = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
NAMES = ("00000/front.png", "00000/left_30.png", "00001/front.png")


def test_a_whole_folder_and_zip_have_no_faults(folder: Path, zipped: Callable[[], Path]):
    for place in (folder, zipped()):
        report = check_folder(place)
        assert report.faults == []
        assert (report.items, report.labelled, report.masks, report.depths, report.subjects) == (3, 3, 3, 3, 2)
        assert report.sizes == {8: 3}


def test_every_fault_is_named_and_none_stops_the_search(folder: Path):
    good, skewed = Camera.orbit().label[0].tolist(), Camera.orbit().label[0].tolist()
    skewed[0] = 2.0
    labels = [
        ["00000/front.png", skewed],
        ["absent.png", good],
        ["../out.png", good],
        ["short.png", [1, 2]],
        ["00001/front.png", good],
        ["00001/front.png", skewed],
    ]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    (folder / "masks/00000/front.png").write_bytes(b"no picture")
    subjects = json.loads((folder / "subjects.json").read_text())
    del subjects["00001/front.png"]
    (folder / "subjects.json").write_text(json.dumps(subjects))
    faults = [f"{fault.name}: {fault.problem}" for fault in check_folder(folder).faults]
    for expected in (
        "00000/front.png: its rotation is not one",
        "absent.png: named in dataset.json, but is not there",
        "'../out.png' leads out of the data set",
        "entry 3 (short.png) must have 25 numbers",
        "00001/front.png: two different labels",
        "masks/00000/front.png: is not a PNG",
        "00000/left_30.png: not in dataset.json",
        "subjects.json: does not name 00001/front.png",
        "subjects.json: names 00000/left_30.png, which is not a picture",
    ):
        assert any(expected in fault for fault in faults), (expected, faults)


@pytest.mark.parametrize("document", [None, "{", '{"labels": null}', '{"labels": []}'])
def test_labels_that_are_missing_or_unreadable_are_a_fault_or_allowed(folder: Path, document: str | None):
    (folder / "dataset.json").unlink() if document is None else (folder / "dataset.json").write_text(document)
    faults = check_folder(folder).faults
    assert bool(faults) == (document != '{"labels": null}')


def test_progress_counts_the_items(folder: Path):
    seen: list[tuple[str, int, int]] = []

    class Heard(Silence):
        def step(self, name: str, done: int, total: int, item: str = "", error: str | None = None) -> None:
            seen.append((name, done, total))

    check_folder(folder, Heard())
    assert seen == [("checked", 1, 3), ("checked", 2, 3), ("checked", 3, 3)]


def test_a_place_without_a_data_set_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="there is no data set"):
        check_folder(tmp_path / "absent")
    assert check_folder(tmp_path).faults


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: Camera.orbit(float(c.angles().yaw), radius=10.0), "stands 10 units"),
        (lambda c: Camera.orbit(float(c.angles().yaw), focal=1015.0), "focal length is in pixels|focal length is 1015"),
        (lambda c: Camera.orbit(float(c.angles().yaw), radius=0.1), "inside the head"),
        (
            lambda c: Camera.from_matrices(c.cam2world @ OPENGL, c.intrinsics),
            "OpenGL",
        ),
        (lambda c: Camera.from_matrices(torch.linalg.inv(c.cam2world), c.intrinsics), "inverse of cam2world"),
    ],
)
def test_cameras_that_cannot_be_of_a_head_are_faults(
    folder: Path, change: Callable[[Camera], Camera], words: str
) -> None:
    cameras = [change(Camera.orbit(yaw)) for yaw in (0.6, -0.8, 1.4)]
    labels = [[name, camera.label[0].tolist()] for name, camera in zip(NAMES, cameras, strict=True)]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    faults = check_folder(folder).faults
    assert {fault.name for fault in faults} == set(NAMES)
    assert all(re.search(words, fault.problem) for fault in faults), faults


def test_labels_that_contradict_the_faces_in_the_pictures_are_faults(tmp_path: Path) -> None:
    maker = default_registry().load("dataset", "heads360")
    maker.make(MakeRequest(tmp_path / "set", 1, "test", 3, "wild", ("front", "left_30", "back"), 128, 1))
    report = check_folder(tmp_path / "set")
    assert report.faults == []
    assert report.faces_compared == 3
    document = json.loads((tmp_path / "set" / "dataset.json").read_text())
    for entry in document["labels"]:
        entry[1] = Camera.from_label(entry[1]).mirror().label[0].tolist()
    (tmp_path / "set" / "dataset.json").write_text(json.dumps(document))
    swapped = [fault for fault in check_folder(tmp_path / "set").faults if "left and right" in fault.problem]
    assert len(swapped) == 1
    for entry in document["labels"]:
        entry[1] = Camera.orbit(math.pi + float(Camera.from_label(entry[1]).angles().yaw)).label[0].tolist()
    (tmp_path / "set" / "dataset.json").write_text(json.dumps(document))
    assert any("front and back are swapped" in fault.problem for fault in check_folder(tmp_path / "set").faults)
