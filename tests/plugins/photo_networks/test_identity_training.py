"""The distillation, on people and a teacher that cost nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[2]))
from fake_cuda import fake_cuda

from toolkit.camera import Camera
from toolkit.cli.main import app
from toolkit.errors import InputError, WeightsError
from toolkit.faces.projection import crop_places
from toolkit.faces.template import PANOHEAD_SCALE, PANOHEAD_SHIFT, STANDARD_FACE
from toolkit.interfaces import FaceEmbedder, RayColours
from toolkit.tensors import write_tensors
from toolkit_plugins.photo_networks.identity_network import (
    DescriptorHead,
    DistilledRecogniser,
    open_identity_lite,
    write_head,
)
from toolkit_plugins.photo_networks.recogniser import Box
from toolkit_plugins.photo_networks.training import faces as faces_module
from toolkit_plugins.photo_networks.training.augmentation import plain_faces, worn_faces
from toolkit_plugins.photo_networks.training.evaluation import best_accuracy, score_student
from toolkit_plugins.photo_networks.training.faces import MARGIN, SIDE, FacePlan, prepare_faces, wide_places
from toolkit_plugins.photo_networks.training.job import make_job

POINTS = torch.from_numpy(PANOHEAD_SCALE * STANDARD_FACE + PANOHEAD_SHIFT).float()


class FlatPeople:
    """A wall each, of the person's own colours."""

    latent_dim = 6
    looked = 0

    def latent(self, split: str, seed: int, index: int) -> Tensor:
        return torch.randn(6, generator=torch.Generator().manual_seed(seed + index + 1000 * (split == "val")))

    def landmarks(self, latent: Tensor) -> Tensor:
        return POINTS

    def trace(self, latent: Tensor, origins: Tensor, directions: Tensor) -> RayColours:
        raise AssertionError("only the dressed are looked at")

    def trace_dressed(
        self, latent: Tensor, outfit: tuple[str, int, int], origins: Tensor, directions: Tensor
    ) -> RayColours:
        FlatPeople.looked += 1
        colours = torch.sin(latent[:3] + 20 * directions * latent[3:])
        ones = torch.ones(len(directions))
        return RayColours(colours, ones, ones > 0)


class Teacher:
    """Says the colours in nine places."""

    def find(self, pixels: np.ndarray) -> Box | None:
        return None

    def describe(self, pixels: np.ndarray, box: Box) -> np.ndarray:
        places = pixels[100::100, 100::100][:3, :3].reshape(-1) / 255
        return np.resize(places, 128) / 8


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces_module, "open_people", lambda dataset: FlatPeople())
    monkeypatch.setattr(faces_module, "open_recogniser", Teacher)
    FlatPeople.looked = 0


def settings(folder: Path, *more: str) -> list[str]:
    values = ["steps=4", "batch=4", "copies=2", "people.train=3", "people.held_out=2", "people.views=2",
              "people.warps=1", f"people.folder={folder}", "cadence.checkpoint_every=2", *more]  # fmt: skip
    return values


def test_a_training_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path):
    options = [part for each in settings(tmp_path / "faces") for part in ("--set", each)]
    whole = CliRunner().invoke(app, ["train", "identity-lite", "--out", str(tmp_path / "whole"), *options])
    assert whole.exit_code == 0, whole.output
    parts = ["train", "identity-lite", "--out", str(tmp_path / "parts"), *options]
    stopped = CliRunner().invoke(app, [*parts, "--max-steps", "2"])
    assert stopped.exit_code == 0, stopped.output
    looked = FlatPeople.looked
    resumed = CliRunner().invoke(app, [*parts, "--resume"])
    assert resumed.exit_code == 0, resumed.output
    assert FlatPeople.looked == looked  # faces are kept
    files = [(tmp_path / run / "weights.safetensors").read_bytes() for run in ("whole", "parts")]
    assert files[0] == files[1]
    recogniser = open_identity_lite(tmp_path / "whole" / "weights.safetensors")
    assert isinstance(recogniser, FaceEmbedder)


def test_it_learns_what_the_teacher_says(tmp_path: Path):
    job = make_job(None, settings(tmp_path, "steps=40", "batch=8", "people.train=4", "copies=1"), "cpu")
    first = job.evaluate(0)
    losses = [job.training_step(job.batch(step), step)["descriptors"] for step in range(job.steps)]
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert first["error"] > 0 and set(first) == set(job.evaluate(job.steps))
    with pytest.raises(InputError, match=r"^engine.accumulate must be 1 for 'identity-lite', got 2"):
        make_job(None, settings(tmp_path, "engine.accumulate=2"), "cpu")


