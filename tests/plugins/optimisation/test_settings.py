from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import CapabilityError, ConfigError
from toolkit.options import read_options
from toolkit.registry import Registry
from toolkit_plugins import optimisation
from toolkit_plugins.optimisation.mean import open_mean
from toolkit_plugins.optimisation.pivotal_tuning import open_pti
from toolkit_plugins.optimisation.settings import (
    PIVOTAL_PRESETS,
    PROJECTOR_PRESETS,
    PivotalSettings,
    ProjectorSettings,
)
from toolkit_plugins.optimisation.wplus import open_wplus


def test_the_methods_register_and_only_the_mean_is_no_headline():
    registry = Registry()
    registry.add_plugin("optimisation", optimisation)
    assert not registry.broken
    assert {entry.name: entry.headline for entry in registry.of_kind("method")} == {
        "mean": False,
        "pti": True,
        "wplus": True,
    }
    for entry in registry.of_kind("method"):
        assert callable(entry.load())


@pytest.mark.parametrize("name", PROJECTOR_PRESETS)
def test_every_projector_preset_is_valid(name):
    settings = read_options(ProjectorSettings, {"preset": name}, "wplus", PROJECTOR_PRESETS)
    assert settings.preset == name


@pytest.mark.parametrize("name", PIVOTAL_PRESETS)
def test_every_pivotal_preset_is_valid(name):
    assert read_options(PivotalSettings, {"preset": name}, "pti", PIVOTAL_PRESETS).preset == name


def test_panoheads_own_numbers():
    wplus = read_options(ProjectorSettings, {}, "wplus", PROJECTOR_PRESETS, "panohead-wplus")
    assert (wplus.steps, wplus.lr, wplus.shared, wplus.samples) == (500, 0.1, 0.0, 10_000)
    assert (wplus.perceptual, wplus.perceptual_size) == ("lpips-vgg", 256)
    assert (wplus.perceptual_weight, wplus.pixel_weight, wplus.average_weight) == (1.0, 0.1, 1.0)
    assert not wplus.noise_buffers
    pti = read_options(PivotalSettings, {}, "pti", PIVOTAL_PRESETS, "panohead-pti")
    assert (pti.tuning_steps, pti.tuning_lr, pti.early_stop, pti.locality_weight) == (350, 3e-4, None, 0.0)


def test_options_are_laid_over_the_preset(generator):
    method = open_wplus(generator, None, {"preset": "quality", "steps": 7})
    assert method.settings.steps == 7
    assert method.settings.lr == PROJECTOR_PRESETS["quality"]["lr"]


def test_the_generators_world_chooses_the_preset(generator, monkeypatch):
    assert open_wplus(generator, None, {}).settings.preset == "default"
    assert open_pti(generator, None, {}).settings.preset == "default"
    full = type("Full", (type(generator),), {})()
    spec = generator.spec
    monkeypatch.setattr(type(full), "spec", property(lambda self: spec.__class__(**{**vars(spec), "world": "full"})))
    assert open_wplus(full, None, {}).settings.preset == "panohead-wplus"
    assert open_pti(full, None, {}).settings.preset == "panohead-pti"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"setps": 3}, "method 'wplus': unknown option 'setps'; did you mean 'steps'"),
        ({"preset": "fasst"}, "unknown preset of method 'wplus' 'fasst'; did you mean 'fast'"),
        ({"steps": 0}, "method 'wplus': 'steps': input should be greater than or equal to 1, got 0"),
        ({"lr": "quick"}, "method 'wplus': 'lr': .*got 'quick'"),
        ({"tuning_steps": 5}, "method 'wplus': unknown option 'tuning_steps'"),
    ],
)
def test_a_wrong_option_is_one_sentence(generator, options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        open_wplus(generator, None, options)
    assert "\n" not in str(caught.value)


def test_weights_are_refused(generator):
    for factory in (open_wplus, open_pti, open_mean):
        with pytest.raises(ConfigError, match="no weights of its own"):
            factory(generator, Path("some.safetensors"), {})


def test_pti_needs_a_tunable_generator(bare):
    with pytest.raises(CapabilityError, match=r"'tunable'.*'spherical-bare'"):
        open_pti(bare, None, {})


@pytest.mark.parametrize("settings", [ProjectorSettings, PivotalSettings])
@pytest.mark.parametrize("end", ["view", "weight"])
def test_an_old_option_says_its_new_name(settings, end):
    with pytest.raises(ConfigError, match=f"'centre_{end}' is now 'average_{end}'"):
        read_options(settings, {f"centre_{end}": 1}, "pti")
