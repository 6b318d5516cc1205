from __future__ import annotations

import pytest
import torch
from encoder_golden import TOLERANCE, build_full, build_small, load, made_input, small_input
from toy_generator import ToyGenerator

from toolkit.camera import Camera
from toolkit.encoders.networks.plane_unet import PlaneOffsets, PlaneRefiner, PlaneUnetConfig
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig
from toolkit.encoders.triplanenet import TriPlaneNetV1, TriPlaneNetV2
from toolkit.errors import CapabilityError, ConfigError

TRUNK = {"width": 8, "units": (1, 1, 1, 2)}


def average_w() -> torch.Tensor:
    name = "input:triplanenet_pipeline/latent_avg"
    return made_input(1, {"kind": "normal", "name": name, "shape": [512], "scale": 0.3})


@pytest.mark.slow
def test_the_first_version_equals_the_published_one():
    golden, generator = load("triplanenet_v1_pipeline"), ToyGenerator()
    net = TriPlaneNetV1(build_full("psp_gradual_encoder"), build_full("triplanenet_v1_encoder"), average_w()).eval()  # type: ignore[arg-type]
    image = golden.inputs["image"]
    camera, novel = Camera.from_label(golden["camera"]), Camera.from_label(golden["novel_camera"])
    with torch.no_grad():
        first = net.first(image, camera, generator)
        code = net.second(first, image, camera, generator)
        again = net.second(first, image, camera, generator, refinements=1)
        values = {
            "codes": first.ws,
            "first_render": first.view,
            "offsets": net.offsets(first.view, image),
            "y_hat": net.view(code.planes, code.ws, camera, generator),
            "y_hat_novel": net.view(code.planes, code.ws, novel, generator),
            "y_hat_novel_cttr": net.view(again.planes, again.ws, novel, generator),
        }
    assert {name: error for name, value in values.items() if (error := golden.error(name, value)) >= TOLERANCE} == {}


@pytest.mark.slow
def test_the_second_version_equals_the_published_one():
    golden, generator = load("triplanenet_v2_pipeline"), ToyGenerator()
    net = TriPlaneNetV2(build_full("psp_gradual_encoder"), build_full("triplanenet_v2_encoder"), average_w()).eval()  # type: ignore[arg-type]
    image = golden.inputs["image"]
    camera, novel = Camera.from_label(golden["camera"]), Camera.from_label(golden["novel_camera"])
    torch.testing.assert_close(camera.mirror().label, golden["mirror_camera"])
    with torch.no_grad():
        first = net.first(image, camera, generator)
        mirrored = net.mirrored_view(first, camera, generator)
        code = net.second(first, mirrored, image, generator)
        values = {
            "codes": first.ws,
            "first_render": first.view,
            "first_render_mirror": mirrored,
            "planes": code.planes,
            "y_hat": net.view(code.planes, code.ws, camera, generator),
            "y_hat_mirror_view": net.view(code.planes, code.ws, camera.mirror(), generator),
            "y_hat_novel": net.view(code.planes, code.ws, novel, generator),
        }
    assert {name: error for name, value in values.items() if (error := golden.error(name, value)) >= TOLERANCE} == {}


def small_pair(generator, version: int) -> TriPlaneNetV1 | TriPlaneNetV2:
    torch.manual_seed(0)
    spec = generator.spec
    first = GradualStyleEncoder(StyleEncoderConfig.for_generator(spec, image_size=32, **TRUNK))
    centre = torch.zeros(spec.latents.num_ws, spec.latents.w_dim)
    channels = 6 if version == 1 else 9
    scale = {"pixel_shuffle": True, "plane_scale": 2, "width": 16} if version == 1 else {}
    config = PlaneUnetConfig.for_generator(generator, **{**TRUNK, **scale, "in_channels": channels})
    if version == 1:
        return TriPlaneNetV1(first, PlaneOffsets(config), centre).eval()
    return TriPlaneNetV2(first, PlaneRefiner(config), centre).eval()


def test_the_second_version_works_on_a_generator_that_is_no_tri_grid(spherical):
    net, spec = small_pair(spherical, 2), spherical.spec
    image, camera = small_input("image", 2, 3, spec.image_size, spec.image_size), spec.front_camera.expand(2)
    with torch.no_grad():
        code = net.encode(image, camera, spherical)
        alone = net.encode(image[1:], camera[1:], spherical)
    assert code.ws.shape == (2, spec.latents.num_ws, spec.latents.w_dim)
    assert code.planes.shape == (2, *spec.planes_shape)
    torch.testing.assert_close(alone.planes, code.planes[1:], atol=1e-3, rtol=1e-3)


def test_gradients_of_one_stage_never_reach_the_other(spherical):
    net = small_pair(spherical, 2)
    assert isinstance(net, TriPlaneNetV2)
    image, camera = small_input("image", 1, 3, 32, 32), spherical.spec.front_camera
    first = net.first(image, camera, spherical)
    code = net.second(first, net.mirrored_view(first, camera, spherical), image, spherical)
    net.view(code.planes, code.ws, camera, spherical).square().mean().backward()
    assert all(parameter.grad is None for parameter in net.psp_encoder.parameters())
    assert any(float(parameter.grad.abs().sum()) > 0 for parameter in net.triplanenet_encoder.parameters())
    net.zero_grad()
    first.view.square().mean().backward()
    assert any(float(parameter.grad.abs().sum()) > 0 for parameter in net.psp_encoder.parameters())
    assert all(parameter.grad is None for parameter in net.triplanenet_encoder.parameters())


