"""`engine.compile` reaches the networks that each encoder's stages call."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from encoder_training import CLASSES, tiny_job

from toolkit.testing.spherical import SphericalGenerator

NETWORKS = {
    "psp": {"network"},
    "e4e": {"network"},
    "triplanenet": {"psp_encoder", "triplanenet_encoder"},
    "goae": {"encoder", "alignment"},
    "dual-encoder": {
        f"{half}.{name}" for half in ("visible", "occluded") for name in ("psp_encoder", "triplanenet_encoder")
    },
}  # fmt: skip
"""What is to be compiled, by its place in the job's network; discriminators are not."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("kind", CLASSES)
def test_the_switch_compiles_what_stages_call(
    kind: str, photo_folder: Path, spherical: SphericalGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: asked.append(module))
    tiny_job(kind, photo_folder, spherical)
    assert asked == []
    job = tiny_job(kind, photo_folder, spherical, "engine.compile=true")
    places = {module: name for name, module in job.network.named_modules()}
    assert {places[module] for module in asked} == NETWORKS[kind]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # Dynamo looks at it where checkpointing breaks a graph
@pytest.mark.parametrize("more", [(), ("engine.checkpoint_activations=true",)], ids=["plain", "checkpointed"])
@pytest.mark.parametrize("kind", CLASSES)
def test_compiled_networks_run_and_learn_the_same(
    kind: str, more: tuple[str, ...], photo_folder: Path, spherical: SphericalGenerator, calls: Counter[nn.Module]
) -> None:
    job = tiny_job(kind, photo_folder, spherical, "engine.compile=true", *more)
    plain = tiny_job(kind, photo_folder, spherical, *more)
    assert list(job.network.state_dict()) == list(plain.network.state_dict())
    for step in range(job.steps):
        torch.manual_seed(step)
        compiled = job.training_step(job.batch(step), step)
        torch.manual_seed(step)
        assert compiled == pytest.approx(plain.training_step(plain.batch(step), step), rel=1e-3, abs=1e-5)
    assert {name for name, module in job.network.named_modules() if calls[module]} == NETWORKS[kind]
