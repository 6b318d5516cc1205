"""Density on a straight grid, asked for coarsely first, and then in cells half as wide wherever a level could be."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Sample = Callable[[np.ndarray], np.ndarray]
"""From points [M, 3] to density [M]."""
_CORNERS = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
"""Corners [27, 3] of the halves of a cell."""
_PAIR = (slice(None, -1), slice(1, None))
"""Of neighbours along an axis: the first ones, the second ones."""


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

    def coarser(self, step: int) -> Lattice:
        """The grid of every `step`-th corner; each axis has a multiple of `step` cells."""
        x, y, z = self.cells
        return Lattice(self.low, self.spacing * step, (x // step, y // step, z // step))


class NearLevel(NamedTuple):
    """Densities at corners [X, Y, Z] of the part of a lattice that holds all matter."""

    values: np.ndarray
    """Sampled near the level, and on its right side elsewhere."""
    asked: np.ndarray
    """Which corners were asked for in the last pass: all those of cells that the level passes through."""
    first: np.ndarray
    """[3], where in the lattice the part's first corner lies."""


def sample_near_level(sample: Sample, lattice: Lattice, level: float, step: int) -> NearLevel:
    """Sample density near a level.

    Cells of a side of `step` are asked first, and halved where they could hold the surface, until their side is 1. A
    cell could hold it when its corners, continued by their own range, could reach the level, and so could its
    neighbours. The last halving follows the surface instead: it begins with cells between whose corners the level lies,
    and goes on through each face that has corners on both sides. Elsewhere all corners lie on one side, and so does the
    corner whose density stands for the whole cell. Each pass keeps the part that holds matter, and asks for no corner
    again.

    Args:
        sample: What is asked.
        lattice: Where; its cells per axis are a multiple of `step`.
        level: Of the surface.
        step: A power of two; 1 asks for every corner.
    """
    coarse = lattice.coarser(step)
    shape = np.asarray(coarse.cells) + 1
    corners = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3)
    values = sample(coarse.points(corners)).reshape(shape)
    near, part = np.ones(shape - 1, dtype=bool), NearLevel(values, np.ones(shape, dtype=bool), np.zeros(3, dtype=int))
    while step > 2:
        near &= _could_hold(part.values, level)
        part, near = _where_matter_is(part, near, level)
        step //= 2
        part, near = _finer(part, near, sample, lattice.coarser(step)), _halved(near, cells=True)
    return part if step == 1 else _followed(part, level, sample, lattice)


def _followed(part: NearLevel, level: float, sample: Sample, lattice: Lattice) -> NearLevel:
    """A part with cells half as wide, sampled at all corners of old cells that a surface passes through.

    A surface none of whose old cells has corners on both sides of the level is missed: it is smaller than a cell.
    """
    lowest, highest = _extremes(part.values)
    cells = (lowest < level) & (highest > level)
    finer, new = _finer(part, cells, sample, lattice), np.argwhere(cells)
    while len(new := _crossed_into(finer.values, new, cells, level)):
        cells[tuple(new.T)] = True
        corners = (2 * new[:, None] + _CORNERS).reshape(-1, 3)
        missing = np.unique(corners[~finer.asked[tuple(corners.T)]], axis=0)
        if len(missing):
            finer.values[tuple(missing.T)] = sample(lattice.points(missing + finer.first))
            finer.asked[tuple(missing.T)] = True
    return finer


def _crossed_into(values: np.ndarray, cells: np.ndarray, known: np.ndarray, level: float) -> np.ndarray:
    """Unknown cells [K, 3] behind faces of cells [M, 3] that have corners on both sides of the level.

    `values` are of corners [2 X + 1, 2 Y + 1, 2 Z + 1], `known` of cells [X, Y, Z].
    """
    inside = (values[tuple((2 * cells[:, None] + _CORNERS).transpose(2, 0, 1))] > level).reshape(-1, 3, 3, 3)
    found = []
    for axis in range(3):
        for end, move in ((0, -1), (2, 1)):
            face = inside.take(end, axis=axis + 1).reshape(-1, 9)
            behind = cells[face.any(axis=1) & ~face.all(axis=1)]
            behind[:, axis] += move
            found.append(behind[(behind[:, axis] >= 0) & (behind[:, axis] < known.shape[axis])])
    every = np.concatenate(found)
    return np.unique(every[~known[tuple(every.T)]], axis=0)


