"""Losses, perceptual distances and face embedders of strangers: what they do wrong is refused by their name."""

from __future__ import annotations

import os
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit import strangers
from toolkit.camera import Camera
from toolkit.encoders.training.image_losses import ImageLosses
from toolkit.encoders.training.settings import ImageWeights, NetworkLosses
from toolkit.errors import PluginError
from toolkit.interfaces import Render
from toolkit.registry import Registration, default_registry
from toolkit.testing.spherical import build_spherical

Terms = Callable[[str, Any], dict[str, Tensor]]


class Coarse:
    """A perceptual distance that may be spoilt."""

    name = "odd"

    def __init__(self, embedded: Any = None, measured: Any = None) -> None:
        self._embedded, self._measured = embedded, measured

    def embed(self, image: Tensor) -> Any:
        found = (F.avg_pool2d(image, 2),)
        return found if self._embedded is None else self._embedded(found, image)

    def distance(self, first: Any, second: Any) -> Any:
        found = (first[0] - second[0]).square().mean()
        return found if self._measured is None else self._measured(found, first)


class Thumbnails:
    """A face embedder that may be spoilt."""

    def __init__(self, answer: Any = None) -> None:
        self._answer = answer

    def embed(self, face: Tensor) -> Any:
        found = F.normalize(F.adaptive_avg_pool2d(face, 4).flatten(1), dim=1)
        return found if self._answer is None else self._answer(found, face)


def difference(answer: Any = None) -> Any:
    def loss(image: Tensor, target: Tensor) -> Any:
        found = (image - target).abs().mean()
        return found if answer is None else answer(found, target)

    return loss


class Learnt(nn.Module):
    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        return (image - target).abs().mean() / 0


@pytest.fixture
def terms(monkeypatch: pytest.MonkeyPatch) -> Terms:
    """The weighted terms of a training that uses a stranger's part of a kind; their gradients exist."""

    def compute(kind: str, part: Any) -> dict[str, Tensor]:
        module = types.ModuleType("odd_losses")
        module.make = (lambda: part) if kind == "loss" else (lambda file: part)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "odd_losses", module)
        entry = Registration(kind, "odd", "odd_losses:make", "s", 1, "sx")
        monkeypatch.setitem(default_registry().registrations, (kind, "odd"), entry)
        weights = {
            "loss": ImageWeights(l2=0, perceptual=0, by_name={"odd": 1.0}),
            "perceptual_distance": ImageWeights(l2=0, perceptual=1.0),
            "face_embedder": ImageWeights(l2=0, perceptual=0, identity=1.0),
        }[kind]
        names = {"perceptual_distance": "perceptual", "face_embedder": "embedder"}
        chosen = {"perceptual": "pyramid"} | ({names[kind]: "odd"} if kind in names else {})
        losses = ImageLosses(
            NetworkLosses(**chosen), build_spherical().spec, torch.device("cpu"),
            identity=kind == "face_embedder", names=list(weights.by_name),
        )  # fmt: skip
        image, target = torch.rand(2, 2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
        image.requires_grad_()
        depth = torch.ones(2, 1, 24, 24)
        found = losses.terms(weights, Render(image, image, depth, depth), target, Camera.orbit().expand(2))
        sum(found.values()).backward()  # type: ignore[union-attr]
        assert image.grad is not None and image.grad.abs().sum() > 0
        return found

    return compute


def boom(*given: Any) -> Any:
    raise KeyError("x")


def leave(*given: Any) -> Any:
    os._exit(0)


def nan(found: Any, given: Any) -> Any:
    return tuple(each * float("nan") for each in found) if isinstance(found, tuple) else found * float("nan")


@pytest.mark.parametrize(
    ("kind", "part", "told"),
    [
        ("loss", difference(boom), "failed: KeyError: 'x'"),
        ("loss", difference(leave), "tried to end the program"),
        ("loss", difference(nan), "gave NaN or infinity"),
        ("loss", difference(lambda found, target: None), "gave a NoneType"),
        ("loss", difference(lambda found, target: found.item()), "gave a float"),
        ("loss", difference(lambda found, target: found.expand(2)), "gave [2] instead of []"),
        ("loss", difference(lambda found, target: found.detach()), "carries no gradient"),
        ("loss", difference(lambda found, target: (target.zero_(), found)[1]), "wrote into what `__call__` was given"),
        ("loss", Learnt(), "gave NaN or infinity"),
        ("loss", 3, "makes a int, which cannot be called"),
        ("perceptual_distance", Coarse(embedded=boom), "failed: KeyError: 'x'"),
        ("perceptual_distance", Coarse(embedded=leave), "tried to end the program"),
        ("perceptual_distance", Coarse(embedded=nan), "`embed` gave NaN or infinity"),
        ("perceptual_distance", Coarse(embedded=lambda found, image: ()), "`embed` gave a tuple, not a tuple of"),
        ("perceptual_distance", Coarse(embedded=lambda found, image: (found[0].detach(),)), "carries no gradient"),
        ("perceptual_distance", Coarse(measured=boom), "failed: KeyError: 'x'"),
        ("perceptual_distance", Coarse(measured=nan), "`distance` gave NaN or infinity"),
        ("perceptual_distance", Coarse(measured=lambda found, first: found.expand(2)), "gave [2] instead of []"),
        ("perceptual_distance", None, "makes a NoneType, which lacks name, embed or distance"),
        ("face_embedder", Thumbnails(boom), "failed: KeyError: 'x'"),
        ("face_embedder", Thumbnails(leave), "tried to end the program"),
        ("face_embedder", Thumbnails(nan), "`embed` gave NaN or infinity"),
        ("face_embedder", Thumbnails(lambda found, face: found[:1]), "`embed` gave [1, 48] instead of [2, any]"),
        ("face_embedder", Thumbnails(lambda found, face: found.detach()), "carries no gradient"),
        ("face_embedder", None, "makes a NoneType, which has no embed"),
    ],
)
def test_what_is_no_loss_is_refused_by_name(terms: Terms, kind: str, part: Any, told: str) -> None:
    with pytest.raises(PluginError, match=rf"^{kind.replace('_', ' ')} 'odd' of plugin 'sx'") as caught:
        terms(kind, part)
    assert told in str(caught.value)


def test_a_loss_that_never_ends_is_ended_at_the_limit(terms: Terms) -> None:
    with strangers.time_limit(0.2), pytest.raises(PluginError, match=r"^loss 'odd' .*longer than 0.2 s \(--time-limit"):
        terms("loss", difference(lambda found, target: time.sleep(60)))


@pytest.mark.parametrize(
    ("kind", "part"),
    [("loss", difference()), ("perceptual_distance", Coarse()), ("face_embedder", Thumbnails())],
)
def test_sound_ones_give_their_term(terms: Terms, kind: str, part: Any) -> None:
    (term,) = terms(kind, part).values()
    assert term.ndim == 0 and term.item() > 0
