from __future__ import annotations

import math
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit.camera import Camera
from toolkit.data import ImageFolder
from toolkit.encoders.training import batches
from toolkit.encoders.training.augmentation import augment
from toolkit.encoders.training.batches import WHOLE, BatchMaker, Window
from toolkit.encoders.training.pairs import draw_codes, kept_pairs, make_pairs
from toolkit.encoders.training.photos import PhotoSet, made_name, open_photos
from toolkit.encoders.training.settings import PairSettings, PhotoSettings, StageSettings
from toolkit.errors import InputError
from toolkit.training.distribution import assume_place
from toolkit.training.rng import RowRng


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rng(rows: int, seed: int = 0) -> RowRng:
    return RowRng([source(seed)], rows)


def test_a_windows_camera_sees_that_part_of_the_picture():
    camera, window = Camera.orbit(torch.tensor([0.3, -0.5]), 0.1), Window(0.25, 0.5, 0.5)
    whole = camera.rays(16)[1].reshape(2, 16, 16, 3)
    part = window.camera(camera.label).rays(8)[1].reshape(2, 8, 8, 3)
    torch.testing.assert_close(part, whole[:, 8:16, 4:12])
    picture = torch.arange(256.0).reshape(1, 1, 16, 16)
    assert torch.equal(window.cut(picture), picture[:, :, 8:16, 4:12])
    assert torch.equal(WHOLE.cut(picture), picture) and torch.equal(WHOLE.camera(camera.label).label, camera.label)


@pytest.fixture
def photos(photo_folder: Path) -> PhotoSet:
    return PhotoSet([ImageFolder(photo_folder)], 16)


def test_the_second_half_of_the_numbers_is_mirrored_with_its_cameras(photos):
    plain, turned = photos.rows([1, 3]), photos.rows([9, 11])
    assert torch.equal(turned.image, plain.image.flip(3))
    assert torch.equal(turned.label, Camera(plain.label).mirror().label)
    assert plain.image.shape == (2, 3, 16, 16) and float(plain.image.abs().max()) <= 1


def test_pictures_beyond_memory_are_read_when_asked_for(photo_folder, photos, monkeypatch):
    monkeypatch.setattr("toolkit.encoders.training.photos.HELD_BYTES", 0)
    lazy = PhotoSet([ImageFolder(photo_folder)], 16)
    assert torch.equal(lazy.rows([2, 12]).image, photos.rows([2, 12]).image)


def test_masks_put_heads_on_white(photo_folder, tmp_path):
    import shutil

    folder = tmp_path / "masked"
    shutil.copytree(photo_folder, folder)
    for picture in sorted(folder.glob("*/front.png")):
        place = folder / "masks" / picture.parent.name / "front.png"
        place.parent.mkdir(parents=True)
        with Image.open(picture) as opened:
            Image.fromarray(np.zeros(opened.size, dtype=np.uint8)).save(place)
    assert torch.equal(PhotoSet([ImageFolder(folder)], 16).rows([0]).image, torch.ones(1, 3, 16, 16))


def test_whole_subjects_are_held_out(photo_folder):
    settings = PhotoSettings(sources=(str(photo_folder),), held_out_subjects=3)
    training, held_out = open_photos(settings, 16)
    assert (len(training), len(held_out)) == (5, 3)
    assert not set(training.subjects) & set(held_out.subjects)
    with pytest.raises(InputError, match="8 subjects, of which 8"):
        open_photos(settings.model_copy(update={"held_out_subjects": 8}), 16)


def test_an_unknown_source_is_refused():
    with pytest.raises(InputError, match="neither a folder nor a data set"):
        open_photos(PhotoSettings(sources=("nowhere",)), 16)


def test_made_data_has_a_name_that_says_what_it_is():
    assert made_name(PhotoSettings(), 128, "train", 600) == "wild-train-0-600-128"


STAGES = (
    StageSettings(steps=4, batch=4, photos=0.5, windows=(1.0, 0.5)),
    StageSettings(steps=3, batch=2, photos=0.0),
)


def maker(photos: PhotoSet, spherical, **more) -> BatchMaker:
    settings = PairSettings(count=6)
    return BatchMaker(3, STAGES, photos, make_pairs(spherical, settings, rng(6)), settings, **more)


