from __future__ import annotations

import json
import math
import multiprocessing
import operator
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from toolkit.camera import Camera
from toolkit.cores import usable_cores
from toolkit.data import ImageFolder, store
from toolkit.errors import InputError
from toolkit.testing.conformance import check_dataset

NAMES = ("00000/front.png", "00000/left_30.png", "00001/front.png")


def label(yaw: float) -> list[float]:
    return Camera.orbit(yaw).label[0].tolist()


def write_labels(root: Path, labels: object) -> None:
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))


def test_items_hold_what_the_files_hold(folder: Path):
    data = ImageFolder(folder)
    assert len(data) == 3
    item = data[1]
    assert (item.id, item.subject, item.view) == ("00000/left_30.png", "00000", "left_30")
    pixels = np.asarray(Image.open(folder / item.id), dtype=np.float32)
    np.testing.assert_allclose((item.image.numpy().transpose(1, 2, 0) + 1) * 127.5, pixels, atol=1e-3)
    assert item.mask is not None
    assert item.depth is not None
    assert item.mask[0, 0].tolist() == [1.0] * 4 + [0.0] * 4
    assert item.depth[0, 0].tolist() == [2.5] * 4 + [0.0] * 4
    assert float(item.camera.angles().yaw) == pytest.approx(0.1, abs=1e-4)
    assert data[-1].id == NAMES[-1]
    assert data.subjects == ["00000", "00000", "00001"]
    assert len(data.cameras) == 3


def test_the_folder_passes_the_conformance_suite(folder: Path):
    check_dataset(ImageFolder(folder))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_the_same_data_set(folder: Path, zipped: Callable[[int], Path], compression: int):
    packed = ImageFolder(zipped(compression))
    check_dataset(packed)
    for left, right in zip(ImageFolder(folder), packed, strict=True):
        assert left.id == right.id
        assert torch.equal(left.image, right.image)
        assert torch.equal(left.camera.label, right.camera.label)
        assert left.mask is not None
        assert right.mask is not None
        assert torch.equal(left.mask, right.mask)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["set", "set.zip"]  # nothing was unpacked


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_a_zip_that_the_parent_has_open(zipped: Callable[[], Path], method: str):
    data = ImageFolder(zipped())
    expected = [data[index].image for index in range(3)]
    loader = DataLoader(
        data,
        batch_size=1,
        num_workers=min(2, usable_cores()) if method == "fork" else 1,  # a spawned one imports everything again
        collate_fn=operator.itemgetter(0),  # a spawned worker cannot import this file
        multiprocessing_context=multiprocessing.get_context(method),
    )
    for item, image in zip(loader, expected, strict=True):
        assert torch.equal(item.image, image)
        assert torch.equal(data[0].image, expected[0])  # the parent's own handle still works


def test_pickling_does_not_carry_pictures(folder: Path):
    assert len(pickle.dumps(ImageFolder(folder))) < 20_000


def test_resizing_keeps_image_mask_and_depth_together(folder: Path):
    item = ImageFolder(folder, size=4)[0]
    assert item.image.shape == (3, 4, 4)
    assert item.mask is not None
    assert item.depth is not None
    assert item.mask.shape == item.depth.shape == (1, 4, 4)
    assert item.depth[0, 0, 0] == pytest.approx(2.5)


def test_numbers_may_be_strings_and_extensions_differ_in_case(folder: Path):
    (folder / NAMES[0]).rename(folder / "00000/front.PNG")
    write_labels(folder, [[NAMES[0], [str(value) for value in label(0.3)]]])
    item = ImageFolder(folder)[0]
    assert float(item.camera.angles().yaw) == pytest.approx(0.3, abs=1e-4)


@pytest.mark.parametrize("document", ['{"labels": null}', None])
def test_pictures_without_labels_need_a_camera_from_the_caller(folder: Path, document: str | None):
    (folder / "dataset.json").unlink() if document is None else (folder / "dataset.json").write_text(document)
    with pytest.raises(InputError, match="has no camera labels"):
        ImageFolder(folder)
    data = ImageFolder(folder, camera=Camera.orbit(0.2))
    assert data.names == list(NAMES)  # masks and depth are not pictures
    assert float(data[2].camera.angles().yaw) == pytest.approx(0.2, abs=1e-4)


