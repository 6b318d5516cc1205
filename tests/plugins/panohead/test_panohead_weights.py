"""Official state dicts, configurations in all their forms, and our own weights files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from panohead_golden import load as load_golden

import toolkit_plugins.panohead as plugin
from toolkit.camera import Camera
from toolkit.errors import ConfigError, InputError, WeightsError
from toolkit.registry import Registry
from toolkit.weights import official
from toolkit_plugins.panohead.architecture import PanoHeadArchitecture
from toolkit_plugins.panohead.config import About, PanoHeadConfig
from toolkit_plugins.panohead.generator import PanoHead
from toolkit_plugins.panohead.loading import build, load, load_mini, load_panohead, save

KWARGS = {
    "z_dim": 32,
    "w_dim": 32,
    "mapping_kwargs": {"num_layers": 2},
    "channel_base": 256,
    "channel_max": 24,
    "rendering_kwargs": {
        "superresolution_module": "training.superresolution.SuperresolutionHybrid8XDC",
        "c_scale": 1.0,
        "decoder_activation": "none",
        "use_torgb_raw": True,
        "triplane_size": 16,
        "triplane_depth": 3,
        "use_background": True,
        "depth_resolution": 8,
        "depth_resolution_importance": 8,
        "ray_start": 2.25,
        "ray_end": 3.3,
        "box_warp": 1,
    },
    "sr_num_fp16_res": 4,
    "conv_clamp": None,
    "c_dim": 25,
    "img_resolution": 64,
    "img_channels": 3,
}


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Registry()
    own.add_plugin("panohead", plugin)
    assert not own.broken
    monkeypatch.setattr("toolkit.registry.default_registry", lambda: own)


@pytest.fixture
def small() -> PanoHead:
    config = dataclasses.replace(PanoHeadConfig.from_any(KWARGS), sr_widths=(6, 4), about=About(name="small"))
    return build(config)


def test_official_weights_become_a_deterministic_generator_in_eval_mode() -> None:
    golden = load_golden("tiny_released")
    model = official.build_official("panohead", golden.state_dict(), golden.config)
    assert not model.training
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    with torch.no_grad():
        assert golden.error("map/ws_psi1", model.mapping(golden["in/z"], golden["in/c"])) < 1e-5


def test_label_statistics_of_trained_files_are_ignored() -> None:
    golden = load_golden("tiny_released")
    official.build_official("panohead", {**golden.state_dict(), "dataset_label_std": torch.ones(25)}, golden.config)


def test_every_offending_key_is_named() -> None:
    golden = load_golden("tiny_released")
    state = golden.state_dict()
    del state["torgb.bias"]
    state["decoder.net.0.bias"] = torch.zeros(3)
    state["stranger"] = torch.zeros(1)
    with pytest.raises(WeightsError) as caught:
        official.build_official("panohead", state, golden.config)
    message = str(caught.value)
    assert "missing keys: torgb.bias" in message
    assert "unexpected keys: stranger" in message
    assert "decoder.net.0.bias is [3], expected [64]" in message


def test_super_resolution_widths_follow_the_shapes_under_official_keywords(small: PanoHead) -> None:
    model = official.build_official("panohead", small.state_dict(), KWARGS)
    assert isinstance(model, PanoHead)
    assert model.config.sr_widths == (6, 4)
    with torch.no_grad():
        z, camera = torch.ones(1, 32), Camera.orbit()
        assert torch.equal(model.generate(z, camera).image, small.eval().generate(z, camera).image)


def test_no_config_means_as_released() -> None:
    config = PanoHeadConfig.from_any(None)
    assert (config.plane_size, config.image_size, config.sr_widths, config.sr_input) == (256, 512, (256, 128), 128)


def test_missing_values_mean_what_the_official_constructor_assumes() -> None:
    options = {key: value for key, value in KWARGS["rendering_kwargs"].items() if key != "c_scale"}
    config = PanoHeadConfig.from_any(
        {**{k: v for k, v in KWARGS.items() if k != "conv_clamp"}, "rendering_kwargs": options}
    )
    assert config.label_scale == 0
    assert config.clamp == 256


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"rendering_kwargs": {}}, "lack 'superresolution_module'"),
        ({"rendering_kwargs": {"superresolution_module": "a.B"}}, "not one of the kinds"),
        ({"sr": {"kind": "up_up"}}, "lacks, or does not know"),
        ({"plane_sise": 3}, "unknown PanoHead setting 'plane_sise'"),
        ({"plane_size": 48}, "power of two"),
        ({"samples": 3}, "samples must be at least 4"),
    ],
)
def test_impossible_configurations(config: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PanoHeadConfig.from_any(config)


def test_configuration_survives_json() -> None:
    config = dataclasses.replace(
        PanoHeadConfig(), about=About(face_points=((0.0, 0.1, 0.2),), background=(1.0, 1.0, 1.0)), sr_widths=(5, 4)
    )
    assert PanoHeadConfig.from_any(json.dumps(config.to_dict())) == config


def test_settings_that_came_later_change_no_fingerprint() -> None:
    plain = PanoHeadConfig()
    assert "mapping_hidden" not in plain.to_dict()
    wide = dataclasses.replace(plain, mapping_hidden=8, mapping_last="linear")
    assert PanoHeadConfig.from_dict(json.loads(json.dumps(wide.to_dict()))) == wide


def test_recognises_its_own_and_not_spherehead(small: PanoHead) -> None:
    shapes = {key: tuple(value.shape) for key, value in small.state_dict().items()}
    architecture = PanoHeadArchitecture()
    assert architecture.recognises(shapes)
    assert not architecture.recognises({**shapes, "ConvA.0.weight": (1,)})
    assert not architecture.recognises({key: shape for key, shape in shapes.items() if not key.startswith("t_mapping")})


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 0.0), (torch.float16, 2e-3)])
def test_saved_weights_come_back(small: PanoHead, tmp_path: Path, dtype: torch.dtype, tolerance: float) -> None:
    path = tmp_path / "small.safetensors"
    save(small, path, {"run": "test"}, dtype=dtype)
    again = load_panohead(path)
    assert again.config == small.config
    assert not again.training
    for key, value in small.state_dict().items():
        assert again.state_dict()[key].dtype == torch.float32
        torch.testing.assert_close(again.state_dict()[key], value, atol=tolerance, rtol=tolerance)


def test_weights_that_do_not_fit_into_half_precision_are_not_written(small: PanoHead, tmp_path: Path) -> None:
    with torch.no_grad():
        small.torgb.bias.fill_(1e6)
    with pytest.raises(InputError, match=r"torgb\.bias"):
        save(small, tmp_path / "small.safetensors", dtype=torch.float16)
    assert not list(tmp_path.iterdir())


def test_missing_and_damaged_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="needs weights that are not shipped"):
        load_panohead(None)
    with pytest.raises(WeightsError, match="does not exist"):
        load_mini(tmp_path / "absent.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(WeightsError, match="safetensors"):
        load(tmp_path / "damaged.safetensors")
