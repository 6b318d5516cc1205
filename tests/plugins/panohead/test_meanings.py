"""Codes made from the traits of heads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from toolkit.errors import ConfigError
from toolkit.registry import default_registry
from toolkit_plugins.panohead.training.meanings import Meanings
from toolkit_plugins.panohead.training.rays import RayPlan

PLAN = RayPlan(dataset="heads360", heads=12)


def test_codes_are_centred_damped_and_kept(tmp_path: Path):
    heads = default_registry().load("dataset", "heads360").procedural()
    made = Meanings(heads, PLAN, 3, 16, tmp_path)
    assert made.codes.shape == (15, 16) and made.latents.shape == (15, heads.latent_dim)
    known = made.codes
    assert known.mean(0).abs().max() < 1e-3
    spread = known.std(0, correction=0)
    assert spread[0] == pytest.approx(1.5, abs=1e-3) and (spread[:14].diff() <= 1e-3).all()
    assert not known[:, 14:].any()  # fifteen heads have no more directions than that
    kept = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert torch.equal(Meanings(heads, PLAN, 3, 16, tmp_path).codes, made.codes)
    assert kept == {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    fewer = Meanings(heads, replace(PLAN, heads=5), 10, 16, tmp_path)  # of which some may get rays later
    assert torch.equal(fewer.codes, made.codes)
    latents, codes = made.some(5, 4)
    again, _ = made.some(5, 4)
    assert torch.equal(latents, again) and codes.shape == (4, 16)


def test_heads_that_say_no_traits_are_refused(tmp_path: Path):
    class Silent:
        latent_dim = 4

    with pytest.raises(ConfigError, match="say their traits"):
        Meanings(Silent(), RayPlan(heads=2), 0, 8, tmp_path)  # type: ignore[arg-type]