def test_masks_depth_and_subjects_are_optional(folder: Path):
    shutil.rmtree(folder / "masks")
    shutil.rmtree(folder / "depth")
    (folder / "subjects.json").unlink()
    item = ImageFolder(folder)[0]
    assert (item.mask, item.depth, item.subject, item.view) == (None, None, None, None)


def test_depth_may_be_an_array_file(folder: Path):
    (folder / "depth" / NAMES[0]).unlink()
    np.save(folder / "depth" / "00000" / "front.npy", np.full((8, 8), 2.25, np.float16))
    depth = ImageFolder(folder)[0].depth
    assert depth is not None
    assert (depth == 2.25).all()


def test_pickled_arrays_are_never_loaded(folder: Path):
    (folder / "depth" / NAMES[0]).unlink()
    np.save(folder / "depth" / "00000" / "front.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(InputError, match="not an NPY array"):
        ImageFolder(folder)[0]


def test_repeated_names_count_once_unless_asked_for(folder: Path):
    write_labels(folder, [[NAMES[0], label(0)], [NAMES[1], label(0)], [NAMES[0], label(0)]])
    assert len(ImageFolder(folder)) == 2
    assert ImageFolder(folder, repeats=True).names == [NAMES[0], NAMES[1], NAMES[0]]
    write_labels(folder, [[NAMES[0], label(0)], [NAMES[0], label(1)]])
    with pytest.raises(InputError, match="two different labels"):
        ImageFolder(folder)


def test_nearly_orthonormal_rotations_are_straightened_and_others_refused_by_name(folder: Path):
    skewed = label(0.3)
    skewed[0] += 0.02
    write_labels(folder, [[NAMES[0], skewed]])
    rotation = ImageFolder(folder)[0].camera.rotation[0]
    torch.testing.assert_close(rotation.T @ rotation, torch.eye(3), atol=1e-6, rtol=0)
    skewed[0] += 0.2
    write_labels(folder, [[NAMES[0], label(0)], [NAMES[2], skewed], [NAMES[1], label(0)]])
    with pytest.raises(InputError, match=r"00001/front\.png"):
        ImageFolder(folder)


@pytest.mark.parametrize("value", [math.nan, math.inf, "1e999", 10**400])
def test_labels_that_are_no_finite_numbers_are_refused_by_name(folder: Path, value: object):
    write_labels(folder, [[NAMES[0], [value, *label(0)[1:]]]])
    with pytest.raises(InputError, match=r"00000/front\.png"):
        ImageFolder(folder)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 10_000, "not valid JSON"),
        ("[" * 100_000, "lists far more"),
        ("[]", "must hold"),
        ('{"images": []}', "must hold"),
        ('{"labels": [["a.png"]]}', "entry 0 must be"),
        ('{"labels": [["a.png", [1, 2]]]}', "got 2 values"),
        ('{"labels": [["a.png", null]]}', "got NoneType"),
        ('{"labels": [["a.png", ["x"]]]}', "25 numbers"),
        ('{"labels": []}', "no pictures"),
    ],
)
def test_malformed_labels_are_one_sentence(folder: Path, document: str, message: str):
    (folder / "dataset.json").write_text(document)
    with pytest.raises(InputError, match=message):
        ImageFolder(folder)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../b.png", "..\\b.png", "C:x.png", "", "."])
def test_names_that_leave_the_folder_are_refused(folder: Path, name: str):
    write_labels(folder, [[name, label(0)]])
    with pytest.raises(InputError, match="leads out of the data set"):
        ImageFolder(folder)[0]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "..\\secret.png", "\\etc\\passwd", "a\\..\\..\\b"])
def test_zips_with_members_that_climb_out_are_refused(tmp_path: Path, name: str):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(InputError, match="leads out of the data set"):
        ImageFolder(tmp_path / "bad.zip")


def test_zip_bombs_are_refused_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "MEMBER_LIMIT", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"0" * 2000)
    with pytest.raises(InputError, match="larger than"):
        ImageFolder(tmp_path / "bomb.zip")


