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
)

from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig
from toolkit.errors import ConfigError, InputError, WeightsError
from toolkit.weights import build_official
from toolkit_plugins.psp.architecture import (
    Gradual18Architecture,
    GradualArchitecture,
    LastLayerWArchitecture,
    LastLayerWPlusArchitecture,
)

KINDS = ["psp_gradual_encoder", "psp_last_layer_w", "psp_last_layer_wplus"]
ARCHITECTURES = [GradualArchitecture, Gradual18Architecture, LastLayerWArchitecture, LastLayerWPlusArchitecture]


@pytest.mark.slow
def test_the_pyramid_encoder_equals_the_published_one():
    golden, net = load("psp_gradual_encoder"), build_full("psp_gradual_encoder")
    assert isinstance(net, GradualStyleEncoder) and net.config == StyleEncoderConfig()
    with torch.no_grad():
        maps = net.levels(golden.inputs["image"])
        stages = net.pyramid(golden.inputs["image"])
        codes = net(golden.inputs["image"])
    assert golden.error("codes", codes) < TOLERANCE
    for name, value in zip(("c1", "c2", "c3"), stages[1:], strict=True):
        assert golden.error(name, value) < TOLERANCE, name
    for name, value in zip(("c3", "p2", "p1"), maps, strict=True):
        assert golden.error(name, value) < TOLERANCE, name


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "output"), [("psp_last_layer_w", "code"), ("psp_last_layer_wplus", "codes")])
def test_last_layer_encoders_equal_the_published_ones(kind: str, output: str):
    golden, net = load(kind), build_full(kind)
    with torch.no_grad():
        assert golden.error(output, net(golden.inputs["image"])) < TOLERANCE


@pytest.mark.slow
def test_the_18_style_encoder_loads_and_gives_18_styles():
    shapes = published_shapes("psp_gradual_encoder_18styles")
    net = build_official("psp_gradual_encoder_18styles", {key: torch.zeros(shape) for key, shape in shapes.items()})
    with torch.no_grad():
        assert net(torch.zeros(1, 3, 256, 256)).shape == (1, 18, 512)


@pytest.mark.parametrize("kind", KINDS)
def test_small_networks_give_what_they_gave(kind: str):
    assert small_error(kind) < TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_follow_from_the_shapes(kind: str):
    net: Any = build_small(kind)
    for key, value in SMALL[kind].items():
        assert getattr(net.config, key) == (tuple(value) if isinstance(value, list) else value), key
    assert not net.training


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_published_tables_are_recognised_by_their_own_architecture_only(architecture: type):
    own = architecture()
    recognised = {other().kind for other in ARCHITECTURES if own.recognises(published_shapes(other().kind))}
    assert recognised == {own.kind}
    assert not own.recognises(published_shapes("irse50_arcface"))
    assert not own.recognises(published_shapes("triplanenet_v1_encoder"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_published_tables_are_the_networks_own(architecture: type):
    shapes = published_shapes(architecture().kind)
    with torch.device("meta"):
        net = architecture().build({key: torch.empty(shape) for key, shape in shapes.items()})
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == shapes


@pytest.mark.parametrize(
    "key", ["input_layer.1.weight", "body.2.res_layer.3.weight", "styles.4.linear.weight", "styles.8.convs.6.bias"]
)
def test_one_wrong_shape_is_named(key: str):
    state = small_state("psp_gradual_encoder")
    state[key] = torch.zeros(state[key].shape[0] + 1, *state[key].shape[1:])
    with pytest.raises(WeightsError, match=f"wrong shapes: {key} is"):
        build_official("psp_gradual_encoder", state)


@pytest.mark.parametrize(
    "key", ["input_layer.0.weight", "styles.8.linear.bias", "latlayer2.weight", "body.6.res_layer.4.bias"]
)
def test_one_missing_key_is_named(key: str):
    state = small_state("psp_gradual_encoder")
    del state[key]
    with pytest.raises(WeightsError, match=f"missing keys: {key}$"):
        build_official("psp_gradual_encoder", state)


@pytest.mark.parametrize("rows", [2 * 7168, 7168 // 2])
def test_a_wrong_number_of_codes_is_named_and_not_its_neighbour(rows: int):
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in published_shapes("psp_last_layer_wplus").items()}
        state["linear.weight"] = torch.empty(rows, 512)
        with pytest.raises(
            WeightsError, match=rf"wrong shapes: linear\.weight is \[{rows}, 512], expected \[7168, 512]$"
        ):
            build_official("psp_last_layer_wplus", state)


def test_one_key_too_many_is_named_and_counters_may_be_missing():
    state = {key: value for key, value in small_state("psp_last_layer_w").items() if "num_batches" not in key}
    build_official("psp_last_layer_w", state)
    with pytest.raises(WeightsError, match="unexpected keys: styles"):
        build_official("psp_last_layer_w", {**state, "styles.0.linear.bias": torch.zeros(1)})


def test_unknown_and_impossible_settings_are_refused():
    state = small_state("psp_gradual_encoder")
    with pytest.raises(ConfigError, match="did you mean 'styles'"):
        build_official("psp_gradual_encoder", state, {"style": 9})
    with pytest.raises(ConfigError, match="must be like"):
        build_official("psp_gradual_encoder", state, {"styles": "nine"})
    with pytest.raises(ConfigError, match="power of two"):
        StyleEncoderConfig(image_size=96)
    with pytest.raises(WeightsError, match=r"missing keys: styles\.9"):
        build_official("psp_gradual_encoder", state, {"styles": 10})


def test_sizes_come_from_the_generator(spherical):
    config = StyleEncoderConfig.for_generator(spherical.spec, width=8, units=(1, 1, 1, 1))
    net = GradualStyleEncoder(config).eval()
    spec = spherical.spec
    codes = net(torch.zeros(2, 3, config.image_size, config.image_size))
    assert codes.shape == (2, spec.latents.num_ws, spec.latents.w_dim)
    codes.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_images_of_another_size_are_refused():
    net = build_small("psp_gradual_encoder")
    with pytest.raises(InputError, match=r"\[B, 3, 64, 64\]"):
        net(small_input("image", 1, 3, 128, 128))
