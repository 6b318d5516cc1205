"""Cutting a mesh along a line: triangles that cross it are divided, so that an edge is exact."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from toolkit_plugins.heads360.geometry import F32, Floats, Ints


class Cut(NamedTuple):
    """The part of a mesh where a value is positive."""

    mixing: sparse.csr_matrix
    """[vertices, old vertices]: each new vertex as a mixture of two old ones; the old ones stand first."""
    faces: Ints
    """[T, 3]."""
    edge: Ints
    """Vertices on the line."""


def cut(faces: Ints, values: Floats) -> Cut:
    """Keep where `values` [V] at the vertices of triangles [T, 3] are positive, linear in between."""
    inside = values > 0
    count = inside[faces].sum(1)
    whole = faces[count == 3]
    starts, ends = [], []
    pieces = [whole]
    number = len(values)
    for kept in (1, 2):
        crossing = faces[count == kept]
        lone = np.argmax(inside[crossing] == (kept == 1), axis=1)
        rolled = np.take_along_axis(crossing, (lone[:, None] + np.arange(3)) % 3, 1)
        a, b, c = rolled.T
        first, second = number + np.arange(len(a)), number + len(a) + np.arange(len(a))
        number += 2 * len(a)
        starts += [a, a]
        ends += [b, c]
        if kept == 1:
            pieces.append(np.stack([a, first, second], 1))
        else:
            pieces += [np.stack([first, b, c], 1), np.stack([first, c, second], 1)]
    start, end = np.concatenate(starts), np.concatenate(ends)
    share = values[start] / np.where(values[start] == values[end], 1, values[start] - values[end])
    old, new = len(values), len(start)
    rows = np.concatenate([np.arange(old), old + np.arange(new), old + np.arange(new)])
    columns = np.concatenate([np.arange(old), start, end])
    weights = np.concatenate([np.ones(old), 1 - share, share]).astype(F32)
    mixing = sparse.csr_matrix((weights, (rows, columns)), shape=(old + new, old))
    return Cut(mixing, np.concatenate(pieces), old + np.arange(new))
