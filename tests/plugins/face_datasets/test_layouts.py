"""Small data sets in the layouts that the big ones are published in."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from face_layouts import as_json, lpff, numbers, picture, write

from toolkit.errors import InputError
from toolkit.registry import default_registry
from toolkit.testing.part_checks import check_sample
from toolkit_plugins.face_datasets.layouts import open_faces


@pytest.mark.parametrize("place", ["ffhq", "ffhq.zip"])
def test_eg3d_form_with_subfolders_and_mirrors(tmp_path: Path, place: str) -> None:
    names = ["00000/img00000000.png", "00000/img00000000_mirror.png"]
    labels = [[names[0], numbers(0.5)], [names[1], numbers(-0.5)]]
    files = {"dataset.json": as_json({"labels": labels}), names[0]: picture(0), names[1]: picture(255)}
    faces = open_faces(write(tmp_path / place, files))
    assert [item.id for item in faces] == names
    assert faces[0].image.mean() == -1 and faces[1].image.mean() == 1
    torch.testing.assert_close(faces[1].camera.label, faces[0].camera.mirror().label)


@pytest.mark.parametrize("name", ["ffhqf", "ffhqf_img"])
def test_panohead_form_with_text_labels_renamed_files_and_soft_masks_in_a_zip_beside(tmp_path: Path, name: str) -> None:
    skewed = np.array(numbers(0.5))
    skewed[0] += 0.02  # rotations that are fitted are not quite rotations
    labels = [["old-0.png", [f"{value:.6f}" for value in numbers(0.0)]], ["old-1.png", [str(v) for v in skewed]]]
    renamed = {"old-0.png": "00000/img0.jpg", "old-1.png": "00000/img1.jpg"}
    files = {"dataset.json": as_json({"labels": labels, "fnames": renamed})}
    files |= {name: picture(100, "jpg") for name in renamed.values()}
    path = write(tmp_path / f"{name}.zip", files)
    write(tmp_path / "ffhqf_seg.zip", {"00000/img0.png": picture(128, mode="L")})
    faces = open_faces(path)
    assert [item.id for item in faces] == ["00000/img0.jpg", "00000/img1.jpg"]
    assert faces[0].mask is not None and faces[0].mask.unique().tolist() == pytest.approx([128 / 255])
    assert faces[1].mask is None
    on_white = -1 + 2 * (100 / 255 * 128 / 255 + 1 - 128 / 255)
    assert float(faces[0].image.mean()) == pytest.approx(on_white, abs=0.01)
    assert float(faces[1].image.mean()) == pytest.approx(-1 + 200 / 255, abs=0.01)
    rotation = faces[1].camera.label[0, :16].reshape(4, 4)[:3, :3].double()
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3).double(), rtol=0, atol=1e-6)


def test_goae_form_names_png_where_files_are_jpg(tmp_path: Path) -> None:
    files = {"label.json": as_json({"labels": [["a.png", numbers(0.5)]]}), "a.jpg": picture(0, "jpg")}
    faces = open_faces(write(tmp_path / "celeba", files))
    assert faces[0].id == "a.jpg" and float(faces[0].camera.angles().yaw) == pytest.approx(0.5, abs=1e-5)


def test_lpff_form_is_a_mapping_of_ids_without_ending(tmp_path: Path) -> None:
    faces = open_faces(lpff(tmp_path / "lpff"), size=4)
    assert [item.id for item in faces] == ["id.0.png", "id.1.png"] and faces[0].image.shape == (3, 4, 4)


def test_readers_travel_to_worker_processes(tmp_path: Path) -> None:
    path = write(tmp_path / "x.zip", {"label.json": as_json({"labels": [["a.png", numbers(0)]]}), "a.png": picture(9)})
    write(tmp_path / "x_seg.zip", {"a.png": picture(255, mode="L")})
    copy = pickle.loads(pickle.dumps(open_faces(path)))
    assert copy[0].mask is not None and copy[0].mask.min() == 1


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (None, "has no labels; one of dataset.json, label.json"),
        ({"labels": None}, "says that there are no labels"),
        ([1], "must hold an object"),
        ({"labels": 3}, "must hold a list or an object"),
        ({"labels": [["gone.png", numbers(0)]]}, "'gone.png', which is not there"),
        ({"labels": [["a.png", [1.0] * 25]]}, "a.png"),
    ],
)
def test_faults_are_named(tmp_path: Path, labels: Any, problem: str) -> None:
    files = {"a.png": picture(1)} | ({} if labels is None else {"dataset.json": as_json(labels)})
    with pytest.raises(InputError, match=problem):
        _ = open_faces(write(tmp_path / "set", files))[0]


@pytest.mark.parametrize("name", ["ffhq", "celeba-hq", "lpff", "mead", "cafca", "h3ds"])
def test_what_a_reader_writes_as_a_sample_it_reads_again(name: str, tmp_path: Path) -> None:
    reader = default_registry().load("dataset", name)
    check_sample(reader, reader, tmp_path)
