"""The level set of a generator's density as triangles.

Density is asked for on a straight grid, coarsely first, and then in cells half as wide wherever the surface could be,
so that 256 cells per side cost little more than the surface's own share of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from toolkit.errors import InputError, MissingDependencyError
from toolkit.export.refinement import Lattice, NearLevel, Sample, sample_near_level
from toolkit.export.triangles import Surface, enclosed_volume, largest_component
from toolkit.interfaces import EmptySpace
from toolkit.rendering.views import OnView

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, GeneratorSpec

CHUNK = 2**18
"""Points per query."""
SMALLEST, LARGEST = 8, 1024
"""Allowed cells along the box's side."""
_STEPS = {96: 4, 512: 8}
"""From which resolution on the first cells are how many times as wide as the last ones: wider ones could miss an ear,
and in smaller grids they save nothing."""


def extract_surface(
    generator: Generator,
    planes: Tensor,
    resolution: int = 128,
    level: float | None = None,
    on_chunk: OnView | None = None,
) -> Surface:
    """Find the largest connected level set of the density within the visible part of the box.

    Args:
        generator: What reads the planes.
        planes: [1, *spec.planes_shape].
        resolution: Grid cells along the box's side, 8 to 1024.
        level: Raw density of the surface; None takes `spec.surface_level`.
        on_chunk: Told how many chunks of points of how many are asked for; each finer pass counts anew.

    Raises:
        InputError: Resolution out of range, several heads, or a density that never crosses the level.
        MissingDependencyError: scikit-image is not installed.
    """
    spec = generator.spec
    level = spec.surface_level if level is None else level
    if not SMALLEST <= resolution <= LARGEST:
        raise InputError(f"a mesh's resolution must be {SMALLEST} to {LARGEST}, got {resolution}")
    if planes.shape[0] != 1:
        raise InputError(f"a mesh shows one head, got {planes.shape[0]}")
    step = max((step for least, step in _STEPS.items() if resolution >= least), default=1)
    lattice = visible_lattice(spec, resolution, step)
    near = sample_near_level(density_of(generator, planes, on_chunk), lattice, level, step)
    least, most = near.values.min(), near.values.max()
    if not (least < level < most):
        raise InputError(f"the density ({least:.3g} to {most:.3g}) never crosses the level {level:g}")
    return largest_component(_triangulate(near, lattice, level))


def density_of(generator: Generator, planes: Tensor, on_chunk: OnView | None = None) -> Sample:
    """A function from points to raw density, chunked, without gradients."""
    device = generator.device
    planes = planes.to(device)

    def ask(points: Tensor) -> Tensor:
        if isinstance(generator, EmptySpace):
            return generator.density(planes, points)[0]
        return generator.query(planes, points).density[0, :, 0]

    def sample(points: np.ndarray) -> np.ndarray:
        parts: list[Tensor] = []
        with torch.no_grad():
            for chunk in (chunks := torch.from_numpy(points).split(CHUNK)):
                if on_chunk is not None:
                    on_chunk(len(parts), len(chunks))
                parts.append(ask(chunk[None].to(device)).float().cpu())
        if on_chunk is not None:
            on_chunk(len(parts), len(parts))
        return torch.cat(parts).numpy()

    return sample


def visible_lattice(spec: GeneratorSpec, resolution: int, multiple: int = 1) -> Lattice:
    """A grid over what the renderer shows; cells per axis are a multiple of `multiple`, close to cubes."""
    half = np.minimum(np.asarray(spec.visible_half_extent, dtype=np.float64), spec.box / 2)
    cells = np.maximum(np.round(2 * half / spec.box * resolution / multiple), 2).astype(int) * multiple
    return Lattice(-half, 2 * half / cells, (int(cells[0]), int(cells[1]), int(cells[2])))


def _triangulate(near: NearLevel, lattice: Lattice, level: float) -> Surface:
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise MissingDependencyError("scikit-image", "extracting a mesh", "all") from error
    # A border of emptiness closes the surface where the visible part of the box cuts it.
    closed = np.pad(near.values, 1, constant_values=level - max(float(near.values.max()) - level, 1e-3))
    mask = _and_borders(np.pad(near.asked, 1))
    indices, faces, _, _ = marching_cubes(closed, level, allow_degenerate=False, mask=mask)
    low, high = lattice.low, lattice.low + lattice.spacing * lattice.cells
    vertices = np.clip(lattice.low + (indices - 1 + near.first) * lattice.spacing, low, high).astype(np.float32)
    surface = Surface(vertices, faces.astype(np.int32))
    return surface if enclosed_volume(surface) > 0 else Surface(vertices, faces[:, ::-1].astype(np.int32))


def _and_borders(marked: np.ndarray) -> np.ndarray:
    """Mark all corners [X, Y, Z] of the outermost cells, too; in place."""
    for axis in range(3):
        lines = np.moveaxis(marked, axis, 0)
        lines[:2], lines[-2:] = True, True
    return marked
