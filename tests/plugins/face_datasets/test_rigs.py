"""Small Cafca and H3DS folders: heads of `heads360` seen by cameras in a world of their own."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from toolkit.camera import Camera
from toolkit.cli.data import data_app
from toolkit.data import ImageFolder
from toolkit.data.preparation import prepare_folder
from toolkit.errors import InputError
from toolkit.faces import photo
from toolkit.faces.template import PANOHEAD_SCALE, PANOHEAD_SHIFT, STANDARD_FACE
from toolkit.interfaces import Orbit
from toolkit.interfaces.dataset import Preparable
from toolkit_plugins.face_datasets.rigs import Cafca, H3ds, camera_of_projection

SIDE = 96
SPEC: Any = SimpleNamespace(
    name="any", fingerprint="abc", face_points=(), orbit=Orbit(), image_size=32, background=None
)
YAWS = (0.0, 0.5, -0.5, 3.0)
UNIT = 0.4
"""Of the rig's world, in metres per unit of the generator's."""


def pixel_camera(yaw: float) -> tuple[np.ndarray, np.ndarray]:
    """Intrinsics in pixels and cam2world of a rig whose world is smaller, shifted and has its y axis pointing down."""
    camera = Camera.orbit(yaw)
    intrinsics = camera.intrinsics[0].double().numpy() * [[SIDE], [SIDE], [1]] - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]
    world = np.diag([1.0, -1.0, -1.0, 1.0])
    world[:3, :3] *= UNIT
    world[:3, 3] = 0.1, 0.2, 0.3
    pose = world @ camera.cam2world[0].double().numpy()
    pose[:3, :3] /= UNIT
    return intrinsics, pose


def ball(path: Path, value: int, background: int = 0) -> None:
    """A grey disc in the picture's middle."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.where(np.hypot(x, y) < SIDE / 4, value, background).astype(np.uint8)
    Image.fromarray(pixels if "mask" in path.parent.name else np.repeat(pixels[..., None], 3, 2)).save(path)


def cafca(place: Path, chunk: str = "") -> Path:
    scene = place / chunk / "00007" / "00000_000"
    for index, yaw in enumerate(YAWS):
        intrinsics, pose = pixel_camera(yaw)
        ball(scene / "color_image" / f"C{index:02d}.png", 60, 120)
        ball(scene / "foreground_mask" / f"C{index:02d}.png", 255)
        (scene / "cameras_json").mkdir(exist_ok=True)
        document = {"K": intrinsics.tolist(), "world2cam": np.linalg.inv(pose).tolist()}
        if index % 2:
            document |= {"cam2world": pose[:3].tolist()}
        (scene / "cameras_json" / f"C{index:02d}.json").write_text(json.dumps(document))
    (scene / "color_image" / "environment.json").write_text('"Laval_Indoor_9C4A5690_8k.exr"')
    (place / chunk / "00008" / "00001_000").mkdir(parents=True)
    return place