def test_the_average_w_is_not_in_the_checkpoint_and_may_be_one_vector(spherical):
    net = small_pair(spherical, 2)
    assert {key.split(".")[0] for key in net.state_dict()} == {"psp_encoder", "triplanenet_encoder"}
    latents = spherical.spec.latents
    other = TriPlaneNetV2(net.psp_encoder, net.triplanenet_encoder, torch.ones(latents.w_dim))  # type: ignore[arg-type]
    assert other.average_latent.shape == (latents.num_ws, latents.w_dim)
    with pytest.raises(ConfigError, match="average w"):
        TriPlaneNetV2(net.psp_encoder, net.triplanenet_encoder, torch.ones(3))  # type: ignore[arg-type]


def test_stages_and_generators_that_do_not_fit_are_refused(spherical, bare):
    net = small_pair(spherical, 2)
    with pytest.raises(ConfigError, match="6 channels"):
        TriPlaneNetV1(net.psp_encoder, net.triplanenet_encoder, net.average_latent)  # type: ignore[arg-type]
    with pytest.raises(CapabilityError, match="as images"):
        net.encode(small_input("image", 1, 3, 32, 32), bare.spec.front_camera, bare)


def test_refinements_of_the_first_version_replace_the_offsets():
    generator = ToyGenerator()
    config = PlaneUnetConfig(pixel_shuffle=True, in_channels=6, width=8, units=(1, 1, 1, 2), head_width=8)
    first = GradualStyleEncoder(StyleEncoderConfig(width=8, units=(1, 1, 1, 1)))
    torch.manual_seed(0)
    net = TriPlaneNetV1(first, PlaneOffsets(config), average_w()).eval()
    image, camera = small_input("image", 1, 3, 256, 256), Camera.orbit(0.3)
    with torch.no_grad():
        start = net.first(image, camera, generator)
        once = net.encode(image, camera, generator)
        twice = net.encode(image, camera, generator, refinements=1)
        seen = net.view(once.planes, once.ws, camera, generator)
        assert torch.equal(twice.planes, start.planes + net.offsets(seen, image))
    assert not torch.equal(twice.planes, once.planes)


def test_published_checkpoints_name_the_stages_as_ours_do():
    assert isinstance(build_small("psp_gradual_encoder"), GradualStyleEncoder)
    assert isinstance(build_small("triplanenet_v2_encoder"), PlaneRefiner)


def recorded_inputs(net: TriPlaneNetV1 | TriPlaneNetV2) -> list[tuple[torch.Tensor, ...]]:
    calls: list[tuple[torch.Tensor, ...]] = []
    net.triplanenet_encoder.register_forward_pre_hook(lambda module, inputs: calls.append(inputs))
    return calls


def test_the_second_version_is_shown_render_error_and_mirrored_error(spherical):
    net = small_pair(spherical, 2)
    calls, image = recorded_inputs(net), small_input("image", 1, 3, 32, 32)
    camera = Camera.orbit(0.5, 0.1)
    with torch.no_grad():
        ws = net.psp_encoder(image) + net.average_latent
        planes = spherical.planes(ws)
        view, mirrored = (
            torch.nn.functional.interpolate(spherical.render(planes, ws, c).image, size=32, mode="area")
            for c in (camera, camera.mirror())
        )
        code = net.encode(image, camera, spherical)
        expected = torch.cat([view, image - view, image.flip(3) - mirrored], dim=1)
        torch.testing.assert_close(calls[0][0], expected)
        torch.testing.assert_close(calls[0][1], spherical.as_images(planes))
        refined = net.triplanenet_encoder(expected, spherical.as_images(planes))
        torch.testing.assert_close(code.planes, spherical.from_images(refined))
    assert float((mirrored - view).abs().max()) > 0.01  # otherwise the test says nothing about the camera


def test_the_first_version_is_shown_render_and_error():
    generator = ToyGenerator()
    torch.manual_seed(0)
    first = GradualStyleEncoder(StyleEncoderConfig(width=8, units=(1, 1, 1, 1)))
    config = PlaneUnetConfig(pixel_shuffle=True, in_channels=6, width=8, units=(1, 1, 1, 1), head_width=8)
    net = TriPlaneNetV1(first, PlaneOffsets(config), average_w()).eval()
    calls, image, camera = recorded_inputs(net), small_input("image", 1, 3, 256, 256), Camera.orbit(0.3)
    with torch.no_grad():
        code = net.encode(image, camera, generator)
        ws = net.psp_encoder(image) + average_w()
        view = torch.nn.functional.avg_pool2d(generator.render(generator.planes(ws), ws, camera).image, 2)
        torch.testing.assert_close(calls[0][0], torch.cat([view, image - view], dim=1))
        offsets = net.triplanenet_encoder(calls[0][0])
        torch.testing.assert_close(code.planes, generator.planes(ws) + offsets)
