"""SphereHead equals the official implementation, and passes the toolkit's conformance suite."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.apps.plugin_cards import describe
from toolkit.camera import Camera
from toolkit.errors import ConfigError, WeightsError
from toolkit.registry import default_registry
from toolkit.rendering.occlusion import occlusion_mask
from toolkit.testing import conformance
from toolkit.weights.store import imported_file
from toolkit_spherehead.architecture import SphereHeadArchitecture
from toolkit_spherehead.config import SphereHeadConfig
from toolkit_spherehead.generator import SphereHead
from toolkit_spherehead.loading import load as load_file
from toolkit_spherehead.loading import load_spherehead, save

TINY = pytest.mark.parametrize("name", ["tiny_released", "tiny_sigmoid_parsing"])
TOLERANCE = 1e-4
OUTPUTS = ("image", "image_raw", "image_depth", "image_mask")


class Golden:
    """One file: arrays as tensors, its configuration, its largest difference from ours."""

    def __init__(self, name: str) -> None:
        with np.load(Path(__file__).parent / "data" / f"{name}.npz") as file:
            self.arrays = {key: np.asarray(file[key]) for key in file.files}
        self.config: dict[str, Any] = json.loads(str(self.arrays["config"]))
        case = self.config["case"]
        self.case = case["psi"], case["cutoff"], case["nrr0"], case["nrr1"]

    def __getitem__(self, key: str) -> Tensor:
        return torch.from_numpy(self.arrays[key])

    def state_dict(self) -> dict[str, Tensor]:
        return {key[3:]: self[key] for key in self.arrays if key.startswith("sd/")}

    def error(self, key: str, value: Tensor) -> float:
        return float((value.detach().reshape(self[key].shape) - self[key]).abs().max())


@cache
def load(name: str) -> Golden:
    return Golden(name)


@cache
def generator(name: str) -> SphereHead:
    golden = load(name)
    built = SphereHeadArchitecture().build(golden.state_dict(), golden.config)
    built.load_state_dict(golden.state_dict())
    return built.eval()


@TINY
def test_camera_adapts_itself_with_the_same_truncation(name: str) -> None:
    golden, model = load(name), generator(name)
    psi, cutoff, _, _ = golden.case
    z, camera = golden["in/z"], Camera(golden["in/c"])
    with torch.no_grad():
        assert golden.error("map/ws_trunc", model.mapping(z, camera, psi, cutoff)) < 1e-5
        assert golden.error("map/delta_c_trunc", model.camera_shift(z, camera, psi, cutoff)) < 1e-5


@TINY
def test_generate_equals_the_official_forward(name: str) -> None:
    golden, model = load(name), generator(name)
    psi, cutoff, side, _ = golden.case
    with torch.no_grad():
        planes = model.planes(model.mapping(golden["in/z"], golden["in/c"], psi, cutoff))
        render = model.generate(golden["in/z"], golden["in/c"], psi, cutoff, side)
    assert golden.error("r0/planes", planes) < TOLERANCE
    for key, value in zip(OUTPUTS, render, strict=True):
        assert golden.error(f"r0/{key}", value) < TOLERANCE, key


@TINY
def test_synthesis_with_another_background_and_no_noise(name: str) -> None:
    golden, model = load(name), generator(name)
    ws = golden["map/ws_psi1"]
    styles = golden["in/r1_ws_bcg"] if "in/r1_ws_bcg" in golden.arrays else None
    with torch.no_grad():
        planes = model.planes(ws, noise="none")
        render = model.render(planes, ws, golden["in/c2"], golden.case[3], ws_bcg=styles, noise="none")
    for key, value in zip(("image", "image_raw_before_sr", "image_depth", "image_mask"), render, strict=True):
        assert golden.error(f"r1/{key}", value) < TOLERANCE, key


@TINY
def test_point_queries_on_seams_poles_and_the_origin(name: str) -> None:
    golden, model = load(name), generator(name)
    with torch.no_grad():
        found = model.query(model.planes(golden["map/ws_psi1"]), golden["pts/coordinates"])
    assert golden.error("pts/sigma", found.density) < 1e-3
    assert golden.error("pts/rgb", found.features) < TOLERANCE


@TINY
def test_gradients_reach_latents_and_camera(name: str) -> None:
    golden, model = load(name), generator(name)
    ws = golden["map/ws_trunc"].clone().requires_grad_()
    label = golden["in/c"].clone().requires_grad_()
    render = model.render(model.planes(ws), ws, label, golden.case[2])
    loss = render.image.square().mean() + render.raw.square().mean() + render.mask.square().mean()
    for key, value in zip(("grad/ws", "grad/c"), torch.autograd.grad(loss, (ws, label)), strict=True):
        assert golden.error(key, value) < 1e-4 * float(golden[key].abs().max()), key


def test_gradients_are_finite_on_axes_and_at_the_origin() -> None:
    model = generator("tiny_released")
    points = torch.tensor([[[0.0, 0, 0], [0.2, 0, 0], [0, 0.2, 0], [0, 0, 0.2], [0, 0, -0.2]]], requires_grad=True)
    found = model.query(model.planes(load("tiny_released")["map/ws_psi1"][:1]), points)
    (gradient,) = torch.autograd.grad(found.density.sum() + found.features.sum(), points)
    assert torch.isfinite(gradient).all()


@TINY
def test_footprint_is_the_adjoint_of_reading(name: str) -> None:
    golden, model = load(name), generator(name)
    occupancy = model.footprint(golden["footprint/points"], golden["footprint/weights"])
    assert golden.error("footprint/adjoint", occupancy[0]) < 1e-5


def test_a_front_view_leaves_the_middle_of_the_rear_ball_occluded() -> None:
    model = generator("tiny_released")
    face = torch.tensor([[[0.0, 0.0, 0.3], [0.05, -0.05, 0.28]]])
    seen = model.visible_entries(face, torch.ones(1, 2))
    assert seen[:, 0].any()
    assert not seen[:, 1].any()
    assert model.footprint(face)[:, 1].any()


def test_parsing_gives_probabilities() -> None:
    golden, model = load("tiny_sigmoid_parsing"), generator("tiny_sigmoid_parsing")
    with torch.no_grad():
        classes = model.parsing(golden["r0/feature_image"], golden["map/ws_trunc"])
    assert golden.error("r0/image_parsing", classes) < TOLERANCE


def test_official_keywords_with_another_depth_are_refused() -> None:
    with pytest.raises(ConfigError, match="triplane_depth"):
        SphereHeadConfig.from_golden_config({**load("tiny_released").config, "triplane_depth": 1})


def test_a_file_keeps_every_weight(tmp_path: Path) -> None:
    model = generator("tiny_released")
    save(model, tmp_path / "weights.safetensors")
    assert load_file(tmp_path / "weights.safetensors").spec.fingerprint == model.spec.fingerprint


def test_it_conforms_and_has_an_occlusion_mask() -> None:
    model = generator("tiny_sigmoid_parsing")
    conformance.check_generator(model)
    planes = model.planes(load("tiny_sigmoid_parsing")["map/ws_psi1"])
    mask = occlusion_mask(model, planes, load("tiny_sigmoid_parsing")["in/c"], 24)
    assert mask.shape == (2, 2, 3, 16, 16)
    assert 0 < float(mask.mean()) <= 1


def test_plugins_show_tells_paper_authors_and_status() -> None:
    registry = default_registry()
    card = describe(registry.get("generator", "spherehead"), registry).card
    assert card is not None
    assert "ECCV 2024" in card.paper and card.authors and card.evidence
    assert card.status == "works"


def test_imported_weights_need_no_path_and_missing_ones_say_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match="toolkit weights import spherehead"):
        load_spherehead(None)
    model = generator("tiny_released")
    save(model, imported_file("spherehead"))
    assert load_spherehead(None).spec.fingerprint == model.spec.fingerprint