def test_zips_in_odd_compressions_are_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "odd.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.png", b"0")
    with pytest.raises(InputError, match="neither stored nor deflated"):
        ImageFolder(tmp_path / "odd.zip")


def test_damaged_zips_and_missing_places_are_one_sentence(tmp_path: Path, zipped: Callable[[], Path]):
    whole = zipped().read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.zip").write_text("hello")
    for name in ("cut.zip", "text.zip"):
        with pytest.raises(InputError, match="neither a folder nor a readable zip"):
            ImageFolder(tmp_path / name)
    with pytest.raises(InputError, match="there is no data set"):
        ImageFolder(tmp_path / "absent")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (6, b"\xd6\x00"),  # made for version 21.4
        (6, b"\xff\xff"),
        (8, b"\xff\xff"),  # every flag, encryption included
        (10, b"\x63\x00"),  # a compression that nobody has
        (28, b"\xff\xff"),  # a name that reaches beyond the directory
        (30, b"\xff\xff"),  # more fields than there are
        (42, b"\xff\xff\xff\x7f"),  # a member beyond the file's end
        (0, b"XXXX"),
    ],
)
def test_a_directory_of_a_zip_that_says_anything_is_one_sentence(zipped: Callable[[], Path], place: int, value: bytes):
    path = zipped()
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02") + place
    data[start : start + len(value)] = value
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        ImageFolder(path)[0]
    assert "\n" not in str(caught.value)


def test_a_flipped_byte_in_a_member_is_one_sentence(tmp_path: Path, zipped: Callable[[], Path]):
    path = zipped()
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo(NAMES[0]).header_offset + 30 + len(NAMES[0]) + 60
    data = bytearray(path.read_bytes())
    data[offset] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        ImageFolder(path)[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"hello", "is not a PNG"), (None, "is not there")],
)
def test_missing_and_damaged_pictures_are_refused_by_name(folder: Path, content: bytes | None, message: str):
    (folder / NAMES[1]).unlink()
    if content is not None:
        (folder / NAMES[1]).write_bytes(content)
    with pytest.raises(InputError, match=rf"00000/left_30\.png.*{message}"):
        ImageFolder(folder)[1]


def test_truncated_pictures_are_refused(folder: Path):
    data = (folder / NAMES[1]).read_bytes()
    (folder / NAMES[1]).write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(InputError, match="damaged or cut short"):
        ImageFolder(folder)[1]


@pytest.mark.parametrize(
    ("place", "array", "message"),
    [
        (NAMES[0], np.zeros((8, 9, 3), np.uint8), "must be square, got 9 x 8"),
        (f"masks/{NAMES[0]}", np.zeros((9, 9), np.uint8), "its mask is 9 pixels wide, the image 8"),
        (f"depth/{NAMES[0]}", np.zeros((9, 9), np.uint16), "its depth is 9 pixels wide, the image 8"),
        (f"depth/{NAMES[0]}", np.zeros((8, 8), np.uint8), "pixel mode"),
    ],
)
def test_pictures_of_another_form_are_refused(folder: Path, place: str, array: np.ndarray, message: str):
    Image.fromarray(array).save(folder / place)
    with pytest.raises(InputError, match=message):
        ImageFolder(folder)[0]


def test_huge_pictures_are_refused_before_they_are_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("toolkit.pictures.MAX_PIXELS", 63)
    with pytest.raises(InputError, match="too large"):
        ImageFolder(folder)[0]


@pytest.mark.parametrize("document", ["[]", '{"00000/front.png": 1}', '{"00000/front.png": {"view": "x"}}'])
def test_malformed_subjects_are_one_sentence(folder: Path, document: str):
    (folder / "subjects.json").write_text(document)
    with pytest.raises(InputError, match=r"subjects\.json"):
        ImageFolder(folder)


