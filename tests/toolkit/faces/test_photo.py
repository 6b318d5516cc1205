from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.faces.detection import Face
from toolkit.faces.images import image_to_tensor, tensor_to_image
from toolkit.faces.photo import prepare_photo
from toolkit.interfaces import GeneratorSpec

MakeSpec = Callable[..., GeneratorSpec]

CAMERA = Camera.orbit(0.3, 0.1)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_a_photo_becomes_image_camera_and_mask(astronaut_file: Path, spec: GeneratorSpec):
    photo = prepare_photo(astronaut_file, spec)
    assert photo.image.shape == (1, 3, 128, 128) and photo.mask.shape == (1, 1, 128, 128)
    assert photo.image.min() >= -1 and photo.image.max() <= 1
    assert photo.size == (512, 512) and photo.landmarks is not None
    assert photo.sha256 == hashlib.sha256(astronaut_file.read_bytes()).hexdigest()
    yaw, pitch, roll = (float(angle) for angle in photo.camera.angles())
    assert abs(yaw) < 0.1 and 0 < pitch < 0.45 and abs(roll) < 1e-3
    assert 0.4 < float(photo.mask.mean()) < 0.8
    corner = photo.image[0, :, :20, :10]
    assert (corner > 0.99).all() and (photo.mask[0, 0, :20, :10] < 0.01).all()
    assert photo.mask[0, 0, 64, 64] == 1


def test_the_background_is_kept_or_takes_the_generators_colour(astronaut_file: Path, make_spec: MakeSpec):
    kept = prepare_photo(astronaut_file, make_spec(64), background="keep")
    removed = prepare_photo(astronaut_file, make_spec(64, (-1.0, 0.0, 1.0)))
    assert (kept.image[0, :, 2, 2] < 0.9).all()
    assert removed.image[0, :, 2, 2].tolist() == pytest.approx([-1, 0, 1], abs=0.01)
    torch.testing.assert_close(kept.mask, removed.mask)
    torch.testing.assert_close(kept.image[0, :, 32, 32], removed.image[0, :, 32, 32])


def test_a_small_face_is_remarked(astronaut_file: Path, spec: GeneratorSpec, make_spec: MakeSpec):
    assert not any("small" in note for note in prepare_photo(astronaut_file, spec, background="keep").notes)
    notes = prepare_photo(astronaut_file, make_spec(512), background="keep").notes
    assert any("the face is small" in note for note in notes)


def test_a_cut_head_is_remarked_and_nothing_outside_is_head(tmp_path: Path, astronaut: np.ndarray, spec: GeneratorSpec):
    photo = prepare_photo(save(tmp_path / "cut.png", np.ascontiguousarray(astronaut[60:])), spec)
    assert any("outside the photo" in note for note in photo.notes)
    assert photo.mask[0, 0, 0].max() == 0 and (photo.image[0, :, 0] == 1).all()


def test_the_users_mask_wins(tmp_path: Path, astronaut_file: Path, spec: GeneratorSpec):
    mask = np.zeros((512, 512), np.uint8)
    mask[:, :226] = 255
    path = save(tmp_path / "mask.png", mask)
    for given in (path, mask / 255.0):
        photo = prepare_photo(astronaut_file, spec, mask=given)
        assert photo.mask[0, 0, :, :50].min() > 0.99 and photo.mask[0, 0, :, 80:].max() < 0.01
        assert (photo.image[0, :, :, 80:] > 0.99).all()
    with pytest.raises(InputError, match="mask"):
        prepare_photo(astronaut_file, spec, mask=np.zeros((3, 3)))


def test_given_landmarks_replace_detection(
    tmp_path: Path, astronaut_file: Path, astronaut_face: Face, spec: GeneratorSpec
):
    path = tmp_path / "landmarks.json"
    path.write_text(json.dumps(astronaut_face.landmarks.tolist()))
    found = prepare_photo(astronaut_file, spec, background="keep")
    given = prepare_photo(astronaut_file, spec, landmarks=path, background="keep")
    torch.testing.assert_close(found.image, given.image)


def test_no_face_names_the_ways_out(tmp_path: Path, spec: GeneratorSpec):
    path = save(tmp_path / "grey.png", np.full((90, 120, 3), 128, np.uint8))
    with pytest.raises(InputError, match=r"no face .*--camera.*--landmarks"):
        prepare_photo(path, spec)


def test_a_given_camera_takes_the_picture_as_it_is(tmp_path: Path, spec: GeneratorSpec):
    pixels = np.random.default_rng(0).integers(0, 256, (128, 200, 3), np.uint8)
    photo = prepare_photo(save(tmp_path / "x.png", pixels), spec, camera=CAMERA)
    torch.testing.assert_close(photo.image, image_to_tensor(pixels[:, 36:164]))
    torch.testing.assert_close(photo.camera.label, CAMERA.label)
    assert photo.landmarks is None and any("not square" in note for note in photo.notes)
    assert photo.mask.min() == 1


