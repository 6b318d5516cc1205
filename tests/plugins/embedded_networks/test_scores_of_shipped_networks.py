"""What the shipped files reach on heads that no training has seen; bounds lie below the numbers of docs/weights.md."""

from __future__ import annotations

import hashlib

import pytest
import torch
from torch import nn

from toolkit.registry import default_registry
from toolkit_plugins.embedded_networks import losses, metrics
from toolkit_plugins.embedded_networks.files import ROLES, Role, build, read_network, shipped_file
from toolkit_plugins.embedded_networks.orderings import Scene
from toolkit_plugins.embedded_networks.training.evaluation import score
from toolkit_plugins.embedded_networks.training.pictures import Pictures
from toolkit_plugins.embedded_networks.verification import verify

CPU = torch.device("cpu")


@pytest.mark.parametrize("role", ["identity-loss", "identity-e"])
def test_faces_of_one_head_are_told_from_those_of_others(role: Role, held_out: Pictures):
    network, _ = read_network(role, nn.Module)
    assert score(network, held_out, CPU)["verification"] > 0.9
    untrained = build(role, 0)
    assert score(untrained, held_out, CPU)["verification"] < 0.85


@pytest.mark.parametrize("role", ["perceptual-loss", "perceptual-e"])
def test_distances_agree_with_the_orderings_and_grow_with_severity(role: Role, held_out: Pictures, scene: Scene):
    network, _ = read_network(role, nn.Module)
    found = score(network, held_out, CPU)
    assert found["orderings"] >= 0.95
    assert found["monotony"] >= 0.95


def test_a_threshold_is_chosen_on_other_heads():
    turned = torch.nn.functional.normalize(torch.eye(12)[:, None] + 0.1 * torch.ones(12, 3, 12), dim=2)
    found = verify(turned, torch.tensor([[0, 1]]))
    assert (found.accuracy, found.relatives, found.pairs) == (1.0, 1.0, 36)
    codes = torch.nn.functional.normalize(torch.randn(40, 4, 64, generator=torch.Generator().manual_seed(1)), dim=2)
    assert 0.35 < verify(codes, torch.zeros(0, 2, dtype=torch.long)).accuracy < 0.65


def test_the_two_sets_are_independent():
    digests = {hashlib.sha256(shipped_file(role).read_bytes()).hexdigest() for role in ROLES}
    assert len(digests) == len(ROLES)
    for kind in ("identity", "perceptual"):
        mine, theirs = (build(role, 43) for role in (f"{kind}-loss", f"{kind}-e"))  # type: ignore[arg-type]
        shapes = [{key: tuple(value.shape) for key, value in each.state_dict().items()} for each in (mine, theirs)]
        shared = {key for key in shapes[0].keys() & shapes[1].keys() if shapes[0][key] == shapes[1][key]}
        assert {type(layer) for layer in mine.modules()} != {type(layer) for layer in theirs.modules()}
        assert shared <= {"show.bias", "tell.0.bias", "tell.2.weight", "tell.2.bias", "weights.1"}
    seeds = {role: read_network(role, nn.Module)[1]["settings"] for role in ROLES}
    assert all('"seed":11' in text and '"seed":21' in text for text in seeds.values())


def test_scores_never_read_a_file_of_losses(monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []

    def spy(role: Role, *arguments: object) -> object:
        opened.append(role)
        return read_network(role, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(metrics, "read_network", spy)
    monkeypatch.setattr(losses, "read_network", spy)
    metrics._perception.cache_clear()
    metrics._recogniser.cache_clear()
    for name in ("lpips-e", "id-e", "fid-e", "kid-e"):
        default_registry().load("metric", name)()
    assert sorted(opened) == ["identity-e", "perceptual-e"]
    opened.clear()
    default_registry().load("face_embedder", "embedded")()
    default_registry().load("perceptual_distance", "embedded")(None)
    assert opened == ["identity-loss", "perceptual-loss"]


def test_the_files_are_small():
    assert sum(shipped_file(role).stat().st_size for role in ROLES) < 8 * 2**20
