"""PanoHead without its weights: what dry runs and timings are made with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from toolkit.errors import WeightsError
from toolkit_plugins.panohead.config import PanoHeadConfig
from toolkit_plugins.panohead.loading import build, load_untrained


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> PanoHeadConfig:
    """The released sizes take seconds to draw."""
    config = PanoHeadConfig(
        z_dim=16, w_dim=24, image_size=32, raw_size=8, channel_base=256, channel_max=16, plane_size=16,
        feature_channels=8, decoder_hidden=16, sr_widths=(8, 8), samples=12, importance_samples=12,
    )  # fmt: skip
    monkeypatch.setattr(PanoHeadConfig, "released", classmethod(lambda cls: config))
    return config


@pytest.mark.usefixtures("small")
def test_it_is_the_same_at_every_call_and_leaves_the_global_rng_alone() -> None:
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    first = load_untrained()
    assert torch.equal(torch.rand(3), wanted)
    assert load_untrained().spec.fingerprint == first.spec.fingerprint
    assert not first.training and not any(parameter.requires_grad for parameter in first.parameters())


def test_it_has_the_released_sizes_and_is_nobody_elses_double(small: PanoHeadConfig) -> None:
    generator = load_untrained()
    assert dataclasses.replace(generator.config, about=small.about) == small
    spec = generator.spec
    assert (spec.name, spec.world) == ("panohead-untrained", "untrained")
    double = build(small)
    double.load_state_dict(generator.state_dict())
    assert double.spec.fingerprint != spec.fingerprint


@pytest.mark.slow
def test_its_sizes_are_those_of_the_paper() -> None:
    spec = load_untrained().spec
    assert (spec.image_size, spec.raw_size, spec.planes_shape) == (512, 64, (3, 96, 256, 256))
    assert spec.latents == (512, 512, 14)


def test_it_takes_no_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="'panohead-untrained' has random weights and takes no file"):
        load_untrained(tmp_path / "panohead.safetensors")
