from __future__ import annotations

import pytest
import torch

from toolkit.errors import InputError
from toolkit.testing.distortions import DISTORTIONS, distort
from toolkit_plugins.embedded_networks.orderings import SEVERITIES, Scene, judge_monotony, judge_orderings, orderings


def test_there_are_eight():
    assert len(DISTORTIONS) == 8


@pytest.mark.parametrize("kind", DISTORTIONS)
def test_without_severity_nothing_happens_and_pixels_differ_more_and_more(kind: str, scene: Scene):
    untouched = distort(kind, scene.image, 0.0)
    assert float((untouched - scene.image).abs().mean()) < (0.05 if kind == "jpeg" else 1e-5)
    errors = [float((distort(kind, scene.image, step) - scene.image).square().mean()) for step in (0.1, 0.4, 0.8)]
    assert errors == sorted(errors)
    assert errors[0] > 0


@pytest.mark.parametrize("kind", DISTORTIONS)
def test_every_picture_has_its_own_severity_and_draws_follow_the_seed(kind: str, scene: Scene):
    severities = torch.tensor([0.2, 0.5, 0.9])
    together = distort(kind, scene.image, severities, seed=3)
    assert together.shape == scene.image.shape
    assert together.abs().max() <= 1
    assert torch.equal(together, distort(kind, scene.image, severities, seed=3))
    alone = distort(kind, scene.image, 0.5, seed=3)
    assert torch.allclose(together[1], alone[1], atol=1e-5)


def test_an_unknown_kind_is_named():
    with pytest.raises(InputError, match="did you mean 'blur'"):
        distort("blurr", torch.zeros(1, 3, 64, 64), 0.5)


def test_every_ordering_has_its_own_name():
    names = [ordering.name for ordering in orderings()]
    assert len(names) == len(set(names)) > 25


def test_squared_error_fails_orderings_and_nonsense_fails_monotony(scene: Scene):
    squared = judge_orderings(lambda a, b: (a - b).square().mean((1, 2, 3)), scene)
    assert squared["paler before blur of the same L2"] < 1
    assert squared["weak noise before strong noise"] == 1
    senseless = judge_monotony(lambda a, b: torch.ones(len(a)), scene)
    assert set(senseless.values()) == {0.0}
    assert len(SEVERITIES) == 5
