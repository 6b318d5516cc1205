from __future__ import annotations

import json
import math
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from toolkit.camera import Camera
from toolkit.cli.data import data_app
from toolkit.data import ImageFolder, open_source
from toolkit.data.sources import absolute_source, find_source, open_dataset, open_source_store
from toolkit.data.split import MODULUS, PARTS, identities, indices_of, part_of
from toolkit.errors import InputError, OutputError


def labels_of(yaws: list[float]) -> list[list[float]]:
    return Camera.orbit(torch.tensor(yaws)).label.tolist()


def write_set(root: Path, names: list[str], labels: list[list[float]], subjects: dict[str, str] | None = None) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), number % 256, np.uint8)).save(root / name)
    (root / "dataset.json").write_text(json.dumps({"labels": list(map(list, zip(names, labels, strict=True)))}))
    if subjects is not None:
        seen = {name: {"subject": subject, "view": "front"} for name, subject in subjects.items()}
        (root / "subjects.json").write_text(json.dumps(seen))
    return root


@pytest.fixture
def singles(tmp_path: Path) -> Path:
    """120 pictures of unknown people."""
    names = [f"{number // 50:05d}/img{number:08d}.png" for number in range(120)]
    return write_set(tmp_path / "singles", names, labels_of([0.01 * number for number in range(120)]))


def test_a_part_is_what_anybody_computes_from_the_name():
    import hashlib

    for number in range(200):
        divisible = int(hashlib.sha256(f"a/{number}".encode()).hexdigest(), 16) % MODULUS == 0
        assert part_of(f"a/{number}") == ("val" if divisible else "train")
    share = sum(part_of(str(number)) == "val" for number in range(20_000)) / 20_000
    assert share == pytest.approx(1 / 11, abs=4 * math.sqrt(1 / 11 / 20_000))


def test_parts_are_disjoint_complete_and_stay_when_pictures_are_added(singles: Path, tmp_path: Path):
    parts = {part: open_source(f"{singles}@{part}").names for part in PARTS}
    assert parts["val"] and not set(parts["train"]) & set(parts["val"])
    assert sorted(parts["train"] + parts["val"]) == sorted(ImageFolder(singles).names)
    fewer = ImageFolder(singles).only(range(60))
    assert {fewer.names[index] for index in indices_of(fewer, "val")} == set(parts["val"]) & set(fewer.names)


def test_a_zip_has_the_parts_of_its_folder(singles: Path):
    with zipfile.ZipFile(singles.with_suffix(".zip"), "w") as archive:
        for file in sorted(singles.rglob("*.*")):
            archive.write(file, file.relative_to(singles).as_posix())
    folder, packed = (open_source(f"{place}@val") for place in (singles, singles.with_suffix(".zip")))
    assert folder.names == packed.names
    assert torch.equal(folder[0].image, packed[0].image) and torch.equal(folder.labels, packed.labels)


def test_a_subjects_pictures_and_a_mirrored_name_stay_together(tmp_path: Path):
    names = [f"{number:03d}_{view}.png" for number in range(40) for view in "ab"]
    folder = write_set(tmp_path / "people", names, labels_of([0.1] * 80), {name: name[:3] for name in names})
    assert {identity: None for identity in identities(ImageFolder(folder))}.keys() == {f"{n:03d}" for n in range(40)}
    twins = [f"{number}{ending}.png" for number in range(40) for ending in ("", "_mirror")]
    folder = write_set(tmp_path / "twins", twins, labels_of([0.1, -0.1] * 40))
    for part in PARTS:
        mine = set(open_source(f"{folder}@{part}").names)
        assert {name.replace("_mirror", "") for name in mine} <= mine


