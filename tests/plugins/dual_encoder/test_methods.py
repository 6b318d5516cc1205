"""The methods `dual-encoder`, `encoder1` and `encoder2` on the spherical generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import export_two, write_photos
from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders import read_encoder
from toolkit.errors import CapabilityError, ConfigError, PluginError, WeightsError
from toolkit.interfaces import Generator
from toolkit.inversion import Inversion
from toolkit.registry import default_registry
from toolkit.rendering.occlusion import occlusion_mask
from toolkit.testing import conformance
from toolkit.testing.spherical import BareSphericalGenerator, SphericalGenerator
from toolkit_plugins.dual_encoder.methods import open_dual_encoder, open_encoder1, open_encoder2

CAMERA = Camera.orbit(0.2, 0.1)


@pytest.fixture(scope="module")
def picture(spherical: SphericalGenerator) -> Tensor:
    with torch.no_grad():
        ws = spherical.mapping(torch.ones(1, 16), spherical.spec.front_camera)
        return spherical.render(spherical.planes(ws), ws, CAMERA).image.clamp(-1, 1)


def inverted(spherical: SphericalGenerator, file: Path, picture: Tensor, **options: Any) -> Inversion:
    return open_dual_encoder(spherical, file, options).invert(picture, CAMERA, spherical)


@pytest.mark.parametrize("opened", [open_dual_encoder, open_encoder1, open_encoder2])
def test_methods_keep_the_contract(spherical: SphericalGenerator, dual_file: Path, opened: Any):
    conformance.check_method(opened(spherical, dual_file, {}), spherical)


def test_methods_keep_the_contract_on_a_tri_grid(tiny_panohead: Generator, tmp_path: Path):
    photos = write_photos(tiny_panohead, tmp_path / "photos", heads=2)
    file = export_two(tiny_panohead, photos, tmp_path / "dual-encoder.safetensors")
    for opened, options in (
        (open_dual_encoder, {}),
        (open_dual_encoder, {"mask": {"per_slot": False, "free_space": 2}, "ws": {"background": "occluded"}}),
        (open_encoder2, {}),
    ):
        conformance.check_method(opened(tiny_panohead, file, options), tiny_panohead)


def test_visible_places_come_from_encoder_1_and_occluded_ones_from_encoder_2(
    spherical: SphericalGenerator, dual_file: Path, picture: Tensor
):
    first, second = (
        opened(spherical, dual_file, {}).invert(picture, CAMERA, spherical) for opened in (open_encoder1, open_encoder2)
    )
    assert not torch.equal(first.planes, second.planes)
    joined = inverted(spherical, dual_file, picture, stitcher="hard", keep_planes=True, **{"mask.free_space": 0})
    occluded = spherical.expand(occlusion_mask(spherical, first.planes, CAMERA, spherical.spec.image_size)).bool()
    assert torch.equal(joined.planes, torch.where(occluded, second.planes, first.planes))
    assert torch.equal(joined.extra["visible_planes"], first.planes)
    assert torch.equal(joined.extra["occluded_planes"], second.planes)
    assert torch.equal(spherical.expand(joined.extra["occlusion"]).bool(), occluded)
    assert torch.equal(joined.ws, first.ws)


def test_the_papers_preset_is_equation_3_to_the_letter_and_what_is_named_beside_it_counts(
    spherical: SphericalGenerator, dual_file: Path, picture: Tensor
):
    plain = {"stitcher": "hard", "mask.free_space": 0, "mask.closing": 0}
    paper = inverted(spherical, dual_file, picture, preset="paper")
    assert torch.equal(paper.planes, inverted(spherical, dual_file, picture, **plain).planes)
    assert paper.options["preset"] == "paper" and paper.options["mask"]["free_space"] == 0
    other = inverted(spherical, dual_file, picture, preset="paper", **{"mask.resolution": 8})
    assert other.options["mask"] == {**paper.options["mask"], "resolution": 8}
    with pytest.raises(ConfigError, match="paper"):
        inverted(spherical, dual_file, picture, preset="papier")


def test_the_halves_are_kept_only_when_asked(spherical: SphericalGenerator, dual_file: Path, picture: Tensor):
    found = inverted(spherical, dual_file, picture)
    assert found.extra == {}
    assert set(found.timings) == {"encode", "total"}
    assert found.options["stitcher"] and found.method == "dual-encoder"


def test_styles_come_from_the_chosen_encoder(spherical: SphericalGenerator, dual_file: Path, picture: Tensor):
    second = open_encoder2(spherical, dual_file, {}).invert(picture, CAMERA, spherical)
    everything = {"ws": {"background": "occluded", "raw": "occluded", "super_resolution": "occluded"}}
    assert torch.equal(inverted(spherical, dual_file, picture, **everything).ws, second.ws)
    last = inverted(spherical, dual_file, picture, **{"ws.super_resolution": "occluded"}).ws
    assert torch.equal(last[:, -1], second.ws[:, -1])


def test_styles_that_a_generator_cannot_take_apart_are_refused_before_any_photo(
    tiny_panohead: Generator, bare: BareSphericalGenerator
):
    for options in ({"ws.raw": "occluded"}, {"ws": {"super_resolution": "occluded"}}):
        with pytest.raises(ConfigError, match=r"ws\.raw and ws\.super_resolution must be the same"):
            open_dual_encoder(tiny_panohead, Path("never-read.safetensors"), options)
    with pytest.raises(CapabilityError, match="which rows of ws"):
        open_dual_encoder(bare, Path("never-read.safetensors"), {"ws.background": "occluded"})


def test_mask_options_arrive(spherical: SphericalGenerator, dual_file: Path, picture: Tensor):
    plain, free = (
        inverted(spherical, dual_file, picture, keep_planes=True, **options).extra["occlusion"]
        for options in ({"mask.free_space": 0}, {"mask": {"free_space": 4}})
    )
    assert float(free.sum()) < float(plain.sum())
    with pytest.raises(ConfigError, match=r"mask\.free_spaces"):
        inverted(spherical, dual_file, picture, **{"mask.free_spaces": 4})
    with pytest.raises(PluginError, match="feathered"):
        inverted(spherical, dual_file, picture, stitcher="feathred")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask.resolutio": 3}, "'dual-encoder': unknown option 'mask.resolutio'; did you mean 'mask.resolution'?"),
        ({"masc.resolution": 3}, "'masc.resolution'; did you mean 'mask.resolution'?"),
        ({"resolution": 3}, "'resolution'; did you mean 'mask.resolution'?"),
        ({"wz": {"raw": "occluded"}}, "'wz.raw'; did you mean 'ws.raw'?"),
        ({"sticher": "hard"}, "'sticher'; did you mean 'stitcher'?"),
        ({"mask": 3}, "method 'dual-encoder': 'mask' is a group, got 3; set mask.closing, mask.free_space"),
        ({"preset": "slow"}, "unknown preset of method 'dual-encoder' 'slow'; available: default, fast, paper"),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_option_is_answered_with_the_nearest_key_as_users_type_it(
    spherical: SphericalGenerator, options: dict[str, Any], message: str
):
    with pytest.raises(ConfigError) as caught:
        open_dual_encoder(spherical, Path("never-read.safetensors"), options)
    assert message in str(caught.value)
    for key in ("keep_planes", "mask.resolution", "mask.shell", "ws.super_resolution"):
        assert key in str(caught.value) or "is a group" in message or "preset" in message


def test_weights_must_be_there_and_fit(spherical: SphericalGenerator, dual_file: Path, tmp_path: Path):
    with pytest.raises(WeightsError, match="toolkit train dual-encoder"):
        open_encoder1(spherical, None, {})
    with pytest.raises(WeightsError, match="does not exist"):
        open_dual_encoder(spherical, tmp_path / "none.safetensors", {})
    other = SphericalGenerator(seed=1)
    with pytest.raises(WeightsError, match="trained for generator"):
        open_dual_encoder(other, dual_file, {})
    open_dual_encoder(other, dual_file, {"other_generator": True})


def test_a_generator_without_the_capabilities_is_refused_in_a_sentence(
    bare: BareSphericalGenerator, dual_file: Path, picture: Tensor
):
    method = open_dual_encoder(bare, dual_file, {"other_generator": True})
    with pytest.raises(CapabilityError, match="seen as images"):
        method.invert(picture, CAMERA, bare)


def test_the_file_holds_all_three_networks(dual_file: Path):
    file = read_encoder(dual_file, "dual-encoder")
    names = {name.split(".")[0] for name in file.tensors}
    assert names == {"encoder1", "encoder2", "discriminator"}
    assert file.about["licence"] and file.about["training"] == "toolkit train dual-encoder"


def test_only_the_dual_encoder_is_a_headline_method():
    methods = {entry.name: entry.headline for entry in default_registry().of_kind("method")}
    assert (methods["dual-encoder"], methods["encoder1"], methods["encoder2"]) == (True, False, False)