def h3ds(place: Path) -> Path:
    scene, matrices = place / "1b2a8613401e42a8", {}
    for index, yaw in enumerate(YAWS):
        intrinsics, pose = pixel_camera(yaw)
        ball(scene / "image" / f"img_{index:04d}.jpg", 60, 120)
        ball(scene / "mask" / f"mask_{index:04d}.png", 255)
        matrices[f"world_mat_{index}"] = np.vstack([intrinsics @ np.linalg.inv(pose)[:3], [0, 0, 0, 1]]) * -3.0
    np.savez(scene / "cameras.npz", **matrices)
    return place


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stands in for the face detector: pictures are asked for in the order of YAWS; the one from behind has no face."""
    asked: list[int] = []

    def detect(image: np.ndarray) -> list[Any]:
        yaw = YAWS[len(asked) % len(YAWS)]
        asked.append(1)
        face = torch.from_numpy(PANOHEAD_SCALE * STANDARD_FACE + PANOHEAD_SHIFT).float()
        landmarks = Camera.orbit(yaw).project(face)[0].double().numpy() * SIDE - 0.5
        return [] if abs(yaw) > 1.5 else [SimpleNamespace(landmarks=landmarks, probability=0.999)]

    monkeypatch.setattr(photo, "detect_faces", detect)
    return asked


@pytest.mark.parametrize("reader", [Cafca, H3ds])
def test_views_from_all_sides_get_cameras_in_the_generators_world(
    reader: Any, tmp_path: Path, detector: list[int]
) -> None:
    assert isinstance(reader, Preparable)
    raw = h3ds(tmp_path / "raw") if reader is H3ds else cafca(tmp_path / "raw", "00000-00099")
    gathered = reader.photographs(raw, tmp_path / "scratch")
    made = prepare_folder(gathered, tmp_path / "set", SPEC)
    assert made.done == len(YAWS) and not made.notes
    data = reader(tmp_path / "set")
    assert isinstance(data, ImageFolder) and len(set(data.subjects)) == 1
    for item, yaw in zip(data, YAWS, strict=True):
        torch.testing.assert_close(item.camera.label, Camera.orbit(yaw).label, rtol=0, atol=2e-3)
        assert float(item.image[:, 0, 0].min()) > 0.98, "outside its mask the picture is white"
        assert float(item.image[0, 16, 16]) == pytest.approx(60 / 127.5 - 1, abs=0.02)
        assert item.mask is not None and 0.15 < float(item.mask.mean()) < 0.25
    if reader is Cafca:
        assert "no neutral expression" in next(reason for name, reason in made.rejects.items() if "00008" in name)
    before = len(detector)
    assert prepare_folder(gathered, tmp_path / "set", SPEC).done == len(YAWS) and len(detector) == before
    (tmp_path / "set" / data.names[1]).unlink()
    assert prepare_folder(gathered, tmp_path / "set", SPEC).done == len(YAWS)
    report = CliRunner().invoke(data_app, ["check", "--json", str(tmp_path / "set")])
    assert json.loads(report.stdout)["masks"] == len(YAWS) and report.exit_code == 0


def test_a_subject_whose_cameras_are_of_other_pictures_is_left_out_with_the_reason(
    tmp_path: Path, detector: list[int]
) -> None:
    raw = cafca(tmp_path / "raw")
    cameras = raw / "00007" / "00000_000" / "cameras_json"
    files = sorted(cameras.glob("*.json"))
    texts = [file.read_bytes() for file in files]
    for file, text in zip(files, texts[1:] + texts[:1], strict=True):
        file.write_bytes(text)
    made = prepare_folder(Cafca.photographs(raw, tmp_path), tmp_path / "set", SPEC)
    assert made.done == 0 and "do not agree" in str(made.rejects)


def test_a_picture_with_a_damaged_camera_or_without_a_mask_is_left_out_alone(tmp_path: Path) -> None:
    scene = cafca(tmp_path / "raw") / "00007" / "00000_000"
    (scene / "cameras_json" / "C00.json").write_text('{"K": [[1, 2], [3]], "cam2world": "none"}')
    (scene / "foreground_mask" / "C01.png").unlink()
    (scene / "cameras_json" / "C02.json").unlink()
    found = Cafca.photographs(tmp_path / "raw", tmp_path)
    assert [one.view for one in found.photographs] == ["C03"]
    assert len([reason for name, reason in found.rejects.items() if "color_image" in name]) == 3
    (h3ds(tmp_path / "h3ds") / "1b2a8613401e42a8" / "cameras.npz").write_bytes(b"PK\x03\x04 no archive")
    assert "cannot be read" in str(H3ds.photographs(tmp_path / "h3ds", tmp_path).rejects)


def test_a_projection_matrix_is_taken_apart_whatever_its_sign(tmp_path: Path) -> None:
    intrinsics, pose = pixel_camera(0.4)
    for factor in (1.0, -7.0):
        found = camera_of_projection(factor * intrinsics @ np.linalg.inv(pose)[:3], tmp_path)
        np.testing.assert_allclose(found.intrinsics, intrinsics, atol=1e-4)
        np.testing.assert_allclose(found.cam2world, pose, atol=1e-4)
    with pytest.raises(InputError, match="no camera's"):
        camera_of_projection(np.zeros((3, 4)), tmp_path)


@pytest.mark.parametrize("reader", [Cafca, H3ds])
def test_the_published_folders_are_told_to_be_prepared_and_empty_ones_refused(reader: Any, tmp_path: Path) -> None:
    raw = cafca(tmp_path / "raw") if reader is Cafca else h3ds(tmp_path / "raw")
    with pytest.raises(InputError, match=f"toolkit data prepare {reader.title.lower()}"):
        reader(raw)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no subjects"):
        reader.photographs(tmp_path / "empty", tmp_path)
