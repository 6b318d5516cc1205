"""The toy-size generators equal the official implementation in everything they compute."""

from __future__ import annotations

import pytest
import torch
from eg3d_golden import generator, load
from volume_golden import load_drawn_weights

from toolkit.camera import Camera
from toolkit.rendering.marching import trace
from toolkit.rendering.rays import camera_rays
from toolkit_plugins.eg3d.generator import EG3D

TINY = pytest.mark.parametrize("name", ["tiny_ffhq", "tiny_shapenet"])
TOLERANCE = 1e-4
DENSITY_TOLERANCE = 1e-3


@TINY
def test_mapping_truncates_like_the_official_one(name: str) -> None:
    golden, model = load(name), generator(name)
    psi, cutoff, _, _ = golden.case
    z, label = golden["in/z"], golden["in/c"]
    with torch.no_grad():
        assert golden.error("map/ws_psi1", model.mapping(z, label)) < 1e-5
        assert golden.error("map/ws_trunc", model.mapping(z, label, psi, cutoff)) < 1e-5
        assert golden.error("map/ws_trunc_nocutoff", model.mapping(z, Camera(label), psi)) < 1e-5


@TINY
def test_generate_equals_the_official_forward(name: str) -> None:
    golden, model = load(name), generator(name)
    psi, cutoff, side, _ = golden.case
    with torch.no_grad():
        planes = model.planes(model.mapping(golden["in/z"], golden["in/c"], psi, cutoff))
        render = model.generate(golden["in/z"], golden["in/c"], psi, cutoff, side)
    assert golden.error("r0/planes", planes) < TOLERANCE
    for key, value in zip(("image", "image_raw", "image_depth"), render, strict=False):
        assert golden.error(f"r0/{key}", value) < TOLERANCE, key
    opacity = golden["r0/weights_sum"].reshape(render.mask.shape)
    assert float((render.mask - (opacity * 1.002 - 0.001)).abs().max()) < TOLERANCE


@TINY
def test_synthesis_without_noise_and_another_size(name: str) -> None:
    golden, model = load(name), generator(name)
    ws = golden["map/ws_psi1"]
    with torch.no_grad():
        planes = model.planes(ws, noise="none")
        render = model.render(planes, ws, golden["in/c2"], golden.case[3], noise="none")
    for key, value in zip(("image", "image_raw_before_sr", "image_depth"), render, strict=False):
        assert golden.error(f"r1/{key}", value) < TOLERANCE, key


@TINY
def test_samples_and_weights_along_rays(name: str) -> None:
    golden, model = load(name), generator(name)
    psi, cutoff, side, _ = golden.case
    with torch.no_grad():
        planes = model.planes(model.mapping(golden["in/z"], golden["in/c"], psi, cutoff))
        steps = trace(
            lambda points: model.decoder(model.read(model.volumes(planes), points)),
            camera_rays(Camera(golden["in/c"]), side),
            model.march_settings,
            keep=model.crop,
        )
    assert steps.coarse_weights is not None and steps.fine_depths is not None
    assert golden.error("r0/depths_coarse", steps.coarse_depths) < 1e-5
    assert golden.error("r0/marcher_coarse_weights", steps.coarse_weights) < TOLERANCE
    assert golden.error("r0/depths_fine", steps.fine_depths) < TOLERANCE
    assert golden.error("r0/marcher_final_depths", steps.depths) < TOLERANCE
    assert golden.error("r0/marcher_final_densities", steps.densities) < DENSITY_TOLERANCE
    assert golden.error("r0/marcher_final_weights", steps.weights) < TOLERANCE


@TINY
def test_point_queries_inside_and_outside_the_box(name: str) -> None:
    golden, model = load(name), generator(name)
    with torch.no_grad():
        found = model.query(model.planes(golden["map/ws_psi1"]), golden["pts/coordinates"])
    assert golden.error("pts/sigma", found.density) < DENSITY_TOLERANCE
    assert golden.error("pts/rgb", found.features) < TOLERANCE


def test_mended_plane_axes_are_another_generator() -> None:
    golden, model = load("tiny_ffhq"), generator("tiny_ffhq", "fixed")
    psi, cutoff, side, _ = golden.case
    with torch.no_grad():
        render = model.generate(golden["in/z"], golden["in/c"], psi, cutoff, side)
        found = model.query(model.planes(golden["map/ws_psi1"]), golden["pts/coordinates"])
    for key, value in zip(("image", "image_raw", "image_depth"), render, strict=False):
        assert golden.error(f"r0_other_axes/{key}", value) < TOLERANCE, key
    assert golden.error("pts/rgb_other_axes", found.features) < TOLERANCE
    assert golden.error("pts/rgb", found.features) > 100 * TOLERANCE
    assert model.spec.fingerprint != generator("tiny_ffhq").spec.fingerprint


@TINY
def test_gradients_reach_latents_and_camera(name: str) -> None:
    golden, model = load(name), generator(name)
    ws = golden["map/ws_trunc"].clone().requires_grad_()
    label = golden["in/c"].clone().requires_grad_()
    render = model.render(model.planes(ws), ws, label, golden.case[2])
    loss = render.image.square().mean() + render.raw.square().mean()
    for key, value in zip(("grad/ws", "grad/c"), torch.autograd.grad(loss, (ws, label)), strict=True):
        assert golden.error(key, value) < 1e-4 * float(golden[key].abs().max()), key
    assert golden.error("grad/loss", loss) < 1e-5


@TINY
def test_footprint_is_the_adjoint_of_reading(name: str) -> None:
    golden, model = load(name), generator(name)
    occupancy = model.footprint(golden["footprint/points"], golden["footprint/weights"])
    assert golden.error("footprint/adjoint", occupancy[0]) < 1e-5


@TINY
def test_marching_agrees_with_rendering(name: str) -> None:
    golden, model = load(name), generator(name)
    psi, cutoff, side, _ = golden.case
    with torch.no_grad():
        planes = model.planes(model.mapping(golden["in/z"], golden["in/c"], psi, cutoff))
        depth, opacity = model.march(planes, golden["in/c"], side)
    assert golden.error("r0/image_depth", depth) < TOLERANCE
    assert golden.error("r0/weights_sum", opacity) < TOLERANCE


@pytest.mark.slow
def test_full_size_forward_equals_the_official_one() -> None:
    golden, model = load("fullsize_recipe"), EG3D().eval()
    load_drawn_weights(model, golden)
    psi, cutoff = golden.config["case"]["psi"], golden.config["case"]["cutoff"]
    z, label = golden["in/z"], golden["in/c"]
    with torch.no_grad():
        ws = model.mapping(z, label, psi, cutoff)
        planes = model.planes(ws)
        render = model.generate(z, label, psi, cutoff, 64)
    differences = {
        "map/ws_trunc": ws[:, [0, 13]],
        "planes_sub": planes[..., ::3, 5::16, 3::16],
        "planes_mean": planes.mean(dim=(3, 4)),
        "planes_std": planes.std(dim=(3, 4), unbiased=False),
        "image_raw": render.raw,
        "image_depth": render.depth,
        "image_sub": render.image[:, :, 1::4, 2::4],
        "image_crop": render.image[:, :, 224:288, 200:264],
    }
    for key, value in differences.items():
        assert golden.error(key, value) < 3e-4, key
