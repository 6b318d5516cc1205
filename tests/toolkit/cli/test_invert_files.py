"""`toolkit invert` and the disk: nothing of the user's is lost, every name is text, a full disk is one sentence."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import toolkit.apps.invert as inverting
from toolkit.inversion import Inversion
from toolkit.pictures import FORMATS_IN_WORDS

pytestmark = pytest.mark.usefixtures("stand_in")

QUICK = ("--method", "mean", "--set", "samples=4", "--no-video", "--no-mesh", "--no-viewer")


@pytest.fixture
def invert(program, photo: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the command quickly, in the photo's folder, with one camera for all photos."""
    monkeypatch.chdir(photo.parent)
    camera = photo.parent / "camera.json"
    real = inverting.prepare_photo
    monkeypatch.setattr(
        inverting, "prepare_photo", lambda path, spec, **given: real(path, spec, **given | {"camera": camera})
    )
    return lambda *words: program("invert", *words, *QUICK)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["plainly", "by force"])
@pytest.mark.parametrize(
    "made",
    [
        lambda place: ((place).mkdir(), (place / "thesis.tex").write_text("x")),
        lambda place: ((place).mkdir(), (place / "inversion.json").write_text('{"format": "other"}')),
        lambda place: ((place / "sub").mkdir(parents=True), (place / "sub" / "x.png").write_text("x")),
        lambda place: place.write_text("a file"),
        lambda place: place.symlink_to(place.parent / "elsewhere", target_is_directory=True),
    ],
    ids=["documents", "a stranger's record", "sub-folders", "a file", "a link"],
)
def test_only_a_folder_that_holds_an_inversion_is_ever_replaced(invert, photo: Path, made: Any, force: Any) -> None:
    (photo.parent / "elsewhere").mkdir()
    (photo.parent / "elsewhere" / "y").write_text("y")
    made(photo.parent / "photo")
    before = {path: path.read_bytes() for path in photo.parent.rglob("*") if path.is_file()}
    ended = invert(photo.name, "--out", ".", *force)
    assert ended.code == 2
    assert "failed   photo.png: photo exists and holds no inversion: it is never replaced" in ended.err
    assert {path: path.read_bytes() for path in photo.parent.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["..png", "...png", "....png", ". .png"])
def test_a_photo_whose_name_is_all_dots_costs_no_neighbour(invert, photo: Path, name: str) -> None:
    shutil.copy(photo, photo.parent / name)
    (photo.parent / "out").mkdir()
    (photo.parent / "out" / "mine.txt").write_text("mine")
    for _ in range(2):
        assert invert(name, "--out", "out", "--force").code == 0
    assert listing(photo.parent / "out") == ["mine.txt", "photo"]


def test_what_the_user_put_beside_an_inversion_survives_its_replacement(invert, photo: Path) -> None:
    assert invert(photo.name, "--out", "out").code == 0
    folder = photo.parent / "out" / "photo"
    (folder / "notes.txt").write_text("mine")
    (folder / "scans").mkdir()
    (folder / "scans" / "a.ply").write_text("mine, too")
    (folder / "viewer.html").write_text("of the old head")
    assert invert(photo.name, "--out", "out", "--force").code == 0
    assert listing(folder) == ["inversion.json", "inversion.safetensors", "notes.txt", "scans", "views.png"]
    assert (folder / "scans" / "a.ply").read_text() == "mine, too"


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_photos_of_one_name_get_a_folder_each_and_a_second_command_skips_all(
    invert, photo: Path, order: tuple[int, ...]
) -> None:
    photos = ["a/x.png", "b/x.png", "x-2.png", "B/X.png"]
    for index, name in enumerate(photos):
        (photo.parent / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((48, 48, 3), 40 * index, np.uint8)).save(photo.parent / name)
    words = [photos[index] for index in order]
    first = invert(*words, "--out", "out", "--json")
    told = [json.loads(line) for line in first.out.splitlines()]
    assert first.code == 0 and [line["status"] for line in told] == ["done"] * 4
    assert len({line["folder"].casefold() for line in told}) == 4
    for line in told:
        assert Inversion.load(line["folder"]).provenance["input"] == Path(line["image"]).name
    again = [json.loads(line) for line in invert(*words[::-1], "--out", "out", "--json").out.splitlines()]
    assert [line["status"] for line in again] == ["skipped"] * 4
    assert {line["image"]: line["folder"] for line in again} == {line["image"]: line["folder"] for line in told}


NAMES = ["me [edited].png", "[b].png", ":smile:.png", "two\nlines.png", "x" * 251 + ".png", "\u00e9" * 125 + ".png"]
NAMES += [os.fsdecode(b"caf\xe9.png"), "tab\there.png", "\x1b[31mred.png", "-rf.png", "%d.png"]


@pytest.mark.parametrize("good", [True, False], ids=["photos", "no photos"])
def test_names_are_text_wherever_they_are_shown(invert, photo: Path, good: bool) -> None:
    place = photo.parent / "[" / "in"
    place.mkdir(parents=True)
    for name in NAMES:
        if good:
            shutil.copy(photo, place / name)
        else:
            (place / name).write_text("no picture")
    ended = invert(*(os.path.join("[", "in", name) for name in NAMES), photo.name, "--out", "out", "--json")
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert [line["status"] for line in lines] == ["done" if good else "failed"] * len(NAMES) + ["done"], ended.err
    assert ended.code == (0 if good else 1)
    said = ended.err.split("\n")
    for index, (name, line) in enumerate(zip(NAMES, lines, strict=False)):
        shown = name.replace("\n", "\\n").replace("\t", "\\t").replace("\x1b", "\\x1b").replace("\udce9", "\\xe9")
        assert f"photo {index + 1} of {len(NAMES) + 1}: [/in/{shown}" in said
        assert line["image"] == os.path.join("[", "in", name)
        if good:
            assert Inversion.load(photo.parent / line["folder"]).provenance["input"] == name
        else:
            assert sum(each.startswith(f"failed   [/in/{shown}: ") for each in said) == 1


def test_help_prints_what_is_written(program) -> None:
    said = " ".join(program("invert", "--help").out.split())
    assert "five landmarks [x, y] in pixels" in said


def test_help_says_which_formats_are_read_and_in_which_frame_masks_and_landmarks_are(program) -> None:
    said = " ".join(program("invert", "--help").out.split())
    assert FORMATS_IN_WORDS in said
    assert "in pixels of the photo turned upright" in said and "both are turned upright first" in said


def test_equal_inversions_are_equal_bytes(invert, photo: Path) -> None:
    written = set()
    for index in range(4):
        assert invert(photo.name, "--out", f"out{index}").code == 0
        written.add((photo.parent / f"out{index}" / "photo" / "inversion.safetensors").read_bytes())
    assert len(written) == 1


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
from toolkit.cli.main import main
main()
"""


@pytest.mark.parametrize("size", [1_000, 20_000, 60_000])
def test_a_disk_that_takes_no_more_is_one_sentence_and_nothing_half_written(photo: Path, size: int) -> None:
    # the limit of a file's size is the nearest to a full disk that a test can have without being the superuser
    words = ["invert", str(photo), "--camera", "camera.json", "--out", "out", "--method", "mean", "--set", "samples=4"]
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(size), *words, "--no-video", "--no-mesh", "--no-viewer"],
        cwd=photo.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != size
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(
        "error: cannot write out/photo/inversion.safetensors: File too large"
    )
    assert "Traceback" not in ended.stderr and listing(photo.parent / "out") == []
