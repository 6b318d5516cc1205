"""Points that rays met, with everything that shading looks at."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.geometry import F32, Floats


@dataclass(frozen=True)
class Samples:
    """N points on a head."""

    kinds: NDArray[np.uint8]
    """[N], see `Kind`."""
    corners: NDArray[np.int32]
    """[N, 3] vertices of the triangle."""
    weights: Floats
    """[N, 3] barycentric."""
    points: Floats
    """[N, 3] decimetres."""
    normals: Floats
    """[N, 3], towards the viewer."""
    places: Floats
    """[N, 3], see `Solid.places`."""
    extra: Floats
    """[N, 2], see `Solid.extra`."""
    view: Floats
    """[N, 3], unit, towards the viewer."""
    lamp: Floats
    """[N], share of the lamp that is not in shadow; 1 where nobody asked."""

    def __len__(self) -> int:
        """How many points are shaded."""
        return len(self.kinds)

    def where(self, chosen: NDArray[np.integer]) -> Samples:
        """Some of the points."""
        return Samples(*(getattr(self, field.name).take(chosen, 0) for field in fields(self)))

    def mixed(self, values: Floats) -> Floats:
        """Vertex values [V] or [V, C] at the points."""
        weights = self.weights if values.ndim == 1 else self.weights[..., None]
        a, b, c = (values.take(self.corners[:, corner], 0) * weights[:, corner] for corner in range(3))
        return np.asarray(a + b + c, F32)
