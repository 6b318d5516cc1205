from __future__ import annotations

import pytest
import torch
from encoder_golden import (
    TOLERANCE,
    build_full,
    build_small,
    load,
    published_shapes,
    small_error,
    small_input,
    small_state,
)

from toolkit.errors import InputError, WeightsError
from toolkit.interfaces import Discriminator
from toolkit.weights import build_official
from toolkit_plugins.e4e.architecture import E4e18Architecture, E4eArchitecture, LatentDiscriminatorArchitecture
from toolkit_plugins.e4e.encoder import FULL_STAGE, ProgressiveEncoder, stage_at, stage_starts


@pytest.mark.slow
def test_the_encoder_equals_the_published_one_at_every_stage():
    golden, net = load("e4e_encoder"), build_full("e4e_encoder")
    with torch.no_grad():
        assert golden.error("codes", net(golden.inputs["image"])) < TOLERANCE
        for stage in (0, 2, 3, 7):
            assert golden.error(f"codes_stage{stage}", net(golden.inputs["image"], stage)) < TOLERANCE, stage


@pytest.mark.slow
def test_the_18_style_encoder_loads_and_gives_18_styles():
    shapes = published_shapes("e4e_encoder_18styles")
    net = build_official("e4e_encoder_18styles", {key: torch.zeros(shape) for key, shape in shapes.items()})
    with torch.no_grad():
        assert net(torch.zeros(1, 3, 256, 256)).shape == (1, 18, 512)


@pytest.mark.parametrize("kind", ["e4e_encoder", "e4e_latent_discriminator"])
def test_small_networks_give_what_they_gave(kind: str):
    assert small_error(kind) < TOLERANCE


@pytest.mark.parametrize("architecture", [E4eArchitecture, E4e18Architecture, LatentDiscriminatorArchitecture])
def test_published_tables_are_recognised_and_the_networks_own(architecture: type):
    shapes = published_shapes(architecture().kind)
    assert architecture().recognises(shapes)
    with torch.device("meta"):
        net = architecture().build({key: torch.empty(shape) for key, shape in shapes.items()})
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == shapes


def test_a_delta_touches_its_own_layer_only():
    net, image = build_small("e4e_encoder"), small_input("image", 1, 3, 64, 64)
    assert isinstance(net, ProgressiveEncoder)
    with torch.no_grad():
        everything = net(image)
        for stage in range(9):
            codes = net(image, stage)
            assert torch.equal(codes[:, : stage + 1], everything[:, : stage + 1])
            assert torch.equal(codes[:, stage + 1 :], everything[:, :1].expand_as(codes[:, stage + 1 :]))
        net.stage = 0
        assert torch.equal(net(image), everything[:, :1].expand_as(everything))
    with pytest.raises(InputError, match="stage"):
        net(image, -1)


def test_stages_begin_when_the_published_schedule_says():
    starts = stage_starts(14, 20_000)
    assert len(starts) == 14 and starts[:3] == [0, 20_000, 22_000] and starts[13] == 44_000
    assert stage_starts(18, 20_000)[17] == 52_000
    assert [stage_at(step, starts) for step in (0, 19_999, 20_000, 21_999, 22_000, 44_000, 10**6)] == [
        0, 0, 1, 1, 2, 13, 13,
    ]  # fmt: skip
    assert stage_at(5, None) == FULL_STAGE


def test_the_discriminator_keeps_the_contract_and_names_wrong_keys():
    net = build_small("e4e_latent_discriminator")
    assert isinstance(net, Discriminator) and net.domain == "latents"
    state = small_state("e4e_latent_discriminator")
    state["mlp.2.bias"] = torch.zeros(3)
    with pytest.raises(WeightsError, match=r"wrong shapes: mlp\.2\.bias is \[3\], expected \[24\]$"):
        build_official("e4e_latent_discriminator", state)
