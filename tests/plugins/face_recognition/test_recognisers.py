from __future__ import annotations

from pathlib import Path

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
from toolkit.interfaces import FaceEmbedder
from toolkit.losses.identity import IdentityLoss, crop_face, identity_distance
from toolkit.registry import default_registry
from toolkit.tensors import write_tensors
from toolkit.weights import build_official
from toolkit_plugins.face_recognition.architecture import ArcFaceArchitecture, CurricularFaceArchitecture

KINDS = ["irse50_arcface", "curricularface_ir101"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_recognisers_equal_the_published_ones(kind: str):
    golden, net = load(kind), build_full(kind)
    before: list[torch.Tensor] = []
    net.output_layer.register_forward_hook(lambda module, inputs, output: before.append(output))
    units = {0: [], 3: [], 7: [], 21: [], 23: []}  # type: ignore[var-annotated]
    for index, found in units.items():
        net.body[index].register_forward_hook(lambda module, inputs, output, found=found: found.append(output[:1]))
    with torch.no_grad():
        assert golden.error("embedding", net(golden.inputs["crops"])) < TOLERANCE
    if kind == "irse50_arcface":
        assert golden.error("pre_norm", before[0]) < TOLERANCE
        for index, found in units.items():
            assert golden.error(f"body{index}", found[0]) < TOLERANCE, index


@pytest.mark.slow
def test_the_identity_loss_equals_the_published_one():
    golden, net = load("id_loss"), build_full("irse50_arcface").requires_grad_(False)
    loss = IdentityLoss(net)  # type: ignore[arg-type]
    target, other = golden.inputs["target"], golden.inputs["other"]
    image = (0.7 * target + 0.5 * other).clamp(-1, 1)
    first, second = loss.embed(image), loss.embed(target)
    assert golden.error("features_y_hat", first) < TOLERANCE
    assert golden.error("features_target", second) < TOLERANCE
    assert golden.error("similarity", (first * second).sum(1)) < TOLERANCE
    assert golden.error("loss", loss(image, target)[None]) < TOLERANCE


def test_the_face_is_cut_out_as_published():
    golden = load("id_loss")
    assert golden.error("pooled_crop", crop_face(golden.inputs["target"])) < TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_small_networks_give_what_they_gave(kind: str):
    assert small_error(kind) < TOLERANCE


@pytest.mark.parametrize("architecture", [ArcFaceArchitecture, CurricularFaceArchitecture])
def test_published_tables_are_recognised_and_the_networks_own(architecture: type):
    recognised = [kind for kind in (*KINDS, "psp_last_layer_w") if architecture().recognises(published_shapes(kind))]
    assert recognised == [architecture().kind]
    shapes = published_shapes(architecture().kind)
    with torch.device("meta"):
        net = architecture().build({key: torch.empty(shape) for key, shape in shapes.items()})
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == shapes


def test_embeddings_are_unit_vectors_and_each_face_is_alone():
    net, faces = build_small("irse50_arcface"), small_input("face", 2, 3, 48, 48)
    assert isinstance(net, FaceEmbedder)
    with torch.no_grad():
        together = net.embed(faces)
        torch.testing.assert_close(together.norm(dim=1), torch.ones(2))
        torch.testing.assert_close(net.embed(faces[1:]), together[1:], atol=1e-5, rtol=1e-5)
    with pytest.raises(InputError, match=r"\[B, 3, 48, 48\]"):
        net(faces[..., :40])


def test_identity_is_lost_gradually_and_the_target_gets_no_gradient():
    net = build_small("irse50_arcface").requires_grad_(False)
    loss = IdentityLoss(net, crop_side=48)  # type: ignore[arg-type]
    target = small_input("face", 2, 3, 64, 64).requires_grad_()
    noise = small_input("other", 2, 3, 64, 64)
    with torch.no_grad():
        losses = [loss(target + amount * noise, target) for amount in (0.0, 0.1, 0.5)]
    assert abs(float(losses[0])) < 1e-6
    assert losses[0] < losses[1] < losses[2]
    image = noise.clone().requires_grad_()
    loss(image, target).backward()
    assert target.grad is None and float(image.grad.abs().sum()) > 0


def test_opposite_vectors_are_two_apart():
    unit = torch.eye(3)
    assert float(identity_distance(unit, -unit)) == 2


def test_a_face_window_scales_with_the_image():
    columns = torch.linspace(0, 1, 512).expand(1, 1, 512, 512)
    small = torch.nn.functional.avg_pool2d(columns, 2)
    torch.testing.assert_close(crop_face(columns), crop_face(small), atol=2e-3, rtol=0)
    assert crop_face(torch.zeros(1, 3, 64, 64), side=20).shape == (1, 3, 20, 20)


def test_embedders_open_the_users_file_and_say_what_they_need(tmp_path: Path):
    open_arcface = default_registry().load("face_embedder", "arcface")
    with pytest.raises(WeightsError, match="irse50_arcface"):
        open_arcface()
    path = tmp_path / "small.safetensors"
    write_tensors(path, small_state("irse50_arcface"), {})
    face = small_input("face", 1, 3, 48, 48)
    assert torch.equal(open_arcface(path).embed(face), build_small("irse50_arcface").embed(face))
    with pytest.raises(WeightsError, match="do not fit"):
        default_registry().load("face_embedder", "curricularface")(path)


def test_one_missing_key_is_named():
    state = small_state("curricularface_ir101")
    del state["output_layer.4.running_mean"]
    with pytest.raises(WeightsError, match=r"missing keys: output_layer\.4\.running_mean$"):
        build_official("curricularface_ir101", state)


def test_a_network_for_dry_runs_has_random_weights_and_takes_no_file(tmp_path: Path):
    opened = [default_registry().build("face_embedder", "arcface-untrained") for _ in range(2)]
    first, second = (each.output_layer[3].weight for each in opened)
    assert torch.equal(first, second) and not first.requires_grad
    with pytest.raises(WeightsError, match="takes no file"):
        default_registry().build("face_embedder", "arcface-untrained", tmp_path / "mine.safetensors")
