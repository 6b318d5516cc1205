"""Points that rays met, with everything that shading looks at."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit_plugins.heads360.geometry import F32, Floats


class Samples(NamedTuple):
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
    viewer: Floats
    """[N, 3], unit, towards the viewer."""
    lamp: Floats
    """[N], share of the lamp that is not in shadow; 1 where nobody asked."""

    def where(self, chosen: NDArray[np.integer]) -> Samples:
        """Some of the points."""
        return Samples._make(values.take(chosen, 0) for values in self)

    def mixed(self, values: Floats) -> Floats:
        """Vertex values [V] or [V, C] at the points."""
        weights = self.weights if values.ndim == 1 else self.weights[..., None]
        a, b, c = (values.take(self.corners[:, corner], 0) * weights[:, corner] for corner in range(3))
        return np.asarray(a + b + c, F32)
