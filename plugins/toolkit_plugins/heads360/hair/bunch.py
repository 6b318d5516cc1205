"""What a hair style is made of: bunches of guides with what their children are like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from toolkit_plugins.heads360.geometry import F32, Floats, dot, smoothstep, unit
from toolkit_plugins.heads360.hair.growth import Guides, Locks
from toolkit_plugins.heads360.hair.scalp import Roots, Scalp
from toolkit_plugins.heads360.person import Hair

Keep = Callable[[Floats], Floats]
"""Points [N, K, 3] -> [N, K], above 0.5 where hair is."""
SideOf = Callable[[Floats], Floats]
"""Template places [N, 3] -> side [N] (see `Guides.side`)."""
GUIDES = 600


@dataclass(frozen=True)
class Bunch:
    """Guides and their children."""

    guides: Guides
    locks: Locks
    strands: int
    mask: Floats | None = None
    """[V] where children grow; None: from the guides' own roots, `spread` apart."""
    spread: float = 0.03
    keep: Keep | None = None
    side_of: SideOf | None = None


@dataclass
class Stylist:
    """What a style knows when it lays out its guides."""

    rng: np.random.Generator
    scalp: Scalp
    hair: Hair
    african: float
    mask: Floats
    """[V], see `Scalp.mask`."""
    roots: Roots
    top: Floats = field(init=False)
    """[G], 1 on the crown, 0 at the sides."""

    def __post_init__(self) -> None:
        self.top = smoothstep(7.5, 8.0, self.roots.places[:, 1])

    @property
    def count(self) -> int:
        """How many guide hairs the bunch has."""
        return len(self.roots.points)

    def random(self, spread: float) -> Floats:
        """Random directions [G, 3]."""
        return self.rng.normal(0, spread, (self.count, 3)).astype(F32)

    def uniform(self, low: float, high: float) -> Floats:
        """Random numbers [G] between `low` and `high`, one for each guide hair."""
        return self.rng.uniform(low, high, self.count).astype(F32)

    def between(self, low: float, high: float, share: float) -> float:
        """A number between two, by a trait in 0..1."""
        return low + (high - low) * share

    def along_skin(self, directions: Floats) -> Floats:
        """Directions [G, 3] without what leaves the skin, unit."""
        normals = self.roots.normals
        return unit(directions - dot(directions, normals)[:, None] * normals)

    def template(self, points: Floats) -> Floats:
        """Points [..., 3] in template coordinates, roughly: the head's shape is not undone."""
        return points + self.scalp.bust.centre


def constant(vector: tuple[float, float, float], count: int) -> Floats:
    """One direction [count, 3]."""
    return np.tile(np.asarray(vector, F32), (count, 1))
