"""The level set of a generator's density as triangles.

Density is asked for on a straight grid, coarsely first, and then in cells half as wide wherever the surface could be,
so that 256 cells per side cost little more than the surface's own share of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from toolkit.errors import InputError, MissingDependencyError
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
_PAIR = (slice(None, -1), slice(1, None))
"""Of neighbours along an axis: the first ones, the second ones."""

Sample = Callable[[np.ndarray], np.ndarray]
"""From points [M, 3] to density [M]."""


class Lattice(NamedTuple):
    """A straight grid; axis order x, y, z."""

    low: np.ndarray
    """[3], the first corner (world units)."""
    spacing: np.ndarray
    """[3], world units."""
    cells: tuple[int, int, int]

    def points(self, indices: np.ndarray) -> np.ndarray:
        """World points [M, 3] float32 of corner indices [M, 3]."""
        return (self.low + indices * self.spacing).astype(np.float32)


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
    values = sample_near_level(density_of(generator, planes, on_chunk), lattice, level, step)
    if not (values.min() < level < values.max()):
        raise InputError(f"the density ({values.min():.3g} to {values.max():.3g}) never crosses the level {level:g}")
    return largest_component(_triangulate(values, lattice, level))


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


def sample_near_level(sample: Sample, lattice: Lattice, level: float, step: int) -> np.ndarray:
    """Density at the corners of a lattice [nx+1, ny+1, nz+1]: sampled near the level, and on its right side elsewhere.

    Cells of a side of `step` are asked first, and halved where they could hold the surface, until their side is 1. A
    cell could hold it when its corners, continued by their own range, could reach the level, and so could its
    neighbours (except in the last halving). Elsewhere all corners lie on one side, and so does the corner whose density
    stands for the whole cell.

    Args:
        sample: What is asked.
        lattice: Where; its cells per axis are a multiple of `step`.
        level: Of the surface.
        step: A power of two; 1 asks for every corner.
    """
    shape = np.asarray(lattice.cells) // step + 1
    corners = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3)
    values = sample(lattice.points(corners * step)).reshape(shape)
    near = np.ones(shape - 1, dtype=bool)
    while step > 1:
        near &= _could_hold(values, level, neighbours=step > 2)
        step //= 2
        values, near = _halved(values), _halved(near, cells=True)
        wanted = np.argwhere(_corners_of(near))
        if len(wanted):  # else nothing crosses the level
            values[tuple(wanted.T)] = sample(lattice.points(wanted * step))
    return values


def _could_hold(values: np.ndarray, level: float, *, neighbours: bool) -> np.ndarray:
    """Which cells [X, Y, Z] of corners [X + 1, Y + 1, Z + 1] could hold the level, or have such a neighbour."""
    lowest, highest = values, values
    for axis in range(3):
        first, second = (tuple(part if each == axis else slice(None) for each in range(3)) for part in _PAIR)
        lowest, highest = np.minimum(lowest[first], lowest[second]), np.maximum(highest[first], highest[second])
    reach = highest - lowest
    near = (lowest - reach < level) & (highest + reach > level)
    for axis in range(3 if neighbours else 0):
        first, second = (tuple(part if each == axis else slice(None) for each in range(3)) for part in _PAIR)
        wide = near.copy()
        wide[first] |= near[second]
        wide[second] |= near[first]
        near = wide
    return near


def _halved(values: np.ndarray, *, cells: bool = False) -> np.ndarray:
    """Twice as many cells per axis: each gets its parent's value, each corner that of its parent's first corner."""
    for axis, size in enumerate(values.shape):
        values = np.repeat(values, 2, axis=axis)
        if not cells:
            values = values[tuple(slice(2 * size - 1) if each == axis else slice(None) for each in range(3))]
    return values


def _corners_of(cells: np.ndarray) -> np.ndarray:
    """The corners [X + 1, Y + 1, Z + 1] of marked cells [X, Y, Z]."""
    for axis in range(3):
        sides = ((0, 1) if each == axis else (0, 0) for each in range(3))
        marked = np.pad(cells, tuple(sides))
        marked[tuple(slice(1, None) if each == axis else slice(None) for each in range(3))] |= cells
        cells = marked
    return cells


def _triangulate(values: np.ndarray, lattice: Lattice, level: float) -> Surface:
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise MissingDependencyError("scikit-image", "extracting a mesh", "all") from error
    # A border of emptiness closes the surface where the visible part of the box cuts it.
    closed = np.pad(values, 1, constant_values=level - max(float(values.max()) - level, 1e-3))
    indices, faces, _, _ = marching_cubes(closed, level, allow_degenerate=False)
    low, high = lattice.low, lattice.low + lattice.spacing * lattice.cells
    vertices = np.clip(lattice.low + (indices - 1) * lattice.spacing, low, high).astype(np.float32)
    surface = Surface(vertices, faces.astype(np.int32))
    return surface if enclosed_volume(surface) > 0 else Surface(vertices, faces[:, ::-1].astype(np.int32))
