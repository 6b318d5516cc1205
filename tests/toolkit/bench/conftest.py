"""A small world whose truth is known: heads of the spherical generator, seen from all around."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import toolkit.registry
from toolkit.bench import ComparedMethod, ProtocolSettings
from toolkit.camera import Camera
from toolkit.hookspecs import hookimpl
from toolkit.inversion import Inversion, identity_of
from toolkit.registry import Register, Registry, default_registry
from toolkit.testing import plugin as testing_plugin
from toolkit.testing.spherical import SphericalGenerator

YAWS = (0, 90, 180, -90)
SIDE = 48


def head(generator: SphericalGenerator, seed: int) -> tuple[Tensor, Tensor]:
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        ws = generator.mapping(z, generator.spec.front_camera)
        return ws, generator.planes(ws)


@pytest.fixture(scope="session")
def heads_folder(spherical: SphericalGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three subjects, four views each, with masks and depth."""
    folder = tmp_path_factory.mktemp("heads")
    labels, subjects = [], {}
    for subject in range(3):
        ws, planes = head(spherical, subject)
        for yaw in YAWS:
            camera = Camera.orbit(float(np.radians(yaw)))
            with torch.no_grad():
                image = spherical.render(planes, ws, camera).image
                view = spherical.render(planes, ws, camera, SIDE)
            name = f"{subject:05d}/yaw_{yaw}.png"
            inside = view.mask > 0.5
            pixels = ((image[0].clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0).numpy().astype(np.uint8)
            write(folder / name, pixels)
            write(folder / "masks" / name, (inside[0, 0].numpy() * 255).astype(np.uint8))
            write(folder / "depth" / name, ((view.depth * inside)[0, 0].numpy() * 10_000).round().astype(np.uint16))
            labels.append([name, camera.label[0].tolist()])
            subjects[name] = {"subject": f"{subject:05d}", "view": f"yaw_{yaw}"}
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    (folder / "subjects.json").write_text(json.dumps(subjects))
    return folder


@pytest.fixture
def own_heads(heads_folder: Path, tmp_path: Path) -> Path:
    """The heads in a folder of this test's own, which it may change."""
    return shutil.copytree(heads_folder, tmp_path / "heads")


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


class Drawn:
    """A method that draws a head of a given seed whatever the picture shows; counts its calls, fails on request."""

    fingerprint = ""

    name = "drawn"

    def __init__(self, seed: int | None, fails_on: int | None = None, dies_on: int | None = None) -> None:
        self.seed, self.fails_on, self.dies_on, self.calls = seed, fails_on, dies_on, 0

    def invert(self, image: Tensor, camera: Camera, generator: SphericalGenerator) -> Inversion:
        self.calls += 1
        if self.calls == self.dies_on:
            raise KeyboardInterrupt  # what no run survives
        if self.calls == self.fails_on:
            raise RuntimeError("the method crashed\nwith details")
        ws, planes = head(generator, int(torch.randint(99, ())) if self.seed is None else self.seed)
        return Inversion(ws, planes, camera, method=self.name, **identity_of(generator.spec))


@pytest.fixture
def method() -> Callable[..., ComparedMethod]:
    def make(name: str, seed: int | None = 0, **faults: int) -> ComparedMethod:
        drawn = Drawn(seed, **faults)
        drawn.name = name
        return ComparedMethod(name, drawn)

    return make


@pytest.fixture
def protocol() -> Callable[..., ProtocolSettings]:
    def make(kind: str, *metrics: str, **settings: object) -> ProtocolSettings:
        return ProtocolSettings.model_validate({"kind": kind, "metrics": metrics, "subset": "first", **settings})

    return make


class Stripes:
    """Eight features per image; only good for plumbing, hence registered by tests alone."""

    name, size = "stripes", 8

    def features(self, images: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), (8, 1)).flatten(1)


def open_stripes() -> object:
    from toolkit.metrics import FrechetMetric

    return FrechetMetric(Stripes(), "stripes-e", "embedded")


class StripesPlugin:
    @hookimpl
    def register_metrics(self, register: Register) -> None:
        register("stripes-e", f"{__name__}:open_stripes", summary="tests only", interface=1, world="embedded")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Everything installed, the test generators, and a distance of distributions for tests."""
    everything = Registry(dict(default_registry().registrations), [], [])
    everything.add_plugin("testing", testing_plugin)
    everything.add_plugin("stripes", StripesPlugin())
    entry = everything.registrations["metric", "stripes-e"]
    monkeypatch.setattr(type(entry), "load", _load_here(type(entry).load))
    monkeypatch.setattr(toolkit.registry, "default_registry", lambda: everything)
    return everything


def _load_here(load: Callable[[object], object]) -> Callable[[object], object]:
    """Test modules cannot be imported by name (pytest's import mode), so this one factory is handed over directly."""
    return lambda entry: open_stripes if entry.name == "stripes-e" else load(entry)  # type: ignore[attr-defined]