@pytest.mark.parametrize("count", [40, 41])
def test_a_list_of_pairs_keeps_a_picture_and_its_mirror_image_together(tmp_path: Path, count: int):
    """EG3D's lists: odd entries are the mirror images of the even ones before, under names of their own."""
    yaws = [(-1) ** number * 0.01 * (1 + number // 2) for number in range(count)]
    names = [f"img{number:08d}.png" for number in range(count)]
    data = ImageFolder(write_set(tmp_path / "pairs", names, labels_of(yaws)))
    assert identities(data) == [f"img{number - number % 2:08d}" for number in range(count)]


def test_like_cameras_are_no_pairs(tmp_path: Path):
    names = [f"{number}.png" for number in range(6)]
    frontal = ImageFolder(write_set(tmp_path / "frontal", names, labels_of([0.0] * 6)))
    assert len(set(identities(frontal))) == 6


def test_several_sources_are_one_data_set_for_the_benchmark(singles: Path, tmp_path: Path):
    names = [f"{number}.png" for number in range(30)]
    other = write_set(tmp_path / "other", names, labels_of([0.2] * 30), {name: "one" for name in names[:4]})
    joined = open_dataset(f"{singles}@val, {other}", 4)
    val = open_source(f"{singles}@val", 4)
    assert len(joined) == len(val) + 30
    assert joined.names[0] == f"singles-val/{val.names[0]}" and joined.names[-1] == "other/29.png"
    assert joined.subjects[len(val)] == "other/one" and joined.subjects[-1] is None
    assert joined[len(val)].id == joined.names[len(val)] and joined[len(val)].subject == "other/one"
    assert torch.equal(joined[-1].image, ImageFolder(other, 4)[29].image)
    assert torch.equal(joined.cameras.label, torch.cat([val.labels, ImageFolder(other).labels]))
    assert joined.digest(len(val)) == ImageFolder(other, 4).digest(0)
    with pytest.raises(IndexError):
        joined[len(joined)]
    with pytest.raises(InputError, match="called 'other'"):
        open_dataset(f"{other},{other}")
    with pytest.raises(InputError, match="only files of data sets can be joined"):
        open_dataset(f"{other},heads360")


def test_a_part_goes_wherever_a_source_does(singles: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(singles.parent)
    assert absolute_source("singles@val") == f"{singles}@val"
    assert absolute_source("singles@val,singles@train") == f"{singles}@val,{singles}@train"
    assert find_source("heads360@val") is None
    with pytest.raises(InputError, match="leave @val out"):
        open_source_store("singles@val")
    singles.rename(singles.parent / "named@val")
    assert len(open_source("named@val")) == 120


def test_a_set_that_is_too_small_for_a_part_is_refused(tmp_path: Path):
    folder = write_set(tmp_path / "small", ["a.png"], labels_of([0.0]))
    missing = "val" if part_of("a") == "train" else "train"
    with pytest.raises(InputError, match=f"too small to have a part '{missing}'"):
        open_source(f"{folder}@{missing}")


def test_the_command_counts_and_writes_the_parts(singles: Path, folder: Path, tmp_path: Path):
    run = CliRunner()
    counted = run.invoke(data_app, ["split", str(singles)])
    val = open_source(f"{singles}@val")
    assert counted.exit_code == 0 and f"{len(val)} pictures of {len(val)} subjects" in counted.stdout
    told = json.loads(run.invoke(data_app, ["split", str(singles), "--json"]).stdout)
    assert told["val"] == val.names and len(told["train"]) == 120 - len(val)
    out = tmp_path / "parts"
    assert run.invoke(data_app, ["split", str(singles), str(out)]).exit_code == 0
    copied = ImageFolder(out / "val")
    assert copied.names == val.names
    torch.testing.assert_close(copied.labels, val.labels)
    assert all(torch.equal(mine.image, theirs.image) for mine, theirs in zip(copied, val, strict=True))
    again = run.invoke(data_app, ["split", str(singles), str(out)])
    assert isinstance(again.exception, InputError) and "not empty" in str(again.exception)


@pytest.mark.parametrize("fails_on", [1, 60, 110])
def test_a_copy_that_fails_leaves_no_part_and_a_killed_one_is_no_hindrance(
    singles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_on: int
):
    out = tmp_path / "parts"
    real, calls = Path.write_bytes, iter(range(1, 1000))

    def write(self: Path, data: bytes) -> int:
        if next(calls) == fails_on:
            raise OSError(28, "No space left on device", str(self))
        return real(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write)
        failed = CliRunner().invoke(data_app, ["split", str(singles), str(out)])
    assert isinstance(failed.exception, OutputError)
    assert re.fullmatch(rf"cannot write {out}/(train|val)/.*png: No space left on device", str(failed.exception))
    assert list(out.iterdir()) == []
    (out / ".toolkit-abcd1234" / "train").mkdir(parents=True)
    monkeypatch.setattr("toolkit.files._cleared", set())  # as in the next process
    assert CliRunner().invoke(data_app, ["split", str(singles), str(out)]).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["train", "val"]


def test_copies_keep_masks_depth_and_subjects(folder: Path, tmp_path: Path):
    from toolkit.data.copying import copy_items

    whole = ImageFolder(folder)
    copy_items(whole.only([0, 2]), tmp_path / "copy")
    copied = ImageFolder(tmp_path / "copy")
    for mine, theirs in zip(copied, (whole[0], whole[2]), strict=True):
        assert (mine.id, mine.subject, mine.view) == (theirs.id, theirs.subject, theirs.view)
        assert torch.equal(mine.image, theirs.image) and torch.equal(mine.mask, theirs.mask)
        assert torch.equal(mine.depth, theirs.depth)
