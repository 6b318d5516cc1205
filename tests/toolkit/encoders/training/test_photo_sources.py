"""What a training does about its photos: counts, masks, parts, unreadable files, decoding."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit.camera import Camera
from toolkit.data import ImageFolder
from toolkit.data.prints import SAME, is_among, print_of
from toolkit.data.split import part_of
from toolkit.encoders.training import photos as photos_module
from toolkit.encoders.training.held_out import spread_over_yaws
from toolkit.encoders.training.photo_ledger import PhotoLedger
from toolkit.encoders.training.photos import PhotoSet, describe, numbers_of, open_photos
from toolkit.encoders.training.settings import PhotoSettings
from toolkit.errors import InputError
from toolkit.interfaces import Item
from toolkit.registry import Registration, Registry

SIZE = 32


def write_set(root: Path, count: int, *, ending: str = "png", size: int = SIZE, masks: int = 0, seed: int = 0) -> Path:
    """Smooth random pictures, cameras all around, masks of the first few."""
    random = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    labels = []
    for number in range(count):
        coarse = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
        name = f"{number:03d}.{ending}"
        picture.save(root / name, quality=95)
        yaw = -3 + 6 * number / max(1, count - 1)
        labels.append([name, Camera.orbit(yaw, 0.01 * number).label[0].tolist()])
        if number < masks:
            (root / "masks").mkdir(exist_ok=True)
            mask = np.zeros((size, size), np.uint8)
            mask[:, : size // 2] = 255
            Image.fromarray(mask).save(root / "masks" / f"{number:03d}.png")
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    return root


@pytest.fixture(params=["held", "read"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Once with pictures in memory, once read from the disk whenever they are drawn."""
    if request.param == "read":
        monkeypatch.setattr(photos_module, "HELD_BYTES", 0)
    return request.param == "read"


def test_counts_of_pictures_masks_and_subjects_are_said(tmp_path: Path):
    photos = PhotoSet(
        [ImageFolder(write_set(tmp_path / "a", 5, masks=3)), ImageFolder(write_set(tmp_path / "b", 4))], 8
    )
    assert describe(photos, mirror=True) == "9 photos, 18 with their mirror images; 3 with a mask, put on white"
    assert numbers_of(photos) == {"pictures": 9, "with_mask": 3, "subjects": 9}


def test_missing_masks_are_refused_where_the_recipe_removes_backgrounds(tmp_path: Path):
    folder = write_set(tmp_path / "a", 9, masks=7)
    settings = PhotoSettings(sources=(str(folder),), held_out_subjects=1, masks="required")
    with pytest.raises(InputError, match=r"1 of 8 photos have no mask.*007\.png.*photos\.masks=optional"):
        open_photos(settings, 8)
    open_photos(settings.model_copy(update={"masks": "optional"}), 8)
    open_photos(settings.model_copy(update={"sources": (str(write_set(tmp_path / "b", 9, masks=9)),)}), 8)


def test_parts_by_the_rule_are_learnt_from_and_held_out(tmp_path: Path):
    folder = write_set(tmp_path / "a", 60)
    training, held_out = open_photos(PhotoSettings(sources=(str(folder),), split="rule"), 8)
    for photos, part in ((training, "train"), (held_out, "val")):
        names = [photos.name(index).split(": ")[1] for index in range(len(photos))]
        assert names == [name for name in ImageFolder(folder).names if part_of(name.removesuffix(".png")) == part]
    with pytest.raises(InputError, match="in the part 'val'"):
        open_photos(PhotoSettings(sources=(str(write_set(tmp_path / "few", 2)),), split="rule"), 8)


def test_photos_that_are_all_held_out_by_the_rule_are_one_sentence(tmp_path: Path):
    held = [name for name in ImageFolder(write_set(tmp_path / "a", 60)).names if part_of(name[:-4]) == "val"]
    folder = write_set(tmp_path / "val", 60)
    labels = [row for row in json.loads((folder / "dataset.json").read_text())["labels"] if row[0] in held]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    with pytest.raises(InputError, match=f"none of the {len(held)} photos is in the part 'train'; name more photos"):
        open_photos(PhotoSettings(sources=(str(folder),), split="rule"), 8)


