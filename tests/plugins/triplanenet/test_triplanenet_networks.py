from __future__ import annotations

from typing import Any

import pytest
import torch
from encoder_golden import (
    SMALL,
    TOLERANCE,
    build_full,
    build_small,
    load,
    published_shapes,
    small_error,
    small_input,
    small_state,
    weights,
)

from toolkit.encoders.networks.plane_unet import PlaneOffsets, PlaneRefiner, PlaneUnetConfig
from toolkit.errors import CapabilityError, ConfigError, InputError, WeightsError
from toolkit.weights import build_official
from toolkit_plugins.triplanenet.architecture import V1Architecture, V2Architecture, V2ShuffleArchitecture

V1, V2, V2_SHUFFLE = "triplanenet_v1_encoder", "triplanenet_v2_encoder", "triplanenet_v2_encoder_pixelshuffle"
ARCHITECTURES = [V1Architecture, V2Architecture, V2ShuffleArchitecture]
TRUNK: dict[str, Any] = {"width": 8, "units": (1, 1, 1, 2)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [V1, V2, V2_SHUFFLE])
def test_second_stages_equal_the_published_ones(kind: str):
    golden, net = load(kind), build_full(kind)
    found: dict[str, torch.Tensor] = {}
    head = "final_head" if kind == V1 else "final_head_two"
    for name, part in (*((f"up{i}", f"up{i}") for i in (1, 2, 3, 4)), ("offsets", head)):
        hook = lambda module, inputs, output, name=name: found.__setitem__(name, output)  # noqa: E731
        getattr(net, part).register_forward_hook(hook)
    x = golden.inputs
    with torch.no_grad():
        if kind == V1:
            found["offsets"] = net(torch.cat([x["render"], x["residual"]], 1))
        else:
            found["planes"] = net(torch.cat([x["render"], x["residual"], x["mirror_residual"]], 1), x["triplanes"])
    for name, value in found.items():
        assert golden.error(name, value) < TOLERANCE, name


@pytest.mark.parametrize("kind", [V1, V2, V2_SHUFFLE])
def test_small_networks_give_what_they_gave(kind: str):
    assert small_error(kind) < TOLERANCE


@pytest.mark.parametrize("kind", [V1, V2, V2_SHUFFLE])
def test_sizes_and_variant_follow_from_the_shapes(kind: str):
    config = build_small(kind).config
    assert isinstance(config, PlaneUnetConfig)
    assert (config.plane_channels, config.head_width, config.width) == (12, 10, 8)
    assert config.pixel_shuffle == (kind != V2)
    assert config.in_channels == (6 if kind == V1 else 9)
    assert config.units == tuple(SMALL[kind]["units"])


def test_either_name_of_the_second_version_builds_either_variant():
    for kind, other in ((V2, V2_SHUFFLE), (V2_SHUFFLE, V2)):
        state, planes = small_state(kind), small_input("planes", 1, 12, 64, 64)
        images = small_input("images", 1, 9, 64, 64)
        assert torch.equal(build_official(other, state)(images, planes), build_official(kind, state)(images, planes))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_published_tables_are_recognised_by_one_architecture_and_the_networks_own(architecture: type):
    own = architecture()
    assert {other().kind for other in ARCHITECTURES if own.recognises(published_shapes(other().kind))} == {own.kind}
    assert not own.recognises(published_shapes("psp_gradual_encoder"))
    shapes = published_shapes(own.kind)
    with torch.device("meta"):
        net = own.build({key: torch.empty(shape) for key, shape in shapes.items()})
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == shapes


@pytest.mark.parametrize("head_width", [96, 288])
def test_panoheads_planes_need_the_heads_that_the_spec_counts(head_width: int):
    with torch.device("meta"):
        nearest = PlaneRefiner(PlaneUnetConfig(plane_channels=288, head_width=head_width))
        shuffled = PlaneRefiner(PlaneUnetConfig(plane_channels=288, head_width=head_width, pixel_shuffle=True))
    assert nearest.final_head_two[0].weight.shape == (head_width, 352, 3, 3)
    assert shuffled.final_head_two[0].weight.shape == (head_width, 312, 3, 3)
    assert nearest.final_head_two[4].weight.shape == (288, head_width, 1, 1)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_shuffled_planes_may_be_larger_or_smaller_than_the_images(scale: int):
    config = PlaneUnetConfig(
        plane_channels=5, head_width=7, pixel_shuffle=True, plane_scale=scale, **{**TRUNK, "width": 32}
    )
    state = weights(1, {key: tuple(value.shape) for key, value in PlaneRefiner(config).state_dict().items()})
    net = build_official(V2_SHUFFLE, state)
    assert net.config.plane_scale == scale
    planes = torch.zeros(1, 5, 16 * scale, 16 * scale)
    assert net(torch.zeros(1, 9, 32, 32), planes).shape == planes.shape
    with pytest.raises(InputError, match="plane_scale"):
        net(torch.zeros(1, 9, 64, 64), planes)


def test_sizes_come_from_the_generator(spherical, bare):
    config = PlaneUnetConfig.for_generator(spherical, **TRUNK)
    net = PlaneRefiner(config).eval()
    planes = torch.randn(2, *spherical.spec.planes_shape)
    images = torch.zeros(2, config.in_channels, config.image_size, config.image_size)
    refined = spherical.from_images(net(images, spherical.as_images(planes)))
    assert refined.shape == planes.shape
    refined.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    with pytest.raises(CapabilityError, match="as images"):
        PlaneUnetConfig.for_generator(bare)


def test_impossible_sizes_and_inputs_are_refused():
    with pytest.raises(ConfigError, match="multiple of 16"):
        PlaneUnetConfig(image_size=100)
    with pytest.raises(ConfigError, match="shuffled"):
        PlaneUnetConfig(width=8, pixel_shuffle=True, plane_scale=8)
    with pytest.raises(ConfigError, match="pixel_shuffle"):
        PlaneOffsets(PlaneUnetConfig())
    with pytest.raises(InputError, match=r"\[B, 9, S, S\]"):
        build_small(V2)(torch.zeros(1, 6, 64, 64), torch.zeros(1, 12, 64, 64))


@pytest.mark.parametrize(
    "key", ["up1.conv.double_conv.1.bias", "up2.conv.double_conv.2.weight", "final_head_two.4.bias"]
)
def test_wrong_shapes_and_missing_keys_are_named(key: str):
    state = small_state(V2)
    whole = state[key]
    state[key] = torch.zeros(len(whole) + 1)
    with pytest.raises(WeightsError, match=f"wrong shapes: {key} is"):
        build_official(V2, state)
    del state[key]
    with pytest.raises(WeightsError, match=f"missing keys: {key}$"):
        build_official(V2, state)
