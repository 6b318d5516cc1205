"""The level set of a generator's density as triangles.

Density is asked for on a straight grid, coarsely first and finely only near the surface, so that 256 cells per side
cost little more than the surface's own share of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
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
_STEP = 4
"""Fine cells per coarse cell."""
_FINE_ONLY = 96
"""Below this resolution a coarse pass could miss an ear, and saves nothing."""

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
        on_chunk: Told how many chunks of points of how many are asked for; fine points are counted after coarse ones.

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
    step = _STEP if resolution >= _FINE_ONLY else 1
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
    """Density at the corners of a lattice [nx+1, ny+1, nz+1]: sampled near the level, interpolated elsewhere.

    A coarse cell is refined when its corners, continued by their own range, could reach the level, and so are its
    neighbours; where nothing is refined all coarse corners lie on one side, and so does what is interpolated.
    """
    shape = tuple(count + 1 for count in lattice.cells)
    if step == 1:
        every = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3)
        return sample(lattice.points(every)).reshape(shape)
    coarse_shape = tuple(count // step + 1 for count in lattice.cells)
    corners = np.stack(np.meshgrid(*map(np.arange, coarse_shape), indexing="ij"), axis=-1).reshape(-1, 3) * step
    coarse = torch.from_numpy(sample(lattice.points(corners)).reshape(coarse_shape))[None, None]
    highest = F.max_pool3d(coarse, 2, stride=1)
    lowest = -F.max_pool3d(-coarse, 2, stride=1)
    reach = highest - lowest
    near = ((lowest - reach < level) & (highest + reach > level)).float()
    near = F.max_pool3d(near, 3, stride=1, padding=1)
    fine_cells = near.repeat_interleave(step, 2).repeat_interleave(step, 3).repeat_interleave(step, 4)
    wanted = F.max_pool3d(F.pad(fine_cells, (1,) * 6), 2, stride=1)[0, 0].numpy() > 0
    values = F.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0, 0].numpy()
    if wanted.any():  # else nothing crosses the level
        values[wanted] = sample(lattice.points(np.argwhere(wanted)))
    return values


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