@pytest.mark.parametrize("damage", [b"", b"no picture", "cut", "gone", "mask"])
def test_an_unreadable_picture_is_skipped_counted_and_named(tmp_path: Path, either_way: bool, damage):
    folder = write_set(tmp_path / "a", 6, masks=6)
    bad = folder / ("masks/002.png" if damage == "mask" else "002.png")
    if damage == "gone":
        bad.unlink()
    else:
        content = bad.read_bytes()[:60] if damage in ("cut", "mask") else damage
        bad.write_bytes(content)
    photos = PhotoSet([ImageFolder(folder)], 8)
    assert photos.read_from_disk == either_way
    drawn, seen = photos.draw([1, 2, 8, 3])
    assert seen.places.tolist() == [1, 3, 3, 3]
    assert torch.equal(drawn.image[2], drawn.image[1].flip(-1)) and torch.equal(drawn.image[1], drawn.image[3])
    assert torch.equal(drawn.label[1:2], photos.labels[3:4])
    ledger = PhotoLedger(photos)
    ledger.note(seen)
    ledger.note(photos.draw([2])[1])
    (sentence,) = ledger.news()
    assert sentence.startswith("left out (1 so far)") and sentence.count(photos.name(2)) == 1
    assert ledger.news() == [] and len(ledger.unreadable) == 1
    assert len(ledger.prints()) == 4  # of 1 and 3, as found and on white


def test_a_set_that_cannot_be_read_at_all_ends_the_training(tmp_path: Path, either_way: bool):
    folder = write_set(tmp_path / "a", 4)
    for file in folder.glob("*.png"):
        file.write_bytes(b"nothing")
    with pytest.raises(InputError, match="4 pictures in a row cannot be read"):
        PhotoSet([ImageFolder(folder)], 8).draw([0])


def test_what_was_seen_survives_a_checkpoint_and_other_photos(tmp_path: Path):
    first, second = (PhotoSet([ImageFolder(write_set(tmp_path / str(n), n, seed=n))], SIZE) for n in (5, 7))
    ledger = PhotoLedger(first)
    ledger.note(first.draw([0, 3])[1])
    again, other = PhotoLedger(first), PhotoLedger(second)
    again.load_state(ledger.state())
    other.load_state(ledger.state())
    assert torch.equal(again.prints(), ledger.prints()) and torch.equal(other.prints(), ledger.prints())
    other.note(second.draw([1])[1])
    assert len(other.prints()) == 3
    for index, is_known in enumerate([True, False, False, True, False]):
        assert is_among(ledger.prints(), first.rows([index]).image) == is_known
        assert is_among(ledger.prints(), first.rows([index + 5]).image) == is_known  # mirrored


def test_unreadable_pictures_are_counted_once_where_the_photos_have_moved(tmp_path: Path):
    folder = write_set(tmp_path / "a", 4)
    (folder / "001.png").write_bytes(b"nothing")
    first = PhotoSet([ImageFolder(folder)], 8)
    ledger = PhotoLedger(first)
    ledger.note(first.draw([1])[1])
    assert len(ledger.news()) == 1
    state = ledger.state()
    again = PhotoLedger(first)
    again.load_state(state)
    again.note(first.draw([1])[1])
    assert again.news() == [] and len(again.unreadable) == 1, "it is named once"
    moved = PhotoSet([ImageFolder(folder.rename(tmp_path / "b"))], 8)
    elsewhere = PhotoLedger(moved)
    elsewhere.load_state(state)
    elsewhere.note(moved.draw([1])[1])
    (sentence,) = elsewhere.news()
    assert sentence.startswith("left out (1 so far)") and str(tmp_path / "b") in sentence


