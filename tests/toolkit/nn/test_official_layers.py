"""Layer by layer against the official implementation (tests/data/panohead/ops.npz)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.nn.activation import activate, activation_gain
from toolkit.nn.convolution import Convolution, convolve
from toolkit.nn.dense import Dense
from toolkit.nn.fir import blur, downsample, low_pass, resample, upsample
from toolkit.nn.mapping import MappingNetwork
from toolkit.nn.modulated import modulated_convolve
from toolkit.nn.superresolution import resize
from toolkit.nn.synthesis import Noise, SynthesisBlock, SynthesisLayer, SynthesisNetwork, ToRGB
from toolkit.testing.references import modulated_convolve_reference

with np.load(Path(__file__).parents[2] / "data" / "panohead" / "ops.npz") as _file:
    OPS = {key: np.asarray(_file[key]) for key in _file.files}


def array(key: str) -> Tensor:
    return torch.from_numpy(OPS[key])


def weights(prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) + 4 :]: array(key) for key in OPS if key.startswith(f"{prefix}/sd/")}


def loaded(module: torch.nn.Module, prefix: str) -> torch.nn.Module:
    module.load_state_dict(weights(prefix))
    return module.eval()


def check(key: str, value: Tensor, tolerance: float = 1e-4) -> None:
    torch.testing.assert_close(value.detach(), array(key), atol=tolerance, rtol=0)


def test_low_pass_filter() -> None:
    check("fir/setup_1331", low_pass())


def test_resampling_with_asymmetric_filters() -> None:
    x, square, line = array("fir/x"), array("fir/f2"), array("fir/f1")
    check("fir/up2", upsample(x, square))
    check("fir/up2_sep8", upsample(x, line))
    check("fir/down2", downsample(x, square))
    check("fir/filter", blur(x, square))
    check("fir/custom", resample(x, square, up=(2, 3), down=(3, 1), padding=(2, -1, 3, 0), gain=1.7))


@pytest.mark.parametrize(
    ("key", "weight", "options"),
    [
        ("plain_k3", "w3", {}),
        ("up2_k3_conv", "w3", {"up": 2, "flip": True}),
        ("up2_k1", "w1", {"up": 2}),
        ("down2_k3", "w3", {"down": 2}),
        ("down2_k1", "w1", {"down": 2}),
        ("up2_k3_groups2_conv", "wg", {"up": 2, "groups": 2, "flip": True}),
    ],
)
def test_convolution_with_resampling(key: str, weight: str, options: dict[str, int]) -> None:
    check(f"conv/{key}", convolve(array("conv/x"), array(f"conv/{weight}"), array("conv/f"), **options))


@pytest.mark.parametrize("form", [modulated_convolve, modulated_convolve_reference])
def test_modulated_convolution(form: type) -> None:
    x, weight, styles, kernel = (array(f"mod/{key}") for key in ("x", "w", "styles", "f"))
    check("mod/demod_fused", form(x, weight, styles, noise=array("mod/noise")))
    check("mod/demod_up2_fused", form(x, weight, styles, kernel=kernel, up=2, noise=array("mod/noise_up")))
    check("mod/nodemod_k1_fused", form(x, array("conv/w1"), styles, demodulate=False))


@pytest.mark.parametrize("inference", [True, False])
@pytest.mark.parametrize("kind", ["linear", "relu", "lrelu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish"])
def test_bias_activation(kind: str, inference: bool) -> None:
    x, bias = array("act/x"), array("act/b")
    kept = x.clone()
    with torch.inference_mode(inference):
        check(f"act/{kind}", activate(x, kind, bias))
        check(f"act/{kind}_gain2_clamp1", activate(x, kind, bias, gain=2, clamp=1))
    assert torch.equal(x, kept)


def test_leaky_slope_can_be_chosen() -> None:
    check("act/lrelu_alpha.05", activate(array("act/x"), "lrelu", array("act/b"), slope=0.05))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("linear", Dense(7, 5)),
        ("lrelu_lr.01", Dense(7, 5, activation="lrelu", lr_multiplier=0.01)),
        ("nobias_relu", Dense(7, 5, bias=False, activation="relu")),
        ("linear_lr.5", Dense(7, 5, lr_multiplier=0.5)),
    ],
)
def test_dense_layers(name: str, layer: Dense) -> None:
    check(f"fc/{name}/y", loaded(layer, f"fc/{name}")(array("fc/x")))


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("w", MappingNetwork(10, 25, 12, 6, num_layers=2)),
        ("shift3", MappingNetwork(10, 25, 3, 1, num_layers=2, last_activation="linear", lr_multiplier=1.0)),
        ("uncond8", MappingNetwork(10, 0, 9, 4, num_layers=8, hidden=11)),
    ],
)
def test_mapping_networks(name: str, network: MappingNetwork) -> None:
    loaded(network, f"map/{name}")
    z, label = array("map/z"), array("map/c") if network.c_dim else None
    check(f"map/{name}/psi1", network(z, label))
    check(f"map/{name}/psi.6", network(z, label, 0.6))
    check(f"map/{name}/psi-.3_cut3", network(z, label, -0.3, 3))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("up1", SynthesisLayer(5, 4, 9, 8)),
        ("up2_clamp", SynthesisLayer(5, 4, 9, 16, up=2, clamp=1.0)),
        ("nonoise_k1", SynthesisLayer(5, 4, 9, 8, size=1, use_noise=False, activation="linear")),
    ],
)
@pytest.mark.parametrize("inference", [True, False])
def test_synthesis_layers(name: str, layer: SynthesisLayer, inference: bool) -> None:
    loaded(layer, f"layer/{name}")
    for index in range(3):
        if f"layer/{name}/call{index}" not in OPS:
            continue
        call = json.loads(str(OPS[f"layer/{name}/call{index}"]))
        with torch.inference_mode(inference):
            y = layer(array(f"layer/{name}/x"), array("layer/w"), Noise(call["noise_mode"]), gain=call.get("gain", 1.0))
        check(f"layer/{name}/y{index}", y)


def test_image_layer_and_skip_convolution() -> None:
    torgb = loaded(ToRGB(5, 3, 9, clamp=1.2), "layer/torgb")
    check("layer/torgb/y_fused", torgb(array("layer/torgb/x"), array("layer/w")))
    skip = loaded(Convolution(5, 4, 1, bias=False, up=2), "layer/skip_k1_up2")
    check("layer/skip_k1_up2/y", skip(array("layer/skip_k1_up2/x"), gain=0.5**0.5))


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("first", SynthesisBlock(0, 6, 9, 4, 3)),
        ("up_skip", SynthesisBlock(6, 5, 9, 8, 3)),
        ("up_last_clamp", SynthesisBlock(6, 5, 9, 8, 3, is_last=True, clamp=1.5)),
        ("up_resnet", SynthesisBlock(6, 5, 9, 8, 3, architecture="resnet")),
        ("noup", SynthesisBlock(6, 5, 9, 4, 3, up=1)),
    ],
)
def test_synthesis_blocks(name: str, block: SynthesisBlock) -> None:
    loaded(block, f"block/{name}")
    given = [array(f"block/{name}/{key}") if f"block/{name}/{key}" in OPS else None for key in ("x", "img")]
    y, image = block(given[0], given[1], array(f"block/{name}/ws"))
    check(f"block/{name}/y", y)
    if f"block/{name}/img_out" in OPS:
        check(f"block/{name}/img_out", image)


def test_synthesis_network() -> None:
    network = SynthesisNetwork(9, 16, 7, channel_base=64, channel_max=8)
    network.load_state_dict(weights("net"))
    check("net/img", network(array("net/ws")))
    for size in (4, 8, 16):
        x, image = network.features(array("net/ws"), size)
        check("net/img", network.resume(x, image, array("net/ws"), size))


@pytest.mark.parametrize("side", [6, 7, 8, 12, 24])
def test_antialiased_resizing(side: int) -> None:
    check(f"resize/to{side}", resize(array("resize/x"), side))


def test_activation_gains_keep_variance() -> None:
    assert activation_gain("lrelu") == pytest.approx(2**0.5)
    assert activation_gain("tanh") == 1
