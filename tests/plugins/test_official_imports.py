"""Official files of every kind become files that commands take: recognised, checked, usable."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from official_checkpoints import (
    STYLES,
    average,
    dual_release,
    psp_checkpoint,
    random_like,
    refiner,
    style_encoder,
    two_stage,
    with_prefix,
)

from toolkit import load_method
from toolkit.camera import Camera
from toolkit.encoders import read_encoder
from toolkit.errors import WeightsError
from toolkit.testing.spherical import SphericalGenerator
from toolkit.weights.importing import import_files
from toolkit.weights.opening import open_weights
from toolkit_plugins.face_recognition.architecture import ArcFaceArchitecture, CurricularFaceArchitecture
from toolkit_plugins.face_recognition.recogniser import FaceRecogniser, RecogniserConfig
from toolkit_plugins.goae.alignment import AlignmentSettings, FeatureAlignment
from toolkit_plugins.goae.encoder import EncoderSettings, GoaeEncoder
from toolkit_plugins.goae.swin_v2 import SwinSettings


def test_psp_becomes_a_method_file_with_its_average_latent(tmp_path: Path) -> None:
    weights = psp_checkpoint(tmp_path / "psp.pt", style_encoder(), average(), encoder_type="GradualStyleEncoder")
    found = import_files([tmp_path / "psp.pt"])
    assert found.kind == "psp" and "MIT" in found.header["licence"]
    assert found.header["source"][0]["file"] == "psp.pt" and len(found.header["source"][0]["sha256"]) == 64
    found.write(tmp_path / "psp.safetensors")
    file = read_encoder(tmp_path / "psp.safetensors", "psp")
    assert torch.equal(file.average_latent, average())
    for key, value in file.part("psp_encoder").items():
        assert torch.equal(value, weights[key]), key
    assert any("decoder" in note for note in found.notes)
    assert not any("no known network" in note and "latent_avg" in note for note in found.notes), "it was read"


@pytest.mark.parametrize("direct", [True, False])
def test_an_imported_encoder_inverts_at_once(direct: bool, tmp_path: Path, spherical: SphericalGenerator) -> None:
    latents = spherical.spec.latents
    encoder = style_encoder(latents.num_ws, latents.w_dim)
    path = tmp_path / "psp.pt"
    psp_checkpoint(path, encoder, average(latents.num_ws, latents.w_dim), encoder_type="GradualStyleEncoder")
    if not direct:
        import_files([path]).write(path := tmp_path / "psp.safetensors")
    method = load_method("psp", spherical, path)
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    inversion = method.invert(image, Camera.orbit(0.0), spherical)
    assert inversion.ws.shape == (1, latents.num_ws, latents.w_dim)


def test_psp_and_e4e_are_told_apart_by_what_their_files_say_or_by_the_user(tmp_path: Path) -> None:
    psp_checkpoint(tmp_path / "a.pt", style_encoder(), average(), encoder_type="Encoder4Editing")
    assert import_files([tmp_path / "a.pt"]).kind == "e4e"
    psp_checkpoint(tmp_path / "b.pt", style_encoder(), average())
    with pytest.raises(WeightsError, match=r"--as e4e or --as psp"):
        import_files([tmp_path / "b.pt"])
    assert import_files([tmp_path / "b.pt"], "e4e").kind == "e4e"
    content = torch.load(tmp_path / "b.pt") | {"discriminator_state_dict": {"mlp.0.weight": torch.ones(2, 2)}}
    torch.save(content, tmp_path / "c.pt")
    assert import_files([tmp_path / "c.pt"]).kind == "e4e"


def test_without_an_average_latent_the_files_options_or_a_generator_decide(tmp_path: Path) -> None:
    psp_checkpoint(tmp_path / "zero.pt", style_encoder(), None, encoder_type="GradualStyleEncoder",
                   start_from_latent_avg=False)  # fmt: skip
    found = import_files([tmp_path / "zero.pt"], "psp")
    assert found.tensors["centre"].shape == average().shape and not found.tensors["centre"].any()
    psp_checkpoint(tmp_path / "none.pt", style_encoder(), None, encoder_type="GradualStyleEncoder")
    with pytest.raises(WeightsError, match="holds no average latent: name the generator"):
        import_files([tmp_path / "none.pt"], "psp")
    found = import_files([tmp_path / "none.pt"], "psp", generator="panohead-mini")
    assert found.header["generator"]["name"] == "panohead-mini" and found.header["generator"]["fingerprint"]


def test_a_bound_file_refuses_another_generator_and_names_both(tmp_path: Path, spherical: SphericalGenerator) -> None:
    latents = spherical.spec.latents
    psp_checkpoint(tmp_path / "a.pt", style_encoder(latents.num_ws, latents.w_dim), None)
    found = import_files([tmp_path / "a.pt"], "psp", generator="panohead-mini")
    found.write(tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=f"'panohead-mini'.*'{spherical.spec.name}'"):
        load_method("psp", spherical, tmp_path / "a.safetensors")


def test_triplanenet_brings_both_stages_and_takes_the_average_from_its_generator_file(tmp_path: Path) -> None:
    state = two_stage("psp_encoder.", "triplanenet_encoder.", 0)
    torch.save({"state_dict": state, "opts": {"lr": 1}, "step": 1, "best_val_loss": 0.1}, tmp_path / "t.pt")
    with pytest.raises(WeightsError, match="average latent"):
        import_files([tmp_path / "t.pt"])
    torch.save({"G_ema": {"a": torch.ones(1)}, "init_kwargs": {}, "latent_avg": average()[0]}, tmp_path / "g.pth")
    found = import_files([tmp_path / "t.pt", tmp_path / "g.pth"])
    assert found.kind == "triplanenet" and found.tensors["centre"].shape == average().shape
    found.write(tmp_path / "t.safetensors")
    file = read_encoder(tmp_path / "t.safetensors", "triplanenet")
    assert torch.equal(file.part("triplanenet_encoder")["up1.conv.double_conv.1.weight"],
                       state["triplanenet_encoder.up1.conv.double_conv.1.weight"])  # fmt: skip


@pytest.mark.parametrize(
    "layout",
    [
        {"first": "psp_encoder.", "second": "triplanenet_encoder."},
        {"first": "module.net.encoder.", "second": "module.net.triplane.refine."},
        {"first": "e1_w.", "second": "e1_f."},
    ],
)
def test_the_dual_encoders_release_is_matched_by_endings_and_shapes(layout: dict[str, str], tmp_path: Path) -> None:
    found = import_files(dual_release(tmp_path, layout))
    assert found.kind == "dual-encoder" and set(found.header["config"]) == {"encoder1", "encoder2"}
    found.write(tmp_path / "d.safetensors")
    file = read_encoder(tmp_path / "d.safetensors", "dual-encoder")
    first = random_like(style_encoder(), 0)
    second = random_like(style_encoder(), 10)
    key = "input_layer.0.weight"
    assert torch.equal(file.part("encoder1.psp_encoder")[key], first[key])
    assert torch.equal(file.part("encoder2.psp_encoder")[key], second[key])
    assert torch.equal(file.average_latent, average())


def test_one_half_of_the_release_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    files = dual_release(tmp_path, {"first": "a.", "second": "b."})
    with pytest.raises(WeightsError, match=r"'dual-encoder' needs.*occluded.*visible_net\.pt:model\.a"):
        import_files([files[0], files[2]], "dual-encoder")


def test_goae_is_two_files(tmp_path: Path) -> None:
    swin = SwinSettings(image_size=64, width=8, depths=(1, 1, 1, 1), heads=(1, 1, 1, 1))
    encoder = GoaeEncoder(EncoderSettings(swin))
    alignment = FeatureAlignment(AlignmentSettings())
    torch.save(encoder.state_dict(), tmp_path / "encoder_FFHQ.pt")
    torch.save(alignment.state_dict(), tmp_path / "afa_FFHQ.pt")
    torch.save({"latent_avg": torch.zeros(1, 512)}, tmp_path / "avg.pt")
    found = import_files([tmp_path / name for name in ("encoder_FFHQ.pt", "afa_FFHQ.pt", "avg.pt")])
    assert found.kind == "goae" and found.header["config"]["mix"]["mixing"] == "published"
    assert found.tensors["centre"].shape[1] == 512


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [(ArcFaceArchitecture, {}), (CurricularFaceArchitecture, {"attention": False, "affine": False})],
)
def test_recognisers_are_told_apart_and_compute_the_same(
    architecture: type[ArcFaceArchitecture], settings: dict[str, bool], tmp_path: Path
) -> None:
    network = FaceRecogniser(RecogniserConfig(width=8, units=(1, 2, 2, 2), embedding=20, image_size=48, **settings))
    network.load_state_dict(random_like(network))
    torch.save(network.state_dict(), tmp_path / "a.pth")
    found = import_files([tmp_path / "a.pth"])
    assert found.kind == architecture.kind
    tensors, _ = open_weights(tmp_path / "a.pth", architecture.kind)
    assert all(torch.equal(tensors[key], value) for key, value in network.state_dict().items())


def test_lpips_layers_are_recognised(tmp_path: Path) -> None:
    torch.save({f"lin{i}.model.1.weight": torch.rand(1, 8, 1, 1) for i in range(5)}, tmp_path / "alex.pth")
    assert import_files([tmp_path / "alex.pth"]).kind == "lpips_layers"


def test_what_does_not_fit_is_listed_with_its_place(tmp_path: Path) -> None:
    weights = random_like(style_encoder())
    del weights["latlayer1.bias"]
    weights["stranger"] = torch.ones(1)
    weights["latlayer2.weight"] = torch.ones(1, 2, 3, 3)
    torch.save({"state_dict": with_prefix("encoder.", weights), "latent_avg": average()}, tmp_path / "a.pt")
    with pytest.raises(WeightsError) as caught:
        import_files([tmp_path / "a.pt"], "psp")
    message = str(caught.value)
    assert "a.pt:state_dict.encoder" in message and "missing keys: latlayer1.bias" in message
    assert "unexpected keys: stranger" in message and "latlayer2.weight is [1, 2, 3, 3]" in message


def test_unknown_networks_kinds_and_several_at_once_are_one_sentence(tmp_path: Path) -> None:
    torch.save({"net.0.weight": torch.ones(2, 2)}, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=r"no network that is known.*net\.0\.weight.*panohead"):
        import_files([tmp_path / "a.pt"])
    with pytest.raises(WeightsError, match="did you mean 'panohead'"):
        import_files([tmp_path / "a.pt"], "panohed")
    with pytest.raises(WeightsError, match="missing keys"):
        import_files([tmp_path / "a.pt"], "irse50_arcface")
    both = with_prefix("a.", random_like(refiner())) | with_prefix("b.", random_like(refiner(), 1))
    torch.save(both, tmp_path / "b.pt")
    with pytest.raises(WeightsError, match="several networks"):
        import_files([tmp_path / "b.pt"])
    torch.save({"a.weight": torch.tensor([float("nan")])} | random_like(refiner()), tmp_path / "c.pt")
    assert average().shape[0] == STYLES


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    weights = random_like(refiner())
    weights["up1.conv.double_conv.1.bias"][0] = float("nan")
    torch.save(weights, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="NaN or infinity"):
        import_files([tmp_path / "a.pt"])


def test_senseless_sizes_build_nothing(tmp_path: Path) -> None:
    """A file whose shapes ask for a network far beyond the file."""
    weights = random_like(style_encoder())
    for key in ("input_layer.0.weight", "input_layer.1.weight", "input_layer.1.bias", "input_layer.2.weight"):
        weights[key] = torch.zeros(100_000, *weights[key].shape[1:])
    torch.save(weights | {"latent_avg": average()}, tmp_path / "a.pt")
    with pytest.raises(WeightsError):
        import_files([tmp_path / "a.pt"], "psp_gradual_encoder")