@pytest.mark.parametrize(("side", "quality"), [(64, 75), (128, 50), (256, 90), (200, 60)])
def test_a_print_is_known_again_after_another_resize_and_compression(side: int, quality: int):
    random = np.random.default_rng(side)
    pictures = [
        Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((128, 128), Image.Resampling.BICUBIC)
        for _ in range(20)
    ]

    def tensor(picture: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1

    prints = torch.cat([print_of(tensor(picture)) for picture in pictures[:10]])
    for number, picture in enumerate(pictures):
        stream = io.BytesIO()
        picture.resize((side, side), Image.Resampling.LANCZOS).save(stream, "JPEG", quality=quality)
        with Image.open(stream) as again:
            assert is_among(prints, tensor(again)) == (number < 10)
    assert not is_among(prints[:0], tensor(pictures[0])) and SAME < 5


def test_large_jpeg_pictures_are_decoded_near_the_wanted_size(tmp_path: Path):
    folder = ImageFolder(write_set(tmp_path / "a", 3, ending="jpg", size=256, masks=2))
    small, mask = folder.pixels(0, 32)
    assert small.shape == (32, 32, 3) and mask is not None and mask.shape == (1, 32, 32)
    assert folder.pixels(0, 33)[0].shape[0] == 64 and folder.pixels(0, 256)[0].shape[0] == 256
    whole = PhotoSet([folder], 32)
    exact = torch.nn.functional.interpolate(
        folder.on_white()[1].image[None], size=(32, 32), mode="bilinear", antialias=True, align_corners=False
    )
    assert float((whole.rows([1]).image - exact).abs().mean()) < 0.02
    Image.new("L", (100, 100)).save(tmp_path / "a" / "masks" / "000.png")
    with pytest.raises(InputError, match="its mask is 100 pixels wide"):
        folder.pixels(0, 32)


def test_photos_travel_as_bytes_and_pickle(tmp_path: Path, either_way: bool):
    photos = pickle.loads(pickle.dumps(PhotoSet([ImageFolder(write_set(tmp_path / "a", 3, masks=1))], SIZE)))
    drawn, _ = photos.draw([0, 4])
    assert drawn.image.dtype == torch.uint8 and drawn.as_numbers().image.dtype == torch.float32
    torch.testing.assert_close(drawn.as_numbers().image, photos.rows([0, 4]).image)
    found = ImageFolder(tmp_path / "a").on_white()
    torch.testing.assert_close(photos.rows([0]).image[0], found[0].image, atol=0.004, rtol=0)
    torch.testing.assert_close(photos.rows([1]).image[0], found[1].image)


@pytest.mark.parametrize("most", [1, 5, 12, 24, 500])
def test_held_out_pictures_are_spread_over_all_yaws(tmp_path: Path, most: int):
    random = np.random.default_rng(0)
    folder = write_set(tmp_path / "a", 1)
    yaws = [*random.normal(0, 0.2, 280), *random.uniform(-3, 3, 20)]  # mostly frontal, as photos are
    labels = [["000.png", Camera.orbit(float(yaw)).label[0].tolist()] for yaw in yaws]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    photos = PhotoSet([ImageFolder(folder, repeats=True)], 8)
    chosen = spread_over_yaws(photos, most)
    assert len(chosen) == len(set(chosen)) == min(most, 300)
    bins = [int((yaw + np.pi) / (2 * np.pi) * 24) for yaw in yaws]
    assert len({bins[index] for index in chosen}) == min(most, len(set(bins)))
    assert set(spread_over_yaws(photos, 5)) <= set(spread_over_yaws(photos, 24))


class ItemsOnly:
    """A stranger's data set: items of an `ImageFolder`, and nothing else is offered."""

    def __init__(self, path: Path, size: int | None = None) -> None:
        self._whole = ImageFolder(path, size)

    def __len__(self) -> int:
        return len(self._whole)

    def __getitem__(self, index: int) -> Item:
        return self._whole[index]


def test_a_training_takes_any_data_set_and_reads_the_same_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_set(tmp_path / "set", 60, masks=60)
    entry = Registration("dataset", "mine", f"{__name__}:ItemsOnly", "items", 1, "toolkit_plugins.mine")
    monkeypatch.setattr("toolkit.registry.default_registry", lambda: Registry({("dataset", "mine"): entry}))
    for split in ("rule", "last"):
        of_files = open_photos(PhotoSettings(sources=(str(folder),), split=split, held_out_subjects=4), SIZE)
        of_items = open_photos(PhotoSettings(sources=(f"mine:{folder}",), split=split, held_out_subjects=4), SIZE)
        for mine, theirs in zip(of_items, of_files, strict=True):
            assert [each.partition(": ")[2] for each in map(mine.name, range(len(mine)))] == [
                each.partition(": ")[2] for each in map(theirs.name, range(len(theirs)))
            ]
            assert torch.equal(mine.rows([0, len(mine)]).image, theirs.rows([0, len(theirs)]).image)
            assert torch.equal(mine.labels, theirs.labels) and not mine.without_mask()
    pickle.loads(pickle.dumps(of_items[0]))
