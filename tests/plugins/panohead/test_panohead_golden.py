"""The toy-size generators equal the official implementation in everything they compute."""

from __future__ import annotations

import pytest
import torch
from panohead_golden import OUTPUTS, generator, load

from toolkit.camera import Camera
from toolkit.rendering.marching import Trace, trace
from toolkit.rendering.rays import camera_rays
from toolkit_plugins.panohead.generator import PanoHead

TINY = pytest.mark.parametrize("name", ["tiny_released", "tiny_depth1_sigmoid"])
TOLERANCE = 1e-4
DENSITY_TOLERANCE = 1e-3


def case(name: str) -> tuple[float, int | None, int, int]:
    chosen = load(name).config["case"]
    return chosen["psi"], chosen["cutoff"], chosen["nrr0"], chosen["nrr1"]


@TINY
def test_mapping_truncates_like_the_official_one(name: str) -> None:
    golden, model = load(name), generator(name)
    psi, cutoff, _, _ = case(name)
    z, label = golden["in/z"], golden["in/c"]
    with torch.no_grad():
        assert golden.error("map/ws_psi1", model.mapping(z, label)) < 1e-5
        assert golden.error("map/ws_trunc", model.mapping(z, label, psi, cutoff)) < 1e-5
        assert golden.error("map/ws_trunc_nocutoff", model.mapping(z.double(), Camera(label), psi)) < 1e-5


@TINY
def test_camera_adapts_itself_with_the_same_truncation(name: str) -> None:
    golden, model = load(name), generator(name)
    psi, cutoff, _, _ = case(name)
    z, camera = golden["in/z"], Camera(golden["in/c"])
    with torch.no_grad():
        for key, shift in (
            ("psi1", model.camera_shift(z, camera)),
            ("trunc", model.camera_shift(z, camera, psi, cutoff)),
        ):
            assert golden.error(f"map/delta_c_{key}", shift) < 1e-5
            assert golden.error(f"map/c_new_{key}", camera.shifted(shift).label) < 1e-5


@TINY
def test_generate_equals_the_official_forward(name: str) -> None:
    golden, model = load(name), generator(name)
    psi, cutoff, side, _ = case(name)
    with torch.no_grad():
        render = model.generate(golden["in/z"], golden["in/c"], psi, cutoff, side)
    for key, value in zip(OUTPUTS, render, strict=True):
        assert golden.error(f"r0/{key}", value) < TOLERANCE, key


@TINY
def test_synthesis_with_another_background_and_no_noise(name: str) -> None:
    golden, model = load(name), generator(name)
    side = case(name)[3]
    ws = golden["map/ws_psi1"]
    with torch.no_grad():
        planes = model.planes(ws, noise="none")
        render = model.render(planes, ws, golden["in/c2"], side, ws_bcg=golden["in/r1_ws_bcg"], noise="none")
    for key, value in zip(("image", "image_raw_before_sr", "image_depth", "image_mask"), render, strict=True):
        assert golden.error(f"r1/{key}", value) < TOLERANCE, key


def trace_of(model: PanoHead, name: str) -> Trace:
    golden = load(name)
    psi, cutoff, side, _ = case(name)
    camera = Camera(golden["map/c_new_trunc"])
    volumes = model.volumes(model.planes(model.mapping(golden["in/z"], golden["in/c"], psi, cutoff)))
    return trace(
        lambda points: model.decoder(model.read(volumes, points)),
        camera_rays(camera, side),
        model.march_settings,
        keep=model.keeps,
    )


@TINY
def test_samples_and_weights_along_rays(name: str) -> None:
    golden = load(name)
    with torch.no_grad():
        steps = trace_of(generator(name), name)
    assert steps.coarse_weights is not None and steps.fine_depths is not None
    assert golden.error("r0/depths_coarse", steps.coarse_depths) < 1e-5
    assert golden.error("r0/marcher_coarse_weights", steps.coarse_weights) < TOLERANCE
    assert golden.error("r0/depths_fine", steps.fine_depths) < TOLERANCE
    assert golden.error("r0/marcher_final_depths", steps.depths) < TOLERANCE
    assert golden.error("r0/marcher_final_densities", steps.densities) < DENSITY_TOLERANCE
    assert golden.error("r0/marcher_final_weights", steps.weights) < TOLERANCE


def test_planes_are_the_official_channels_in_order() -> None:
    golden, model = load("tiny_released"), generator("tiny_released")
    with torch.no_grad():
        planes = model.planes(golden["map/ws_trunc"])
    assert golden.error("r0/planes_sub", model.as_images(planes)[:, ::9, 1::3, 2::3]) < TOLERANCE


@TINY
def test_point_queries_inside_and_outside_the_box(name: str) -> None:
    golden, model = load(name), generator(name)
    with torch.no_grad():
        found = model.query(model.planes(golden["map/ws_psi1"]), golden["pts/coordinates"])
    assert golden.error("pts/sigma", found.density) < DENSITY_TOLERANCE
    assert golden.error("pts/rgb", found.features) < TOLERANCE


@TINY
def test_gradients_reach_latents_and_camera(name: str) -> None:
    golden, model = load(name), generator(name)
    ws = golden["map/ws_trunc"].clone().requires_grad_()
    label = golden["in/c"].clone().requires_grad_()
    render = model.render(model.planes(ws), ws, label, case(name)[2])
    loss = render.image.square().mean() + render.raw.square().mean() + render.mask.square().mean()
    for key, value in zip(("grad/ws", "grad/c"), torch.autograd.grad(loss, (ws, label)), strict=True):
        assert golden.error(key, value) < 1e-4 * float(golden[key].abs().max()), key
    assert golden.error("grad/loss", loss) < 1e-5


@TINY
def test_marching_agrees_with_rendering(name: str) -> None:
    golden, model = load(name), generator(name)
    psi, cutoff, side, _ = case(name)
    with torch.no_grad():
        planes = model.planes(model.mapping(golden["in/z"], golden["in/c"], psi, cutoff))
        depth, opacity = model.march(planes, golden["map/c_new_trunc"], side)
    assert golden.error("r0/image_depth", depth) < TOLERANCE
    assert golden.error("r0/weights_sum", opacity) < TOLERANCE