def byte_pairs(made: BatchMaker) -> BatchMaker:
    made.pairs = made.pairs._replace(image=((made.pairs.image + 1) * 127.5).byte())
    return made


def test_a_batch_is_a_function_of_seed_and_step(photos, spherical):
    first, second = byte_pairs(maker(photos, spherical)), byte_pairs(maker(photos, spherical))
    for step in (5, 1, 0):
        ours, theirs = first(step), pickle.loads(pickle.dumps(second))(step)  # our own pickle, made here
        assert torch.equal(ours.seen, theirs.seen) and torch.equal(ours.pairs.ws, theirs.pairs.ws)
        assert ours.window == theirs.window and torch.equal(ours.yaws, theirs.yaws)
        if ours.photos is not None:
            assert torch.equal(ours.photos.image, theirs.photos.image)
    assert first(0).window.side == 1 and first(1).window.side == 0.5
    assert first(0).photos.image.shape[0] == 2 and first(4).photos is None
    with pytest.raises(IndexError):
        first(7)


def test_rare_sides_are_drawn_more_often_where_asked_for(photos, spherical, monkeypatch):
    weights = np.ones(len(photos) * 2)
    weights[3] = 6.0
    monkeypatch.setattr(batches, "pose_density", lambda cameras: np.ones(len(cameras)))
    monkeypatch.setattr(batches, "rebalancing_weights", lambda density: weights)
    made = byte_pairs(maker(photos, spherical, rebalance=True))
    made.stages = (StageSettings(steps=63, batch=1),)
    drawn = Counter(made(step).photos.image.numpy().tobytes() for step in range(63))
    (_, most), (_, next_one) = drawn.most_common(2)
    assert 2 * next_one < most


def test_an_epoch_shows_every_picture_and_its_mirror_once(photos, spherical):
    made = byte_pairs(maker(photos, spherical))
    made.stages = (StageSettings(steps=8, batch=2),)
    images = torch.cat([made(step).photos.image for step in range(8)])
    assert len({image.numpy().tobytes() for image in images}) == 16


def test_processes_share_the_photos_of_a_step(photos, spherical):
    made = byte_pairs(maker(photos, spherical))
    made.stages = (StageSettings(steps=8, batch=2),)
    made_alone = byte_pairs(maker(photos, spherical))
    made_alone.stages = (StageSettings(steps=8, batch=4),)
    try:
        halves = []
        for rank in range(2):
            assume_place(rank, 2)
            halves.append(made(1))
    finally:
        assume_place(0, 1)
    assert torch.equal(torch.cat([half.photos.image for half in halves]), made_alone(1).photos.image)
    assert halves[0].window == halves[1].window


@pytest.mark.parametrize(("kept", "space"), [(True, "z"), (False, "z"), (False, "z+"), (False, "w+")])
def test_processes_share_the_pairs_of_a_step(photos, spherical, kept: bool, space: str):
    def with_batch(rows: int) -> BatchMaker:
        made = byte_pairs(maker(photos, spherical))
        made.stages = (StageSettings(steps=8, batch=rows, photos=0.5),)
        if not kept:
            made.pairs, made.generator = None, spherical
            made.pair_settings = PairSettings(space=space, resolution=8)  # type: ignore[arg-type]
        return made

    halves, made = [], with_batch(4)
    try:
        for rank in range(2):
            assume_place(rank, 2)
            halves.append(made(3))
    finally:
        assume_place(0, 1)
    whole = with_batch(8)(3)
    assert whole.blocks == (4, 4)
    for part in range(3):
        torch.testing.assert_close(torch.cat([half.pairs[part] for half in halves]), whole.pairs[part])
    torch.testing.assert_close(torch.cat([half.seen for half in halves]), whole.seen)
    assert not torch.equal(whole.seen[0], whole.seen[1]) and not torch.equal(whole.seen, whole.pairs.image)
    assert not torch.equal(with_batch(8)(4).seen, whole.seen)


