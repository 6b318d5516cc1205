"""The shipped configurations of the four encoder trainings."""

from __future__ import annotations

import importlib

import pytest

from toolkit.configuration import config_path, load_config

MODELS = {
    "psp": ("toolkit_plugins.psp.training", "PspSettings"),
    "e4e": ("toolkit_plugins.e4e.training", "E4eSettings"),
    "triplanenet": ("toolkit_plugins.triplanenet.training", "TriPlaneNetSettings"),
    "goae": ("toolkit_plugins.goae.training", "GoaeSettings"),
}


def settings(name: str, world: str = ""):
    module, attribute = MODELS[name]
    return load_config(getattr(importlib.import_module(module), attribute), config_path(f"training/{name}{world}"))


@pytest.mark.parametrize("name", MODELS)
def test_the_full_scale_configuration_is_the_papers(name: str):
    found = settings(name, "-panohead")
    assert found.generator == "panohead" and found.photos.rebalance and found.losses.perceptual == "lpips-alex"
    assert found.recogniser == (None if name == "goae" else "irse50_arcface")
    stage = found.images
    assert (stage.steps, stage.batch, stage.rate, stage.optimiser) == (500_000, 3, 1e-4, "ranger")
    assert stage.images.l2 == 1.0 and stage.images.perceptual == 0.8 and stage.resolution is None


def test_embedded_encoders_can_begin_at_each_other():
    """Those that start from a pSp have its sizes, and all learn from the same pictures."""
    psp = settings("psp")
    assert all(settings(name).network == psp.network for name in ("e4e", "triplanenet"))
    made = {"sources", "subjects", "views", "domain", "seed"}
    wanted = psp.photos.model_dump(include=made)
    assert all(settings(name).photos.model_dump(include=made) == wanted for name in MODELS)
    assert all(settings(name).seed == psp.seed for name in MODELS)