def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path, folder: Path):
    secret = tmp_path / "secret.png"
    (folder / NAMES[0]).rename(secret)
    (folder / NAMES[0]).symlink_to(secret)
    with pytest.raises(InputError, match="a link that leads out of the data set"):
        ImageFolder(folder)[0]
    (folder / NAMES[0]).unlink()
    (folder / NAMES[0]).symlink_to(folder / NAMES[1])  # a link within the data set is its own business
    assert torch.equal(ImageFolder(folder)[0].image, ImageFolder(folder)[1].image)
    for name in ("dataset.json", "subjects.json"):
        (folder / name).rename(tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
        with pytest.raises(InputError, match="a link that leads out of the data set"):
            ImageFolder(folder)
        (folder / name).unlink()
        (tmp_path / name).rename(folder / name)


def test_a_folder_or_zip_with_everything_one_level_down_is_found(tmp_path: Path, folder: Path):
    outer = tmp_path / "outer"
    outer.mkdir()
    folder.rename(outer / "my-set")
    data = ImageFolder(outer)
    assert data.names == list(NAMES)
    assert data[0].mask is not None
    check_dataset(data)
    with zipfile.ZipFile(tmp_path / "down.zip", "w") as archive:
        for file in sorted((outer / "my-set").rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(outer).as_posix())
        archive.writestr("__MACOSX/my-set/._front.png", b"x")
    assert torch.equal(ImageFolder(tmp_path / "down.zip")[1].image, data[1].image)


def test_a_picture_with_another_ending_than_its_label_is_suggested(folder: Path):
    (folder / NAMES[0]).rename(folder / "00000/front.jpg")
    with pytest.raises(InputError, match=r"did you mean '00000/front\.jpg'"):
        ImageFolder(folder)[0]


def test_labels_and_subjects_with_backslashes_are_read(folder: Path):
    write_labels(folder, [[name.replace("/", "\\"), label(0.1)] for name in NAMES])
    subjects = {name.replace("/", "\\"): {"subject": name[:5]} for name in NAMES}
    (folder / "subjects.json").write_text(json.dumps(subjects))
    data = ImageFolder(folder)
    assert data.names == list(NAMES)
    assert data[2].subject == "00001"


@pytest.mark.parametrize("below", ["", "heads\\"])
def test_zips_with_backslashes_are_read(folder: Path, tmp_path: Path, below: str):
    packed = tmp_path / "windows.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        if below:
            archive.writestr(zipfile.ZipInfo(below), b"")  # an entry of the folder itself
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            name = zipfile.ZipInfo(below + str(file.relative_to(folder)).replace("/", "\\"))
            archive.writestr(name, file.read_bytes())
    data, plain = ImageFolder(packed), ImageFolder(folder)
    assert data.names == plain.names and data.digest(1) == plain.digest(1)
    assert torch.equal(pickle.loads(pickle.dumps(data))[1].image, plain[1].image)


@pytest.mark.parametrize(
    "document",
    [
        '{"labels": [' + "[]," * 2_000_000 + "[]]}",
        '{"labels": [["a", [' + "1," * 2_000_000 + "1]]]}",
        '{"labels": ' + '[["' + "a" * 40_000_000 + '", []]]}',
        "[" + "{}," * 2_000_000 + "{}]",
    ],
    ids=["entries", "numbers", "a name", "objects"],
)
@pytest.mark.parametrize("name", ["dataset.json", "subjects.json"])
def test_lists_far_longer_than_the_data_set_are_refused_before_they_take_memory(
    folder: Path, zipped: Callable[[int], Path], name: str, document: str
):
    (folder / name).write_text(document)
    for place in (folder, zipped(zipfile.ZIP_DEFLATED)):
        with pytest.raises(InputError, match=r"lists far more than|larger than"):
            ImageFolder(place)


@pytest.mark.parametrize("text", ['{"labels": [["\\ud800.png", [1]]]}', '{"labels": [["a\\udfff", [1]]]}'])
def test_names_that_are_no_text_are_one_sentence(folder: Path, text: str):
    (folder / "dataset.json").write_text(text)
    with pytest.raises(InputError, match="half of a surrogate pair"):
        ImageFolder(folder)
    write_labels(folder, [[NAMES[0], label(0)]])
    (folder / "subjects.json").write_text('{"00000/front.png": {"subject": "\\ud800"}}')
    with pytest.raises(InputError, match="half of a surrogate pair"):
        ImageFolder(folder)
