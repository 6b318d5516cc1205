"""Similarities (scale, rotation, shift) of world points [N, 3]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.errors import InputError


@dataclass(frozen=True, eq=False)
class Similarity:
    """A map of world points: scale * rotation @ point + shift."""

    scale: float
    rotation: np.ndarray
    """[3, 3]."""
    shift: np.ndarray
    """[3]."""

    def points(self, points: np.ndarray) -> np.ndarray:
        """Points [N, 3] moved."""
        return self.scale * points @ self.rotation.T + self.shift


def fitted(source: np.ndarray, target: np.ndarray) -> Similarity:
    """The similarity that brings source points nearest to target points, both [N, 3] (Umeyama's closed form).

    Raises:
        InputError: The source points lie on a line.
    """
    from_mean, to_mean = source.mean(axis=0), target.mean(axis=0)
    centred = source - from_mean
    u, sizes, vh = np.linalg.svd((target - to_mean).T @ centred)
    spread = float((centred**2).sum())
    if not (spread > 0 and sizes[1] > 1e-9 * sizes[0]):
        raise InputError("the five points of the face lie on a line")
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vh))])
    rotation = u @ np.diag(signs) @ vh
    scale = float((sizes * signs).sum()) / spread
    return Similarity(scale, rotation, to_mean - scale * rotation @ from_mean)
