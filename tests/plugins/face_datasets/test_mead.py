"""A MEAD of two actors, filmed by the test."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from toolkit.errors import InputError
from toolkit.interfaces.dataset import Preparable
from toolkit_plugins.face_datasets.mead import VIEWS, Mead

LENGTHS = dict(zip(VIEWS, (8, 9, 8, 9, 12), strict=True))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """One video for every length; frame i has the brightness 20 * i."""
    folder, made = tmp_path_factory.mktemp("films"), {}
    for length in sorted(set(LENGTHS.values())):
        made[length] = folder / f"{length}.mp4"
        frames = b"".join(np.full((48, 64, 3), 20 * index, np.uint8).tobytes() for index in range(length))
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-r", "30", "-i", "-"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *raw, "-pix_fmt", "yuv420p"]
        subprocess.run([*command, str(made[length])], input=frames, check=True)
    return made


def film(actor: Path, films: dict[int, Path], clips: dict[str, str], views: tuple[str, ...] = VIEWS) -> None:
    for view in views:
        place = actor / "video" / view / "neutral" / "level_1" / f"{clips.get(view, '001')}.mp4"
        place.parent.mkdir(parents=True)
        shutil.copy(films[LENGTHS[view]], place)
        (place.parent / "099.mp4").write_bytes(b"damaged, and in every view, but a later clip")


def test_every_view_gives_the_frame_at_half_the_shortest_clip(tmp_path: Path, films: dict[int, Path]) -> None:
    film(tmp_path / "mead" / "M003", films, {})
    gathered = Mead.photographs(tmp_path / "mead", tmp_path / "scratch")
    assert [(one.name, one.subject, one.view) for one in gathered.photographs] == [
        (f"M003/{view}", "M003", view) for view in VIEWS
    ]
    for one in gathered.photographs:
        pixels = np.asarray(Image.open(one.path))
        assert pixels.shape == (48, 64, 3)
        assert abs(float(pixels.mean()) - 80) < 6  # frame 4 of 8
    before = {one.path: one.path.stat().st_mtime_ns for one in gathered.photographs}
    shutil.rmtree(tmp_path / "mead" / "M003" / "video" / "front")
    again = Mead.photographs(tmp_path / "mead", tmp_path / "scratch")
    assert {one.path: one.path.stat().st_mtime_ns for one in again.photographs} == before


def test_tars_are_read_and_those_that_climb_out_refused(tmp_path: Path, films: dict[int, Path]) -> None:
    film(tmp_path / "W021", films, {})
    (tmp_path / "mead" / "W021-1" / "video").mkdir(parents=True)
    for number, views in (("1", VIEWS[:3]), ("2", VIEWS[3:])):
        with tarfile.open(tmp_path / "mead" / "W021-1" / "video" / f"{number}.tar", "w") as archive:
            for view in views:
                archive.add(tmp_path / "W021" / "video" / view, arcname=f"video/{view}")
    (tmp_path / "mead" / "M042").mkdir()
    with tarfile.open(tmp_path / "mead" / "M042" / "video.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("../../video/front/neutral/level_1/001.mp4"), io.BytesIO())
    gathered = Mead.photographs(tmp_path / "mead", tmp_path / "scratch")
    assert {one.subject for one in gathered.photographs} == {"W021"} and len(gathered.photographs) == 5
    assert sorted(path.suffix for path in (tmp_path / "scratch").rglob("*") if path.is_file()) == [".png"] * 5
    assert "leads out of the data set" in gathered.rejects[str(tmp_path / "mead" / "M042" / "video.tar")]
    assert "no neutral level_1 video of the view front" in gathered.rejects["M042"]


def test_subjects_that_miss_a_view_a_shared_clip_or_a_readable_film_are_left_out_by_name(
    tmp_path: Path, films: dict[int, Path]
) -> None:
    film(tmp_path / "M001", films, {}, VIEWS[:4])
    film(tmp_path / "M002", films, {"front": "002"})
    for file in (tmp_path / "M002").rglob("099.mp4"):
        file.unlink()
    film(tmp_path / "M004", films, {"front": "002"})  # 099 is the clip that all have
    gathered = Mead.photographs(tmp_path, tmp_path / "scratch")
    assert not gathered.photographs
    assert gathered.rejects["M001"] == "no neutral level_1 video of the view right_60"
    assert "no clip number that all of" in gathered.rejects["M002"]
    assert "099.mp4" in gathered.rejects["M004"]


def test_raw_videos_and_empty_folders_are_no_data_set(tmp_path: Path) -> None:
    assert isinstance(Mead, Preparable)
    with pytest.raises(InputError, match="toolkit data prepare mead"):
        Mead(tmp_path)
    with pytest.raises(InputError, match="holds no subjects of MEAD"):
        Mead.photographs(tmp_path, tmp_path / "scratch")


@pytest.mark.parametrize("pattern", ["{who}/{view}.png", "{who}_{view}.png", "crops/{who}/neutral/{view}/012.png"])
@pytest.mark.parametrize("packed", [False, True])
def test_own_crops_with_cameras_are_read_by_their_names(tmp_path: Path, pattern: str, packed: bool) -> None:
    from face_layouts import as_json, numbers, picture, write

    names = [pattern.format(who=who, view=view) for who in ("M003", "W009") for view in VIEWS]
    labels = [[name, numbers(0.1 * index)] for index, name in enumerate(names)]
    files = {"dataset.json": as_json({"labels": labels}), **{name: picture(index) for index, name in enumerate(names)}}
    data = Mead(write(tmp_path / ("mead.zip" if packed else "mead"), files))
    assert data.subjects == ["M003"] * len(VIEWS) + ["W009"] * len(VIEWS)
    assert [item.view for item in data] == [*VIEWS, *VIEWS]
    assert data[0].camera.label[0].tolist() == pytest.approx(numbers(0))


def test_names_that_tell_nothing_are_refused_and_named_frames_can_be_prepared(tmp_path: Path) -> None:
    from face_layouts import as_json, numbers, picture, write

    files = {"dataset.json": as_json({"labels": [["a.png", numbers(0)]]}), "a.png": picture(0)}
    with pytest.raises(InputError, match="no picture's name tells a subject"):
        Mead(write(tmp_path / "named", files))
    frames = {f"M011_{view}.jpg": picture(0, "jpg") for view in VIEWS}
    place = write(tmp_path / "frames", frames | {"notes.jpg": picture(0, "jpg")})
    found = Mead.photographs(place, tmp_path / "scratch")
    assert {(one.subject, one.view, one.name) for one in found.photographs} == {
        ("M011", view, f"M011/{view}") for view in VIEWS
    }
