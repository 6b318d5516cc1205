"""Making a data set folder: layout, determinism, resumption, refusals."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from toolkit.camera import Camera
from toolkit.data import check_folder
from toolkit.errors import InputError
from toolkit.interfaces import Dataset, Makeable, MakeRequest
from toolkit_plugins.heads360.dataset import Heads360
from toolkit_plugins.heads360.procedural import Heads
from toolkit_plugins.heads360.rendering import render
from toolkit_plugins.heads360.views import view_camera
from toolkit_plugins.heads360.wild import make_head, photographed

VIEWS = ("front", "left_30", "random")


def request(out: Path) -> MakeRequest:
    return MakeRequest(out, subjects=2, split="test", seed=0, domain="wild", views=VIEWS, size=24)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Heads360.make(request(tmp_path_factory.mktemp("heads") / "set"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_made_folder_has_no_faults(made: Path):
    report = check_folder(made)
    assert not report.faults
    assert (report.items, report.labelled, report.masks, report.depths, report.subjects) == (6, 6, 6, 6, 2)


def test_items_carry_what_was_rendered(made: Path):
    dataset = Heads360(made)
    assert isinstance(dataset, Dataset) and isinstance(Heads360, Makeable)
    item = dataset[1]
    assert (item.id, item.subject, item.view) == ("00000/left_30.png", "00000", "left_30")
    assert torch.allclose(item.camera.label, Camera.orbit(math.radians(-30)).label)
    picture = photographed(render(make_head("test", 0, 0, "wild"), item.camera, 24), "test", 0, 0, "left_30")
    assert item.mask is not None and item.depth is not None
    assert (item.image - picture.image[0]).abs().max() < 0.01
    assert (item.mask - picture.mask[0]).abs().max() < 0.005
    assert (item.depth - picture.depth[0]).abs().max() < 1e-4


def test_the_record_holds_the_latents(made: Path):
    record = json.loads((made / "heads360.json").read_text())
    assert record["split"] == "test" and record["domain"] == "wild" and record["seed"] == 0
    assert torch.equal(torch.tensor(record["latents"]["00001"]), Heads().latent("test", 0, 1))


def test_an_interrupted_folder_is_completed_to_the_same_bytes(made: Path, tmp_path: Path):
    before = contents(made)
    for name in ("dataset.json", "00001/random.png"):
        (made / name).unlink()
    untouched = (made / "00000/front.png").stat().st_mtime_ns
    Heads360.make(request(made))
    assert contents(made) == before
    assert (made / "00000/front.png").stat().st_mtime_ns == untouched


def test_the_number_of_processes_does_not_show(made: Path, tmp_path: Path):
    out = Heads360.make(replace(request(tmp_path / "parallel"), views=("left_30",), workers=2))
    serial, pictures = contents(made), {name: data for name, data in contents(out).items() if name.endswith(".png")}
    assert len(pictures) == 8
    assert pictures == {name: serial[name] for name in pictures}


def test_another_request_does_not_mix_with_a_folder(made: Path, tmp_path: Path):
    with pytest.raises(InputError, match="another seed"):
        Heads360.make(replace(request(made), seed=1))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        Heads360.make(request(tmp_path))
    with pytest.raises(InputError, match="is a file"):
        Heads360.make(request(tmp_path / "notes.txt"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"views": ("front", "above")}, "above"),
        ({"views": ("front", "front")}, "more than once"),
        ({"views": ()}, "at least one"),
        ({"views": ("yaw_400",)}, "yaw_400"),
        ({"split": "holdout"}, "split must be"),
        ({"domain": "feral"}, "domain must be"),
        ({"seed": -1}, "seed must not be negative"),
        ({"subjects": 0}, "subjects must be"),
        ({"size": 0}, "size must be"),
        ({"workers": 0}, "workers must be"),
    ],
)
def test_an_impossible_request_is_refused_before_anything_is_written(tmp_path: Path, change: dict, message: str):
    with pytest.raises(InputError, match=message):
        Heads360.make(replace(request(tmp_path / "out"), **change))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "degrees"), [("front", 0), ("left_90", -90), ("right_60", 60), ("yaw_-22.5", -22.5)])
def test_views_turn_by_what_they_say(name: str, degrees: float):
    yaw = view_camera(name, "val", 0, 0).angles().yaw
    assert math.degrees(yaw.item()) == pytest.approx(degrees, abs=1e-3)


def test_random_views_differ_between_subjects_and_numbers():
    labels = [
        view_camera(name, "val", 0, index).label for index in (0, 1) for name in ("random", "random_0", "random_1")
    ]
    assert all(not torch.equal(labels[i], labels[j]) for i in range(6) for j in range(i))
