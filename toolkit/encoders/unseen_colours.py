"""Colours of a photo go on where it does not see: what the fit teaches of hair in front is true of hair behind.

The code's head has the materials of a whole head, but the colours of heads that its encoder learnt from. Where the
photo sees, the fit mends them. A point that it does not see should change as seen points do that had similar features,
and become more like these.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from toolkit.encoders.photo_outline import PhotoOutline, shown_at
from toolkit.interfaces import Code, Generator

RAYS = 128
"""Side of the ray grid that tells which points the photo sees."""
TOLERANCE = 0.03
"""World units by which a point may lie behind the seen surface and is seen all the same."""
EXAMPLES = 1500
"""Most seen points that others follow."""
NEIGHBOURS = 12
"""So many of them decide about a point."""
SHARPNESS = 10.0
"""How much more the more similar ones decide."""
REACH = 0.35
"""How unlike a point may be to the seen ones that it follows and still become like them, in deviations of features: at
this distance, 63 % of the difference stays. Encoders were trained on heads that are lit from the front, and make hair
darker behind; but hair that no seen point is like must not turn into skin."""
HEIGHT = 0.5
"""How much a difference in height counts beside one of features, both in deviations."""


class Likeness(NamedTuple):
    """Which seen points each unseen one follows."""

    weights: Tensor
    """[P, K], each row sums to 1."""
    rows: Tensor
    """[P, K] rows of the seen points."""

    def mean(self, values: Tensor) -> Tensor:
        """What seen points' values [Q, C] make of each unseen one's: [P, C]."""
        return (self.weights[..., None] * values[self.rows]).sum(1)


class UnseenColours:
    """How features of unseen points near a head's surface should change, given how those of seen ones do."""

    def __init__(self, generator: Generator, model: Code, outline: PhotoOutline, points: Tensor) -> None:
        """Find seen points that are like each unseen one.

        Args:
            generator: Reads planes.
            model: One head that has the same materials in front and behind: planes made of its own ws.
            outline: The photo's.
            points: [P, 3] near the head's surface, in random order.
        """
        self._generator = generator
        with torch.no_grad():
            seen = _sees(generator, model, outline, points)
            self.examples, self.points = points[seen][:EXAMPLES], points[~seen]
            self._shown = self._features(model.planes, self.examples)
            hidden = self._features(model.planes, self.points)
            self._likeness = likeness(hidden, self._shown, self.points[:, 1], self.examples[:, 1])
            self._unchanged = _nearer(hidden, self._likeness.mean(self._shown), self._shown)

    def missed(self, planes: Tensor, count: int, rng: torch.Generator) -> Tensor:
        """Mean squared difference between unseen points' features and what they should be; a scalar.

        Args:
            planes: [1, *spec.planes_shape].
            count: Points that are looked at.
            rng: Chooses them.
        """
        if not len(self.points) or not len(self.examples):
            return planes.new_zeros(())
        with torch.no_grad():
            change = self._features(planes, self.examples) - self._shown
        chosen = torch.randint(len(self.points), (count,), generator=rng).to(planes.device)
        followed = Likeness(*(part[chosen] for part in self._likeness))
        wanted = self._unchanged[chosen] + followed.mean(change)
        return (self._features(planes, self.points[chosen]) - wanted).square().mean()

    def _features(self, planes: Tensor, points: Tensor) -> Tensor:
        return self._generator.query(planes, points[None]).features[0]


def likeness(hidden: Tensor, shown: Tensor, height: Tensor, shown_height: Tensor) -> Likeness:
    """The most similar of Q shown points for each of P hidden ones.

    Args:
        hidden: [P, C] features.
        shown: [Q, C].
        height: [P] in world units.
        shown_height: [Q].
    """
    if not len(shown):
        return Likeness(hidden.new_zeros(len(hidden), 0), torch.zeros(len(hidden), 0, dtype=torch.long))
    places = [
        torch.cat([features / _deviation(shown) / shown.shape[1] ** 0.5, HEIGHT * up / _deviation(shown_height)], 1)
        for features, up in ((hidden, height[:, None]), (shown, shown_height[:, None]))
    ]
    near = [
        torch.cdist(part, places[1]).topk(min(NEIGHBOURS, len(shown)), largest=False) for part in places[0].split(4096)
    ]
    distance, rows = (torch.cat(each) for each in zip(*near, strict=True))
    return Likeness(torch.softmax(-SHARPNESS * distance / distance.mean().clamp(min=1e-6), dim=1), rows)


def _nearer(features: Tensor, like: Tensor, shown: Tensor) -> Tensor:
    """Features [P, C], nearer to similar ones [P, C] of Q shown points [Q, C]: the more alike, the nearer."""
    if not len(shown):
        return features
    apart = ((like - features) / _deviation(shown)).square().mean(1, keepdim=True)
    return torch.lerp(features, like, torch.exp(-apart / REACH**2))


def _deviation(values: Tensor) -> Tensor:
    return values.std(0, unbiased=False).clamp(min=1e-6)


def _sees(generator: Generator, model: Code, outline: PhotoOutline, points: Tensor) -> Tensor:
    """Whether the photo shows the colour of points [P, 3]: booleans [P]."""
    camera = outline.camera
    depth = generator.render(model.planes, model.ws, camera, RAYS).depth
    _, surface = shown_at(depth, camera, points)
    distance = (points - camera.position[0]).norm(dim=-1)
    return outline.shows_colour(points) & (distance <= surface + TOLERANCE)
