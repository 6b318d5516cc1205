from __future__ import annotations

import pytest
import torch
from torch import Tensor

from toolkit.encoders import unseen_colours
from toolkit.encoders.photo_outline import PhotoOutline
from toolkit.encoders.unseen_colours import UnseenColours, likeness
from toolkit.interfaces import Code
from toolkit.latents import map_styles, random_latents
from toolkit.rendering.views import around
from toolkit.testing.spherical import SphericalGenerator


@pytest.fixture(scope="module")
def head(spherical: SphericalGenerator) -> Code:
    with torch.no_grad():
        ws = map_styles(spherical, random_latents(spherical, 1)[:, None])
        return Code(ws, spherical.planes(ws))


@pytest.fixture(scope="module")
def ball() -> Tensor:
    """Points [600, 3] on a ball."""
    points = torch.randn(600, 3, generator=torch.Generator().manual_seed(1))
    return 0.2 * points / points.norm(dim=1, keepdim=True)


def colours(spherical: SphericalGenerator, head: Code, ball: Tensor, photo: float = 0.0) -> UnseenColours:
    outline = PhotoOutline(torch.full((1, 3, 64, 64), photo), around(spherical.spec, torch.zeros(1)))
    return UnseenColours(spherical, head, outline, ball)


def missed(found: UnseenColours, planes: Tensor) -> float:
    return float(found.missed(planes, 300, torch.Generator().manual_seed(2)).detach())


def test_points_follow_those_of_their_own_kind():
    rng = torch.Generator().manual_seed(0)
    kinds = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 5.0]])
    shown = kinds.repeat_interleave(40, 0) + 0.01 * torch.randn(80, 3, generator=rng)
    hidden = kinds.repeat_interleave(10, 0) + 0.01 * torch.randn(20, 3, generator=rng)
    found = likeness(hidden, shown, torch.zeros(20), torch.zeros(80))
    torch.testing.assert_close(found.weights.sum(1), torch.ones(20))
    assert (found.rows[:10] < 40).all() and (found.rows[10:] >= 40).all()


def test_of_equal_features_those_at_the_same_height_count_more():
    shown, height = torch.zeros(40, 2), torch.linspace(-1, 1, 40)
    found = likeness(torch.zeros(1, 2), shown, torch.tensor([1.0]), height)
    assert (height[found.rows[0]] > 0.3).all() and int(found.rows[0, found.weights.argmax()]) == 39


def test_without_examples_nothing_is_followed():
    assert likeness(torch.zeros(5, 2), torch.zeros(0, 2), torch.zeros(5), torch.zeros(0)).rows.shape == (5, 0)


def test_the_back_of_a_head_is_not_seen(spherical: SphericalGenerator, head: Code, ball: Tensor):
    found = colours(spherical, head, ball)
    assert len(found.examples) + len(found.points) == len(ball)
    assert found.examples[:, 2].mean() > 0.05 > found.points[:, 2].mean()


def test_a_point_becomes_like_those_it_is_like_already(spherical: SphericalGenerator, head: Code, ball: Tensor):
    found = colours(spherical, head, ball)
    with torch.no_grad():
        hidden, shown = (spherical.query(head.planes, at[None]).features[0] for at in (found.points, found.examples))
    wanted = likeness(hidden, shown, found.points[:, 1], found.examples[:, 1]).mean(shown)
    apart = ((wanted - hidden) / shown.std(0, unbiased=False)).square().mean(1, keepdim=True).sqrt()
    rows = torch.randint(len(hidden), (300,), generator=torch.Generator().manual_seed(2))
    moved = torch.exp(-((apart / 0.35) ** 2)) * (wanted - hidden)
    assert missed(found, head.planes) == pytest.approx(float(moved[rows].square().mean()), rel=1e-4)
    assert moved.abs().max() > 0


def test_what_no_seen_point_is_like_stays_as_it_is(
    spherical: SphericalGenerator, head: Code, ball: Tensor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(unseen_colours, "REACH", 1e-4)
    assert missed(colours(spherical, head, ball), head.planes) < 1e-10


def test_a_change_everywhere_is_right_and_one_of_the_seen_side_is_not(
    spherical: SphericalGenerator, head: Code, ball: Tensor
):
    found = colours(spherical, head, ball)
    everywhere = head.planes + 0.3 * torch.ones_like(head.planes)
    seen = torch.zeros_like(head.planes)
    rows = head.planes.clone().requires_grad_(True)
    # entries that only the seen points read
    reads = [
        torch.autograd.grad(spherical.query(rows, part[None]).features.sum(), rows)[0] != 0
        for part in (found.examples, found.points)
    ]
    seen[reads[0] & ~reads[1]] = 0.3
    if not seen.any():
        pytest.skip("every entry is read from both sides")
    assert missed(found, everywhere) < missed(found, head.planes + 10 * seen)


def test_a_white_photo_says_nothing(spherical: SphericalGenerator, head: Code, ball: Tensor):
    found = colours(spherical, head, ball, photo=1.0)
    assert len(found.examples) == 0 and missed(found, head.planes + 1) == 0