@pytest.mark.parametrize("below", ["", "identity-lite"])
def test_a_file_in_the_way_of_the_faces_is_told_before_any_is_made(
    tmp_path: Path, below: str, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setattr(faces_module, "open_people", lambda *_: pytest.fail("faces are made"))
    with pytest.raises(InputError, match="cache is not a folder"):
        prepare_faces(FacePlan("heads360", "train", 0, 2, 2, 30.0, 10.0, warps=1), tmp_path / "cache" / below)


def test_faces_are_kept_by_their_plan(tmp_path: Path):
    plan = FacePlan("heads360", "train", 0, 2, 2, 30.0, 10.0, warps=1)
    made = prepare_faces(plan, tmp_path)
    assert made.crops.shape == (2, 4, 3, SIDE, SIDE) and made.descriptors.shape == (2, 4, 128)
    assert not torch.equal(made.crops[:, 0], made.crops[:, 1])  # warped
    looked = FlatPeople.looked
    again = prepare_faces(plan, tmp_path)
    assert FlatPeople.looked == looked and torch.equal(again.crops, made.crops)
    prepare_faces(FacePlan("heads360", "train", 0, 2, 2, 20.0, 10.0, warps=1), tmp_path)
    assert FlatPeople.looked > looked


def test_the_crop_lies_inside_its_margin():
    camera = Camera.orbit(0.3, 0.1)
    wide, inner = wide_places(camera, POINTS, SIDE), crop_places(camera, POINTS, SIDE - 2 * MARGIN)
    torch.testing.assert_close(wide[:, MARGIN:-MARGIN, MARGIN:-MARGIN], inner, atol=1e-5, rtol=0)


def test_faces_are_spoilt_by_the_seed_and_stay_themselves():
    ramp = torch.linspace(-0.8, 0.8, SIDE).expand(4, 3, SIDE, SIDE)
    tall = ramp.transpose(2, 3)
    first, second = (worn_faces(tall, np.random.default_rng(seed)) for seed in (1, 1))
    assert torch.equal(first, second) and first.shape == (4, 3, 112, 112)
    assert not torch.equal(first, worn_faces(tall, np.random.default_rng(2)))
    both = torch.stack([first.flatten(1), plain_faces(tall).flatten(1)])
    for spoilt, plain in both.unbind(1):
        assert float(torch.corrcoef(torch.stack([spoilt, plain]))[0, 1]) > 0.8  # dark above, light below


def test_agreement_is_measured_on_pairs():
    people = torch.arange(6) // 2
    teacher = torch.randn(3, 128, generator=torch.Generator().manual_seed(0)).repeat_interleave(2, 0)
    teacher = teacher + 0.1 * torch.randn(6, 128, generator=torch.Generator().manual_seed(1))
    perfect = score_student(teacher, teacher, people)
    assert perfect["error"] == 0 and perfect["correlation"] == pytest.approx(1)
    assert perfect["verification"] == perfect["verification_teacher"] == 1
    assert score_student(teacher.roll(1, 0), teacher, people)["verification"] < 1
    assert best_accuracy(np.array([0.1, 0.4]), np.array([0.3, 0.6])) == 0.75


def test_embeddings_have_unit_length_and_gradients_reach_the_face():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        recogniser = DistilledRecogniser().eval().requires_grad_(False)
    face = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(2)) * 2 - 1
    face.requires_grad_(True)
    embedding = recogniser.embed(face)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))
    embedding[0, 0].backward()
    assert face.grad is not None
    assert float(face.grad[0].abs().sum()) > 0 and float(face.grad[1].abs().sum()) == 0


def test_a_head_reads_back_and_another_file_is_refused(tmp_path: Path):
    head: Any = DescriptorHead()
    write_head(tmp_path / "head.safetensors", head, {})
    assert (tmp_path / "head.safetensors").stat().st_size < 3e6
    face = torch.zeros(1, 3, 112, 112)
    recogniser = DistilledRecogniser(head).eval()
    back = open_identity_lite(tmp_path / "head.safetensors")
    torch.testing.assert_close(back.describe(face), recogniser.describe(face), atol=2e-3, rtol=0)
    write_tensors(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, {"architecture": "something"})
    with pytest.raises(WeightsError, match="holds 'something', not 'photo_networks/identity-lite'"):
        open_identity_lite(tmp_path / "other.safetensors")


FAKE = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")


@pytest.mark.slow
@FAKE
@pytest.mark.filterwarnings("ignore:An input array is constant")  # all that comes back from there is 1
def test_the_recogniser_of_losses_learns_on_a_gpu_and_waits_for_it_less_than_five_times_a_step(tmp_path: Path):
    make_job(None, settings(tmp_path), "cpu")  # faces and copies of them are made, and kept
    with fake_cuda() as gpu:
        job = make_job(None, settings(tmp_path), "cuda:0")
        for step in range(2):
            batch = job.batch(step)
            gpu.waits.clear(), gpu.places.clear()
            job.training_step(batch, step)
            assert 0 < gpu.waits.total() < 5, gpu.places
        assert job.evaluate(2)


@pytest.mark.slow
@FAKE
def test_the_recogniser_of_losses_passes_gradients_on_a_gpu():
    with fake_cuda():
        recogniser = DistilledRecogniser().eval().requires_grad_(False).to("cuda:0")
        face = torch.zeros(2, 3, 112, 112, device="cuda:0").requires_grad_()
        recogniser.embed(face).square().sum().backward()
        assert face.grad is not None and face.grad.device == torch.device("cuda:0")