def _finer(part: NearLevel, near: np.ndarray, sample: Sample, lattice: Lattice) -> NearLevel:
    """A part with cells half as wide, those of `lattice`, sampled at corners of the halves of marked cells."""
    values, asked, first = _halved(part.values), _corners_of_halves(near), 2 * part.first
    missing = asked.copy()
    missing[::2, ::2, ::2] &= ~part.asked
    chosen = np.flatnonzero(missing)
    if len(chosen):  # else nothing crosses the level
        corners = np.stack(np.unravel_index(chosen, asked.shape), axis=-1) + first
        values.reshape(-1)[chosen] = sample(lattice.points(corners))
    return NearLevel(values, asked, first)


def _where_matter_is(part: NearLevel, near: np.ndarray, level: float) -> tuple[NearLevel, np.ndarray]:
    """The smallest part with all matter and all marked cells, and one corner more on each side where there is one."""
    matter = part.values > level
    matter[:-1, :-1, :-1] |= near
    matter[1:, 1:, 1:] |= near
    if not matter.any():
        return part, near
    low, high = [], []
    for axis, size in enumerate(matter.shape):
        inside = np.flatnonzero(matter.any(axis=tuple(other for other in range(3) if other != axis)))
        low.append(max(int(inside[0]) - 1, 0))
        high.append(min(int(inside[-1]) + 2, size))
    corners = tuple(slice(*ends) for ends in zip(low, high, strict=True))
    cells = tuple(slice(start, stop - 1) for start, stop in zip(low, high, strict=True))
    return NearLevel(part.values[corners], part.asked[corners], part.first + low), near[cells]


def _could_hold(values: np.ndarray, level: float) -> np.ndarray:
    """Which cells [X, Y, Z] of corners [X + 1, Y + 1, Z + 1] could hold the level, or have such a neighbour."""
    lowest, highest = _extremes(values)
    reach = highest - lowest
    near = (lowest - reach < level) & (highest + reach > level)
    for axis in range(3):
        first, second = (tuple(part if each == axis else slice(None) for each in range(3)) for part in _PAIR)
        wide = near.copy()
        wide[first] |= near[second]
        wide[second] |= near[first]
        near = wide
    return near


def _extremes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest corner of each cell."""
    lowest, highest = values, values
    for axis in range(3):
        first, second = (tuple(part if each == axis else slice(None) for each in range(3)) for part in _PAIR)
        lowest, highest = np.minimum(lowest[first], lowest[second]), np.maximum(highest[first], highest[second])
    return lowest, highest


def _halved(values: np.ndarray, *, cells: bool = False) -> np.ndarray:
    """Twice as many cells per axis: each gets its parent's value, each corner that of its parent's first corner.

    The first axis comes last, along which whole planes are copied; the result lies in memory without gaps.
    """
    for axis in (2, 1, 0):
        size = values.shape[axis]
        values = np.repeat(values, 2, axis=axis)
        if not cells:
            values = values[tuple(slice(2 * size - 1) if each == axis else slice(None) for each in range(3))]
    return values


def _corners_of_halves(cells: np.ndarray) -> np.ndarray:
    """The corners [2 X + 1, 2 Y + 1, 2 Z + 1] of the halves of marked cells [X, Y, Z]."""
    for axis in (2, 1, 0):
        shape = [2 * size + 1 if each == axis else size for each, size in enumerate(cells.shape)]
        marked = np.zeros(shape, dtype=bool)
        lines, these = np.moveaxis(marked, axis, 0), np.moveaxis(cells, axis, 0)
        lines[1::2] = these
        lines[:-1:2] = these
        lines[2::2] |= these
        cells = marked
    return cells
