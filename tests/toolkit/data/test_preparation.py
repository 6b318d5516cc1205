from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from toolkit.camera import Camera
from toolkit.data import ImageFolder, check_folder
from toolkit.data.preparation import find_photographs, prepare_folder
from toolkit.errors import InputError
from toolkit.faces import photo
from toolkit.interfaces.dataset import Gathered, Photograph
from toolkit.progress import Silence

SPEC: Any = SimpleNamespace(name="small", fingerprint="abc", image_size=16)


class Studio:
    """Stands in for detection and cropping; remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def prepare(self, path: Path, spec: Any, *, background: str) -> Any:
        self.seen.append(path.name)
        if "empty" in path.name:
            raise InputError("no face was found")
        if "odd" in path.name:
            raise ValueError("a decoder fell over")
        grey = np.asarray(Image.open(path).convert("L")).mean() / 127.5 - 1
        return SimpleNamespace(
            image=torch.full((1, 3, 16, 16), float(grey)),
            mask=torch.full((1, 1, 16, 16), 0.5),
            camera=Camera.orbit(0.3),
            notes=["the face is small"] if "small" in path.name else [],
        )


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Studio:
    made = Studio()
    monkeypatch.setattr(photo, "prepare_photo", made.prepare)
    return made


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for index, name in enumerate(("a.jpg", "b/a.png", "b/empty.png", "b/odd.png", "b/small.png", ".hidden/x.png")):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 30), (10 * index,) * 3).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    return tmp_path / "photos"


class Heard(Silence):
    """Remembers (done, total) of every step."""

    def __init__(self, steps: list[tuple[int, int]]) -> None:
        self.steps = steps

    def step(self, name: str, done: int, total: int, item: str = "", error: str | None = None) -> None:
        self.steps.append((done, total))


def test_the_folder_is_a_whole_data_set_and_what_was_left_out_has_its_reason(
    tmp_path: Path, photos: Path, studio: Studio
) -> None:
    done: list[tuple[int, int]] = []
    made = prepare_folder(find_photographs(photos), tmp_path / "set", SPEC, progress=Heard(done))
    assert done[-1] == (5, 5) and made.done == 3
    assert made.rejects == {
        str(photos / ".hidden"): "hidden: its name begins with a dot",
        str(photos / "b" / "empty.png"): "no face was found",
        str(photos / "b" / "odd.png"): "ValueError: a decoder fell over",
        str(photos / "notes.txt"): "not a PNG, JPEG, WebP, BMP, TIFF or AVIF picture",
    }
    assert json.loads((tmp_path / "set" / "rejects.json").read_text()) == made.rejects
    assert made.notes == {"b/small": ["the face is small"]}
    items = ImageFolder(tmp_path / "set")
    assert items.names == ["a.png", "b/a.png", "b/small.png"]
    assert items[1].mask is not None and float(items[1].mask.mean()) == pytest.approx(128 / 255)
    assert float(items[1].image.mean()) == pytest.approx(10 / 127.5 - 1, abs=0.01)
    assert not check_folder(tmp_path / "set").faults


def test_an_interrupted_preparation_goes_on_with_what_is_missing(
    tmp_path: Path, photos: Path, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting(Silence):
        def step(self, name: str, done: int, total: int, item: str = "", error: str | None = None) -> None:
            if done == 3:
                raise KeyboardInterrupt

    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        prepare_folder(find_photographs(photos), out, SPEC, progress=Interrupting())
    assert not (out / "dataset.json").exists()
    with open(out / "prepared.jsonl", "a") as journal:
        journal.write('{"name": "b/od')  # cut off in the writing
    (out / "a.png").unlink()
    studio.seen.clear()
    prepare_folder(find_photographs(photos), out, SPEC)
    assert studio.seen == ["a.jpg", "odd.png", "small.png"]
    studio.seen.clear()
    os.utime(photos / "b" / "empty.png", (1, 1))  # replaced by its owner
    assert prepare_folder(find_photographs(photos), out, SPEC).done == 3
    assert studio.seen == ["empty.png"]


def test_subjects_and_views_come_along(tmp_path: Path, photos: Path, studio: Studio) -> None:
    gathered = Gathered([Photograph(photos / "a.jpg", "M1/front", "M1", "front")], {"M2": "no video"})
    made = prepare_folder(gathered, tmp_path / "set", SPEC)
    assert made.rejects == {"M2": "no video"}
    item = ImageFolder(tmp_path / "set")[0]
    assert (item.id, item.subject, item.view) == ("M1/front.png", "M1", "front")


def test_a_folder_of_other_settings_or_of_something_else_is_refused(
    tmp_path: Path, photos: Path, studio: Studio
) -> None:
    gathered = find_photographs(photos)
    prepare_folder(gathered, tmp_path / "set", SPEC)
    with pytest.raises(InputError, match="was begun with background 'auto', now it is 'keep'"):
        prepare_folder(gathered, tmp_path / "set", SPEC, background="keep")
    with pytest.raises(InputError, match=r"holds no prepare\.json"):
        prepare_folder(gathered, photos, SPEC)
    with pytest.raises(InputError, match="is a file"):
        prepare_folder(gathered, photos / "a.jpg", SPEC)


def test_names_that_collide_get_a_number(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    assert [one.name for one in find_photographs(tmp_path).photographs] == ["a", "a-2"]
    assert [one.name for one in find_photographs(tmp_path / "a.png").photographs] == ["a"]
    with pytest.raises(InputError, match="no photos at"):
        find_photographs(tmp_path / "gone")


@given(st.sets(st.from_regex(r"a(-[23]){0,2}\.(png|jpg|JPG|webp)", fullmatch=True), min_size=1))
def test_no_two_photos_share_a_name(tmp_path_factory: pytest.TempPathFactory, names: set[str]) -> None:
    folder = tmp_path_factory.mktemp("photos")
    for name in names:
        (folder / name).touch()
    found = find_photographs(folder).photographs
    assert {one.path.name for one in found} == names and len({one.name for one in found}) == len(names)


def test_a_number_that_is_taken_is_passed_over(tmp_path: Path) -> None:
    for name in ("a-2.png", "a.jpg", "a.png"):
        (tmp_path / name).touch()
    assert [one.name for one in find_photographs(tmp_path).photographs] == ["a-2", "a", "a-3"]


def test_photos_in_folders_named_like_a_data_sets_own_are_kept_apart_from_masks(tmp_path: Path, studio: Studio) -> None:
    names = "a.png", "masks.png", "masks/a.png", "masks-2/a.png", "Depth/a.png", "b/masks/a.png"
    for index, name in enumerate(names):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 30), (30 * index,) * 3).save(tmp_path / "photos" / name)
    prepare_folder(find_photographs(tmp_path / "photos"), tmp_path / "set", SPEC)
    items = {item.id: item for item in ImageFolder(tmp_path / "set")}
    greys = {name: round((float(item.image.mean()) + 1) * 127.5 / 30) for name, item in items.items()}
    kept = ("a", "masks", "masks-2/a", "masks-2/a-2", "Depth-2/a", "b/masks/a")
    assert greys == {f"{name}.png": index for index, name in enumerate(kept)}
    assert all(item.mask is not None and float(item.mask.mean()) == pytest.approx(128 / 255) for item in items.values())


@pytest.mark.slow
def test_real_photos_are_prepared_by_several_processes(tmp_path: Path) -> None:
    from skimage.data import astronaut

    from toolkit import load_generator

    (tmp_path / "photos").mkdir()
    for name in ("one", "two"):
        Image.fromarray(astronaut()).save(tmp_path / "photos" / f"{name}.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "photos" / "black.png")
    (tmp_path / "photos" / "broken.png").write_bytes(b"no picture")
    spec = load_generator("panohead-mini").spec
    made = prepare_folder(find_photographs(tmp_path / "photos"), tmp_path / "set", spec, workers=2)
    assert made.done == 2 and len(made.rejects) == 2
    assert not check_folder(tmp_path / "set").faults
    first, second = ImageFolder(tmp_path / "set")
    assert torch.equal(first.image, second.image) and first.image.shape[-1] == spec.image_size


def linked(place: Path) -> None:
    (place.parent.parent / "far").mkdir()
    (place.parent.parent / "far" / "x.png").write_bytes(b"x")
    place.symlink_to(place.parent.parent / "far")


def folder_of(name: str) -> Callable[[Path], None]:
    def make(place: Path) -> None:
        place.mkdir()
        (place / name).write_bytes(b"x")

    return make


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("a.xyz", lambda place: place.write_bytes(b"x"), "not a PNG, JPEG, WebP, BMP, TIFF or AVIF picture"),
        ("notes.txt", lambda place: place.write_text("x"), "not a PNG"),
        ("clip.mp4", lambda place: place.write_bytes(b"\0\0\0\x18ftypisom" + b"\0" * 40), "not a PNG"),
        ("anim.gif", lambda place: Image.new("P", (4, 4)).save(place), "not a PNG"),
        ("layers.psd", lambda place: place.write_bytes(b"8BPS\x00\x01" + b"\0" * 60), "not a PNG"),
        ("drawing.eps", lambda place: place.write_bytes(b"%!PS-Adobe-3.0"), "not a PNG"),
        ("archive.zip", lambda place: place.write_bytes(b"PK\3\4"), "not a PNG"),
        ("nothing", lambda place: place.write_bytes(b""), "not a PNG"),
        ("empty", lambda place: place.mkdir(), "an empty folder"),
        ("linked", linked, "a link to a folder is not followed"),
        ("gone.png", lambda place: place.symlink_to("/nowhere.png"), "not a regular file"),
        ("pipe.png", lambda place: os.mkfifo(place), "not a regular file"),
        (".hidden.png", lambda place: Image.new("RGB", (4, 4)).save(place), "hidden: its name begins with a dot"),
        (".DS_Store", lambda place: place.write_bytes(b"x"), "hidden"),
        (".thumbnails", folder_of("x.png"), "hidden"),
    ],
)
def test_each_kind_of_thing_that_is_left_out_is_named(
    tmp_path: Path, name: str, make: Callable[[Path], object], reason: str
) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "photos" / "sound.png")
    make(tmp_path / "photos" / name)
    found = find_photographs(tmp_path / "photos")
    assert [one.name for one in found.photographs] == ["sound"]
    assert list(found.rejects) == [str(tmp_path / "photos" / name)]
    assert found.rejects[str(tmp_path / "photos" / name)].startswith(reason)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of("x.png")(tmp_path / "locked")
    monkeypatch.setattr(os, "access", lambda place, mode: "locked" not in str(place))
    assert find_photographs(tmp_path).rejects == {str(tmp_path / "locked"): "a folder that may not be read"}


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("name", ["a", "a.dat", "a.gif"])
def test_pictures_are_found_by_their_content_whatever_their_names(tmp_path: Path, form: str, name: str) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / name, format=form)
    found = find_photographs(tmp_path)
    assert [one.path.name for one in found.photographs] == [name] and not found.rejects


def test_everything_that_is_left_out_is_named_with_its_reason(tmp_path: Path, photos: Path) -> None:
    picture = Image.new("RGB", (20, 30), (90, 20, 20))
    for name in ("t.tiff", "v.avif"):
        picture.save(photos / name)
    picture.save(photos / "no-ending", format="PNG")
    picture.save(photos / "dotted.v2", format="JPEG")
    (photos / "empty").mkdir()
    (tmp_path / "elsewhere").mkdir()
    picture.save(tmp_path / "elsewhere" / "far.png")
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
    found = find_photographs(photos)
    names = {one.name for one in found.photographs}
    assert {"t", "v", "no-ending", "dotted.v2"} <= names
    assert not any("far" in name for name in names)
    assert found.rejects[str(photos / "empty")] == "an empty folder"
    assert "link to a folder" in found.rejects[str(photos / "linked")]
    assert found.rejects[str(photos / "gone.png")] == "not a regular file"
    (tmp_path / "nothing").mkdir()
    assert find_photographs(tmp_path / "nothing").rejects == {str(tmp_path / "nothing"): "an empty folder"}


def test_a_data_set_that_is_made_among_its_photos_is_no_source_of_photos(studio: Studio, photos: Path) -> None:
    out = photos / "made"
    first = prepare_folder(find_photographs(photos, out), out, SPEC)
    again = prepare_folder(find_photographs(photos, out), out, SPEC)
    assert (again.done, again.rejects) == (first.done, first.rejects)
    with pytest.raises(InputError, match="is not empty"):
        prepare_folder(find_photographs(photos, photos), photos, SPEC)


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "x" * 251 + ".png", "日" * 83 + ".png"])
def test_photos_with_the_longest_names_are_prepared(name: str, studio: Studio, tmp_path: Path) -> None:
    for place in (tmp_path / "photos" / name, tmp_path / "photos" / "deep" / name):
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 30)).save(place, "PNG")
    made = prepare_folder(find_photographs(tmp_path / "photos"), tmp_path / "out", SPEC)
    assert (made.done, made.rejects) == (2, {})
    assert len(ImageFolder(tmp_path / "out")) == 2
