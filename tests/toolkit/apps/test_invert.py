from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import toolkit.apps.invert as inverting
import toolkit.export.products as presentation
from toolkit import DEFAULT_METHODS
from toolkit.apps.invert import PhotoOptions, Products, invert_photos
from toolkit.camera import Camera
from toolkit.errors import CapabilityError, ConfigError, InputError, OutputError, WeightsError
from toolkit.interfaces import Generator
from toolkit.inversion import Inversion
from toolkit.registry import Registration, default_registry
from toolkit.testing.spherical import SphericalGenerator


class Listener:
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, text: str) -> None:
        self.heard.append(text)

    def step(self, name: str, done: int, total: int, item: str = "", error: str | None = None) -> None:
        self.heard.append(f"{name} {done}/{total}")


class Guess:
    """A method that always answers the same head."""

    calls = 0
    fingerprint = ""

    def invert(self, image: torch.Tensor, camera: Camera, generator: Generator) -> Inversion:
        Guess.calls += 1
        latents = generator.spec.latents
        ws = torch.zeros(1, latents.num_ws, latents.w_dim)
        return Inversion(
            ws, generator.planes(ws).detach(), camera, generator.spec.name, generator.spec.fingerprint, "guess"
        )


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, spherical: SphericalGenerator, tmp_path: Path) -> Path:
    """A folder with a good photo, its camera and a broken one; generator and method are stand-ins."""
    entry = Registration("generator", "spherical", "toolkit.testing.spherical:build_spherical", "", 1, "testing")
    monkeypatch.setitem(default_registry().registrations, ("generator", "spherical"), entry)
    monkeypatch.setattr(inverting, "load_generator", lambda *_: spherical)
    monkeypatch.setattr(inverting, "open_method", lambda *_: Guess())
    pixels = np.random.default_rng(0).integers(0, 255, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "good.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "good.png").read_bytes()[:100])
    (tmp_path / "camera.json").write_text(json.dumps(Camera.orbit(0.3).label[0].tolist()))
    Guess.calls = 0
    return tmp_path


def run(folder: Path, *names: str, force: bool = False) -> list[inverting.Outcome]:
    return invert_photos(
        [folder / name for name in names], folder / "out", method="guess", generator="spherical", progress=Listener(),
        photo=PhotoOptions(camera=folder / "camera.json", background="keep"),
        products=Products(video=False, mesh=False, viewer=False), force=force,
    )  # fmt: skip


def test_a_broken_photo_costs_only_itself(bench: Path) -> None:
    broken, good = run(bench, "broken.png", "good.png")
    assert (broken.status, good.status) == ("failed", "done")
    assert broken.error is not None and "broken.png" in broken.error
    assert not (bench / "out" / "broken").exists()
    assert (bench / "out" / "good" / "views.png").exists()


def test_the_result_says_where_it_came_from(bench: Path) -> None:
    run(bench, "good.png")
    record = Inversion.load(bench / "out" / "good")
    assert record.provenance["input"] == "good.png"
    assert torch.allclose(record.camera.label, Camera.orbit(0.3).label)


def test_what_is_there_is_skipped_unless_forced(bench: Path) -> None:
    assert [run(bench, "good.png")[0].status for _ in range(2)] == ["done", "skipped"]
    assert Guess.calls == 1
    assert run(bench, "good.png", force=True)[0].status == "done"
    assert Guess.calls == 2


def test_another_photo_never_overwrites_a_result_silently(bench: Path) -> None:
    run(bench, "good.png")
    Image.new("RGB", (48, 48)).save(bench / "good.png")
    (outcome,) = run(bench, "good.png")
    assert outcome.status == "failed" and outcome.error is not None and "--force" in outcome.error


def test_a_foreign_folder_is_left_alone(bench: Path) -> None:
    (bench / "out" / "good").mkdir(parents=True)
    (bench / "out" / "good" / "diary.txt").write_text("mine")
    (outcome,) = run(bench, "good.png")
    assert outcome.status == "failed"
    assert (bench / "out" / "good" / "diary.txt").read_text() == "mine"


def test_a_full_disk_stops_with_one_sentence_and_leaves_nothing(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inverting, "write_products", full)
    with pytest.raises(OutputError, match="No space left"):
        run(bench, "good.png")
    assert list((bench / "out").iterdir()) == []


def test_interruption_keeps_finished_results_whole(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (48, 48), "red").save(bench / "second.png")
    real = inverting.write_products

    def interrupted(folder: Path, *rest: object) -> None:
        if "second" in folder.name:
            raise KeyboardInterrupt
        real(folder, *rest)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(inverting, "write_products", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(bench, "good.png", "second.png")
    assert [path.name for path in (bench / "out").iterdir()] == ["good"]
    Inversion.load(bench / "out" / "good")


def test_a_head_without_a_surface_is_kept_without_a_mesh(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_surface(*_: object, **__: object) -> None:
        raise InputError("the density never crosses the level")

    monkeypatch.setattr(presentation, "write_mesh", without_surface)
    listener = Listener()
    (outcome,) = invert_photos(
        [bench / "good.png"], bench / "out", method="guess", generator="spherical", progress=listener,
        photo=PhotoOptions(camera=bench / "camera.json", background="keep"), products=Products(False, True, False),
    )  # fmt: skip
    assert outcome.status == "done" and any("note: no mesh.glb" in line for line in listener.heard)
    assert not (bench / "out" / "good" / "mesh.glb").exists()


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="device 'warp'"):
        inverting.checked_device("warp")


def refusing(*refusals: Exception | None):
    """A `load_method` whose first method, second method, ... raises that (None: gives its name); of options, if so."""
    answers = dict(zip(DEFAULT_METHODS, refusals, strict=False))

    def load(name: str, *_: object, **options: object) -> str:
        answer = answers.get(name)
        if answer is not None and (options or not isinstance(answer, ConfigError)):
            raise answer
        return name

    return load


@pytest.mark.parametrize(("refusal", "options", "chosen", "why"), [
    (None, {}, "dual-encoder", ""),
    (WeightsError("none ship"), {}, "wplus", "none ship"),
    (CapabilityError("no planes as images"), {}, "wplus", "no planes as images"),
    (ConfigError("no presets"), {"preset": "fast"}, "wplus", "dual-encoder has no preset 'fast'"),
])  # fmt: skip
def test_the_default_method_is_the_first_that_can_be_built(
    monkeypatch: pytest.MonkeyPatch, spherical: SphericalGenerator, refusal: Exception | None,
    options: dict[str, str], chosen: str, why: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(inverting, "load_method", refusing(refusal))
    found = inverting.default_method(spherical, None, options)
    assert found.name == chosen
    assert found.note == ("" if refusal is None else f"the method is wplus: {why}")


@pytest.mark.parametrize(("refusal", "weights"), [
    (WeightsError("damaged"), Path("mine.safetensors")),
    (ConfigError("unknown option 'stps'"), None),
])  # fmt: skip
def test_what_the_user_gave_is_never_passed_over_for_another_method(
    monkeypatch: pytest.MonkeyPatch, spherical: SphericalGenerator, refusal: Exception, weights: Path | None
) -> None:
    monkeypatch.setattr(inverting, "load_method", refusing(refusal))
    with pytest.raises(type(refusal)):
        inverting.default_method(spherical, weights, {"stps": 3})


def test_options_are_not_held_against_a_method_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, spherical: SphericalGenerator
) -> None:
    def load(name: str, *_: object, **options: object) -> str:
        if name == "dual-encoder":
            raise ConfigError("unknown option 'steps'") if options else WeightsError("none ship")
        return name

    monkeypatch.setattr(inverting, "load_method", load)
    found = inverting.default_method(spherical, None, {"steps": 3})
    assert found.name == "wplus" and found.note == "the method is wplus: none ship"
