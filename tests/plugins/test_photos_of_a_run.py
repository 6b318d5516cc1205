"""A run says what it learns from, leaves out what cannot be read, and its weights know what they have seen."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from encoder_training import tiny_job

from toolkit.data import ImageFolder
from toolkit.data.prints import is_among
from toolkit.encoders import read_encoder
from toolkit.encoders.training import photos as photos_module
from toolkit.testing.spherical import SphericalGenerator
from toolkit.training import rehearse, train

KINDS = ("psp", "e4e", "triplanenet")


class Listener:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def step(self, *told: object, **more: object) -> None:
        """Pass over."""


@pytest.fixture
def photos(photo_folder: Path, tmp_path: Path) -> Path:
    """Eight photos, of which the second is no picture."""
    folder = tmp_path / "photos"
    shutil.copytree(photo_folder, folder)
    names = ImageFolder(folder).names
    (folder / names[1]).write_bytes(b"no picture")
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_counts_its_photos_and_names_what_it_left_out(
    kind: str,
    workers: int,
    photos: Path,
    tmp_path: Path,
    spherical: SphericalGenerator,
    monkeypatch: pytest.MonkeyPatch,
):
    if workers and kind != "psp":
        pytest.skip("workers are the same for all")
    monkeypatch.setattr(photos_module, "HELD_BYTES", 0)
    more = ("codes.steps=0", "images.steps=5", "images.batch=2", f"engine.workers={workers}", "cadence.log_every=1")
    job = tiny_job(kind, photos, spherical, *more)
    heard = Listener()
    run = train(job, tmp_path / "run", progress=heard)
    assert any(note.startswith("6 photos, 12 with their mirror images; 0 with a mask") for note in heard.notes)
    left_out = [note for note in heard.notes if note.startswith("left out")]
    assert len(left_out) == 1 and ImageFolder(photos).names[1] in left_out[0]
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["note"] for line in lines if "note" in line][-1] == left_out[0]
    session = json.loads((tmp_path / "run" / "run.json").read_text())["sessions"][0]
    assert session["data"]["photos"] == {"pictures": 6, "with_mask": 0, "subjects": 6}
    prints = read_encoder(run.weights).trained_on
    assert prints is not None
    size = spherical.spec.image_size
    known = {index for index in (0, 2, 3, 4, 5, 6, 7)
             if is_among(prints, ImageFolder(photos, size)[index].image[None])}  # fmt: skip
    assert known and known <= {0, 2, 3, 4, 5}  # 6 and 7 are held out


def test_a_dry_run_tells_the_counts_too(photos: Path, spherical: SphericalGenerator):
    lines = rehearse(tiny_job("psp", photos, spherical)).lines()
    (line,) = [line for line in lines if line.strip().startswith("data ")]
    assert "6 photos" in line and "held out: 2 photos" in line and "left out (1 so far)" in line


def test_a_resumed_run_remembers_what_it_saw_and_left_out(photos: Path, tmp_path: Path, spherical: SphericalGenerator):
    def job(steps: int):
        return tiny_job("psp", photos, spherical, "codes.steps=0", f"images.steps={steps}", "images.batch=2")

    train(job(6), tmp_path / "run", max_steps=3)
    train(job(6), tmp_path / "run", resume=True)
    train(job(6), tmp_path / "whole")
    first, second = (read_encoder(tmp_path / name / "weights.safetensors").trained_on for name in ("run", "whole"))
    assert torch.equal(first, second)


@pytest.mark.parametrize("kind", KINDS)
def test_without_averaging_no_second_copy_is_kept(
    kind: str, photo_folder: Path, tmp_path: Path, spherical: SphericalGenerator
):
    sizes, weights = [], []
    for average in (0, 0.0001):
        job = tiny_job(kind, photo_folder, spherical, f"average={average}")
        assert (job.average.module is job.network) == (average == 0)
        run = train(job, tmp_path / str(average))
        sizes.append(sum(file.stat().st_size for file in (run.out / "checkpoints").glob("*.safetensors")))
        weights.append(read_encoder(run.weights))
    assert sizes[0] < 0.85 * sizes[1]
    for name, value in weights[0].tensors.items():
        torch.testing.assert_close(value, weights[1].tensors[name], atol=2e-3, rtol=2e-2)


def test_a_stage_learns_on_after_an_evaluation_without_an_average(
    photo_folder: Path, tmp_path: Path, spherical: SphericalGenerator
):
    """Scores are taken of the network itself: it must be in training mode again in the next step."""
    ends = []
    for every in (1, 1000):
        more = ("average=0", f"cadence.evaluate_every={every}", f"cadence.sheet_every={every}", "images.steps=3")
        run = train(tiny_job("psp", photo_folder, spherical, *more), tmp_path / str(every))
        ends.append(read_encoder(run.weights).tensors)
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
