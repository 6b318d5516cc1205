"""Which mixtures of MakeHuman's local changes make faces differ most: a principal component analysis.

A latent shall have few numbers of shape, each of which one sees. Every local change gets a standard deviation; the
components of what they do together to the vertices of the face, strongest first, are what the latent's numbers mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
COMPONENTS = 44
"""They hold 99.6 % of the variance of 108 changes."""
_SPREADS = (
    (("mouth-trans-in-out", "nose-trans-in", "head-trans", "neck-trans"), 0.03),
    (("ear-trans", "mouth-trans-backward", "nose-trans-backward"), 0.09),
    (("neck", "measure"), 0.08),
    (("ear-shape", "ear-wing", "epicanthus"), 0.10),
    (("head-angle",), 0.06),
    (("head-age",), 0.08),
    (("head-scale", "head-back", "forehead"), 0.13),
    (("head-fat",), 0.22),
    (("trans",), 0.17),
    (("eyebrows", "nose", "chin"), 0.25),
    (("eye", "mouth", "cheek"), 0.22),
)
"""Standard deviations of the changes whose names contain these words; the first that fits counts."""
_DEFAULT_SPREAD = 0.16


def spread_of(name: str) -> float:
    """Standard deviation of a local change, 1 = its whole target."""
    return next((spread for words, spread in _SPREADS if any(word in name for word in words)), _DEFAULT_SPREAD)


def shape_basis(
    targets: dict[str, FloatArray], points: FloatArray, face: NDArray[np.bool_]
) -> tuple[list[str], FloatArray]:
    """Components of the local changes.

    Args:
        targets: Offsets [V, 3] by name (see `make.collect_targets`).
        points: The template's vertices [V, 3].
        face: Vertices [V] that count; those at the front count most.

    Returns:
        Names of the changes without side, and weights [changes, COMPONENTS]: a latent of standard normals times
        their transpose gives each change its amount.
    """
    names = sorted({name.removeprefix("more ").removeprefix("l-").removeprefix("r-")
                    for name in targets if name.startswith("more ")})  # fmt: skip
    importance = np.where(points[:, 2] > 0.7, 1.0, 0.25)[face, None]
    effects = []
    for name in names:
        effect = sum(
            (targets[f"more {side}{name}"] - targets[f"less {side}{name}"]) / 2
            for side in ("", "l-", "r-")
            if f"more {side}{name}" in targets
        )
        effects.append((np.asarray(effect)[face] * importance).ravel())
    spreads = np.array([spread_of(name) for name in names])
    scaled = np.array(effects) * spreads[:, None]
    values, vectors = np.linalg.eigh(scaled @ scaled.T)
    chosen = np.argsort(values)[::-1][:COMPONENTS]
    return names, (spreads[:, None] * vectors[:, chosen]).astype(np.float32)