def test_a_nan_camera_is_refused(tmp_path: Path, astronaut_file: Path, spec: GeneratorSpec):
    path = tmp_path / "camera.json"
    path.write_text(json.dumps([float("nan")] * 25))
    with pytest.raises(InputError, match="NaN"):
        prepare_photo(astronaut_file, spec, camera=path)


def data_set(folder: Path, size: int = 64) -> tuple[Path, np.ndarray, np.ndarray]:
    y, x = np.mgrid[:size, :size]
    mask = np.where(np.hypot(x - size / 2, y - size / 2) < size / 3, 255, 0).astype(np.uint8)
    pixels = np.full((size, size, 3), 255, np.uint8)
    pixels[mask > 0] = (90, 60, 30)
    image = save(folder / "images" / "head.png", pixels)
    save(folder / "masks" / "images" / "head.png", mask)
    label = CAMERA.label[0].tolist()
    (folder / "dataset.json").write_text(json.dumps({"labels": [["images/head.png", label]]}))
    return image, pixels, mask


@pytest.mark.parametrize("pose", ["auto", "label"])
def test_a_data_sets_picture_keeps_pixels_label_and_mask(tmp_path: Path, pose: str, make_spec: MakeSpec):
    image, pixels, mask = data_set(tmp_path)
    photo = prepare_photo(image, make_spec(64), pose=pose)
    np.testing.assert_array_equal(tensor_to_image(photo.image), pixels)
    torch.testing.assert_close(photo.camera.label, CAMERA.label)
    np.testing.assert_array_equal(photo.mask[0, 0].numpy() * 255, mask)
    assert photo.notes == []


def test_a_data_sets_picture_is_resized_without_aliasing(tmp_path: Path, make_spec: MakeSpec):
    image, _, mask = data_set(tmp_path, 128)
    photo = prepare_photo(image, make_spec(32))
    assert photo.image.shape[-1] == 32
    assert float(photo.mask.mean()) == pytest.approx(mask.mean() / 255, abs=0.01)


def test_without_its_mask_file_a_render_on_white_is_keyed(tmp_path: Path, make_spec: MakeSpec):
    image, _, mask = data_set(tmp_path)
    (tmp_path / "masks" / "images" / "head.png").unlink()
    photo = prepare_photo(image, make_spec(64))
    assert np.abs(photo.mask[0, 0].numpy() * 255 - mask).max() < 1


def test_removing_a_data_sets_background_changes_only_that(tmp_path: Path, make_spec: MakeSpec):
    image, pixels, mask = data_set(tmp_path)
    photo = prepare_photo(image, make_spec(64, (-1.0, -1.0, -1.0)), background="remove")
    result = tensor_to_image(photo.image)
    assert (result[mask == 0] == 0).all()
    np.testing.assert_array_equal(result[mask == 255], pixels[mask == 255])


def test_wrong_wishes_are_refused(astronaut_file: Path, spec: GeneratorSpec):
    with pytest.raises(InputError, match="auto, keep, remove"):
        prepare_photo(astronaut_file, spec, background="blur")
    with pytest.raises(InputError, match="--camera"):
        prepare_photo(astronaut_file, spec, pose="label")
    with pytest.raises(InputError, match="face 4"):
        prepare_photo(astronaut_file, spec, face=4)


def test_a_portrait_on_one_colour_is_keyed(
    tmp_path: Path, astronaut: np.ndarray, astronaut_face: Face, make_spec: MakeSpec
):
    from toolkit.faces.background import composite
    from toolkit.faces.grabcut import GrabCutMatting

    mask = GrabCutMatting().matte(astronaut, astronaut_face.landmarks)
    portrait = composite(astronaut, mask, (30, 90, 200))[:, 60:400]
    photo = prepare_photo(save(tmp_path / "blue.png", np.ascontiguousarray(portrait)), make_spec(128))
    corner = photo.image[0, :, :20, :10]
    assert (corner > 0.97).all()
    assert float(photo.mask.mean()) == pytest.approx(0.66, abs=0.05)


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        (Camera.orbit(0.1, radius=10.0), "stands 10 units"),
        (Camera.orbit(math.pi), "back of the head"),
        (Camera.orbit(0.0, focal=1.9), "times as large"),
        (Camera.orbit(1.2), "the label says 69 degrees"),
    ],
)
def test_a_camera_that_the_photo_contradicts_is_doubted(
    tmp_path: Path, astronaut_file: Path, spec: GeneratorSpec, camera: Camera, words: str
) -> None:
    photo = prepare_photo(astronaut_file, spec)
    crop = save(tmp_path / "crop.png", tensor_to_image(photo.image))
    assert not any("doubtful" in note for note in prepare_photo(crop, spec, camera=photo.camera).notes)
    notes = prepare_photo(crop, spec, camera=camera).notes
    assert any("the camera label is doubtful" in note and words in note for note in notes), notes