def test_processes_look_at_pairs_from_yaws_of_their_own_all_around(photos, spherical):
    made, alone = byte_pairs(maker(photos, spherical)), byte_pairs(maker(photos, spherical))
    made.stages, alone.stages = (tuple([StageSettings(steps=8, batch=size, photos=0)]) for size in (2, 4))
    try:
        halves = []
        for rank in range(2):
            assume_place(rank, 2)
            halves.append(made(1).yaws)
    finally:
        assume_place(0, 1)
    assert torch.equal(torch.cat(halves), alone(1).yaws)
    yaws = torch.cat([alone(step).yaws for step in range(8)])
    assert float(yaws.abs().max()) <= math.pi and float(yaws.max()) > 2 and float(yaws.min()) < -2


def test_pairs_are_what_the_generator_makes_of_their_codes(spherical):
    pairs = make_pairs(spherical, PairSettings(), rng(3))
    with torch.no_grad():
        again = spherical.render(spherical.planes(pairs.ws), pairs.ws, pairs.label).image.clamp(-1, 1)
    torch.testing.assert_close(again, pairs.image)
    yaws = Camera(pairs.label).angles().yaw
    assert float(yaws.abs().max()) <= 1.31 and float(yaws.std()) > 0


@pytest.mark.parametrize(("space", "alike"), [("z", True), ("z+", False), ("w+", False)])
def test_codes_come_from_the_chosen_space(spherical, space: str, alike: bool):
    ws = draw_codes(spherical, PairSettings(space=space), rng(4))  # type: ignore[arg-type]
    latents = spherical.spec.latents
    assert ws.shape == (4, latents.num_ws, latents.w_dim)
    assert torch.equal(ws[:, 0], ws[:, 1]) == alike


def test_pairs_are_kept_in_the_cache_by_what_they_are(spherical, tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    first = kept_pairs(spherical, PairSettings(count=2), 0)
    again = kept_pairs(spherical, PairSettings(count=2, augment=0.5), 0)
    assert torch.equal(first.image, again.image) and first.image.dtype == torch.uint8
    assert len(list((tmp_path / "pairs").iterdir())) == 1
    kept_pairs(spherical, PairSettings(count=2, yaw=10.0), 0)
    assert len(list((tmp_path / "pairs").iterdir())) == 2


def test_augmentation_changes_looks_and_keeps_white_mostly_white():
    image = torch.ones(16, 3, 24, 24)
    image[:, :, 8:16, 8:16] = 0.1
    changed = augment(image, 1.0, rng(16))
    assert torch.equal(augment(image, 0.0, rng(16)), image)
    assert torch.equal(changed, augment(image, 1.0, rng(16)))
    assert float(changed.abs().max()) <= 1
    assert float((changed[:, :, :4, :4] > 0.8).float().mean()) > 0.8
    assert float((changed - image)[:, :, 8:16, 8:16].abs().mean()) > 0.05


def test_another_picture_of_the_same_subject_comes_with_each_photo(photo_folder: Path, tmp_path: Path):
    import json
    import shutil

    folder = tmp_path / "pairs"
    shutil.copytree(photo_folder, folder)
    names = sorted(json.loads((folder / "subjects.json").read_text()))
    people = {name: {"subject": str(number // 2), "view": "front"} for number, name in enumerate(names[:7])}
    (folder / "subjects.json").write_text(json.dumps(people))
    photos = PhotoSet([ImageFolder(folder)], 16)
    assert photos.same_subject == [[1], [0], [3], [2], [5], [4], [6], [7]]
    stage = StageSettings(steps=40, batch=4, others=1.0)
    maker = BatchMaker(0, [stage], photos, None, PairSettings(), mirror=True)
    for step in range(40):
        batch = maker(step)
        drawn = [int(place) for place in batch.sightings.places]
        for row, place in enumerate(drawn):
            mate = photos.same_subject[place][0]
            expected = photos.rows([mate, mate + 8])
            turned = not torch.equal(batch.photos.label[row], photos.labels[place])
            assert torch.equal(batch.others.label[row], expected.label[int(turned)])
            assert torch.equal(batch.others.as_numbers().image[row], expected.image[int(turned)])
    assert BatchMaker(0, [StageSettings(steps=1, batch=4)], photos, None, PairSettings())(0).others is None
