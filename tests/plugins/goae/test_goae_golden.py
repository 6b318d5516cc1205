"""GOAE's networks and mix against the official ones."""

from __future__ import annotations

import goae_golden as golden
import pytest
import torch

from toolkit.weights import build_official
from toolkit_plugins.goae.alignment import FeatureAlignment
from toolkit_plugins.goae.encoder import GoaeEncoder
from toolkit_plugins.goae.mix import hit_map, mix_planes, visibility

TOLERANCE = 1e-4
ENCODER_WEIGHTS, ALIGNMENT_WEIGHTS = 111_218_822, 12_099_904


def on_meta(kind: type[torch.nn.Module]) -> torch.nn.Module:
    with torch.device("meta"):
        return kind()


def test_sizes_are_the_official_ones():
    for kind, count, entries in ((GoaeEncoder, ENCODER_WEIGHTS, 545), (FeatureAlignment, ALIGNMENT_WEIGHTS, 174)):
        module = on_meta(kind)
        assert sum(parameter.numel() for parameter in module.parameters()) == count
        assert len(module.state_dict()) == entries


@pytest.mark.slow
def test_the_encoder_equals_the_official_one():
    expected = golden.load("encoder")
    encoder = build_official("goae_encoder", golden.weights(on_meta(GoaeEncoder), alignment=False))
    image = golden.image("input:goae_encoder/image", 256)
    with torch.no_grad():
        tokens = encoder.swin_model(image)
        codes = encoder(image)
        stages = []
        for stage in range(3):
            encoder.stage = stage
            stages.append(encoder(image).ws)
        fine = encoder.token_sets(*tokens.inputs[2::-1])[2]
    found = {
        "swin/x_base": tokens.final.transpose(1, 2)[:, ::8],
        "swin/x_fine": tokens.inputs[0][:, :: 32 * 16],
        "swin/x_mid": tokens.inputs[1][:, :: 8 * 16],
        "head/kv_fine": fine[:, :: 128 * 4],
        "out/ws": codes.ws,
        "out/ws_base": codes.ws_base,
        **{f"out/ws_stage{stage}": ws for stage, ws in enumerate(stages)},
    }
    errors = {key: golden.error(found[key], value) for key, value in expected.items()}
    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.slow
def test_the_alignment_equals_the_official_one():
    expected = golden.load("afa")
    alignment = build_official("goae_afa", golden.weights(on_meta(FeatureAlignment), alignment=True))
    features = torch.from_numpy(golden.draw("input:goae_afa/feature_map", (1, 512, 32, 32)))
    with torch.no_grad():
        aligned = alignment(
            golden.image("input:goae_afa/img", 512), golden.image("input:goae_afa/rec_img", 512), features
        )
    for index, (name, step) in enumerate((("feature_map_adain", 16), ("gamma", 32), ("beta", 32))):
        found = getattr(aligned, name)[:, ::step, ::2, ::2]
        assert golden.error(found, expected[f"out/{name}"], expected["std"][index]) < TOLERANCE, name


@pytest.mark.parametrize("sigma", [1.5, 2.0])
def test_the_mix_equals_the_official_one(sigma: float):
    expected = golden.load("mix_fusion")
    mask = visibility(hit_map(expected["cameras"], expected["depth"], 256), sigma)
    assert float(((mask - expected[f"mask/sigma{sigma}"]).abs() > 1e-3).float().mean()) <= 1e-3
    aligned, plain = (
        torch.from_numpy(golden.draw(f"input:goae_mix/{name}_triplane", (2, 3, 2, 256, 256))) for name in "fw"
    )
    mixed = mix_planes(aligned, plain, mask)[:, :, :, 1::8, 2::8]
    assert float(((mixed - expected[f"mix/sigma{sigma}"]).abs() > 1e-3).float().mean()) <= 1e-3
