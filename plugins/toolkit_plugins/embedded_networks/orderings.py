"""Orderings that a perceptual distance must agree with: which of two distorted pictures is nearer to the original."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.testing.distortions import DISTORTIONS, distort

SEVERITIES = (0.1, 0.25, 0.45, 0.7, 1.0)
"""Steps at which monotony is judged."""
WEAK, STRONG = 0.2, 0.8
Distance = Callable[[Tensor, Tensor], Tensor]
"""From pictures [B, 3, S, S] twice to distances [B]."""


@dataclass(frozen=True)
class Scene:
    """Pictures of B heads, [B, 3, S, S] in [-1, 1]."""

    image: Tensor
    other: Tensor
    """Another head in the same view."""
    elsewhere: Tensor
    """The same head from elsewhere, in another dress."""
    seed: int = 0


class Ordering(NamedTuple):
    """`nearer` has a smaller distance from the scene's image than `farther`."""

    name: str
    nearer: Callable[[Scene], Tensor]
    farther: Callable[[Scene], Tensor]


def orderings() -> list[Ordering]:
    """Every statement that one picture is nearer to a scene than another; perceptual networks are scored by them."""
    return [*_within_kinds(), *_against_other_pictures(), *_between_kinds()]


def _spoilt(kind: str, severity: float) -> Callable[[Scene], Tensor]:
    return lambda scene: distort(kind, scene.image, severity, scene.seed)


def _within_kinds() -> Iterator[Ordering]:
    for kind in DISTORTIONS:
        yield Ordering(f"weak {kind} before strong {kind}", _spoilt(kind, WEAK), _spoilt(kind, STRONG))


def _against_other_pictures() -> Iterator[Ordering]:
    for kind in DISTORTIONS:
        yield Ordering(f"weak {kind} before another head", _spoilt(kind, WEAK), lambda scene: scene.other)
    yield Ordering("one pixel aside before another head", _one_pixel, lambda scene: scene.other)
    yield Ordering("one pixel aside before the mirror image", _one_pixel, lambda scene: scene.image.flip(-1))
    yield Ordering("one pixel aside before upside down", _one_pixel, lambda scene: scene.image.flip(-2))
    yield Ordering("one pixel aside before the same head elsewhere", _one_pixel, lambda scene: scene.elsewhere)
    yield Ordering("weak blur before the mean of two heads", _spoilt("blur", WEAK), _mean_of_two)
    yield Ordering("the mean of two heads before the other head", _mean_of_two, lambda scene: scene.other)
    yield Ordering("strong blur before an empty picture", _spoilt("blur", STRONG), lambda s: torch.ones_like(s.image))


def _between_kinds() -> Iterator[Ordering]:
    yield Ordering("one pixel aside before strong blur", _one_pixel, _spoilt("blur", STRONG))
    yield Ordering("one pixel aside before a large hole", _one_pixel, _spoilt("hole", STRONG))
    yield Ordering("weak blur before weak blur and weak noise", _spoilt("blur", WEAK), _blur_and_noise)
    yield Ordering("weak blur and weak noise before another head", _blur_and_noise, lambda scene: scene.other)
    for kind in ("blur", "jpeg", "warp", "hole"):
        yield Ordering(f"paler before {kind} of the same L2", _paler_like(_spoilt(kind, 0.5)), _spoilt(kind, 0.5))


def _one_pixel(scene: Scene) -> Tensor:
    padded = torch.nn.functional.pad(scene.image, (1, 0, 0, 0), mode="replicate")
    return padded[..., :-1]


def _mean_of_two(scene: Scene) -> Tensor:
    return (scene.image + scene.other) / 2


def _blur_and_noise(scene: Scene) -> Tensor:
    return distort("noise", distort("blur", scene.image, WEAK), WEAK, scene.seed)


def _paler_like(model: Callable[[Scene], Tensor]) -> Callable[[Scene], Tensor]:
    return lambda scene: paler(scene.image, (model(scene) - scene.image).square().mean((1, 2, 3)))


def paler(image: Tensor, error: Tensor) -> Tensor:
    """Pictures [B, 3, S, S] moved towards their mean until the mean squared difference is `error` [B] (or all is)."""
    mean = image.mean((1, 2, 3), keepdim=True)
    spread = (image - mean).square().mean((1, 2, 3))
    return torch.lerp(image, mean.expand_as(image), (error / spread).sqrt().clamp_max(1)[:, None, None, None])


@torch.no_grad()
def judge_orderings(distance: Distance, scene: Scene) -> dict[str, float]:
    """By name, the share of the scene's heads for which the statement holds."""
    return {
        name: float((distance(nearer(scene), scene.image) < distance(farther(scene), scene.image)).float().mean())
        for name, nearer, farther in orderings()
    }


@torch.no_grad()
def judge_monotony(distance: Distance, scene: Scene) -> dict[str, float]:
    """By distortion, the share of heads whose distances grow at every step of `SEVERITIES`."""
    found = {}
    for kind in DISTORTIONS:
        grown = [distance(distort(kind, scene.image, step, scene.seed), scene.image) for step in SEVERITIES]
        found[kind] = float((torch.stack(grown).diff(dim=0) > 0).all(0).float().mean())
    return found
