"""Identity by dlib's recogniser: the distance of two faces' descriptors, lower is nearer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.data.transforms import resize
from toolkit.faces.template import PANOHEAD_SCALE, PANOHEAD_SHIFT, STANDARD_FACE
from toolkit.losses.reconstruction import check_same_shape
from toolkit.metrics import MeanMetric
from toolkit.metrics.identity import as_pixels
from toolkit_plugins.photo_networks.recogniser import Box, Recogniser, open_recogniser

SIDE = 512
"""Side in pixels at which faces are looked for and described."""
WIDEST = 45.0
"""Degrees of yaw beyond which the camera's word that there is a face is not taken: the recogniser knows fronts."""


class Comparison(NamedTuple):
    """What the recogniser says of two pictures."""

    distance: float
    """0 to about 1.2; NaN where the target has no face."""
    target_found: bool
    """Whether the detector found a face in the target."""
    image_found: bool
    """Whether the detector found a face in the other picture."""


class DescriptorDistance(MeanMetric):
    """Euclidean distance of dlib descriptors; below 0.6 it is the same person, strangers are about 0.8 apart.

    The target's face is where dlib's detector finds it; where it finds none, it is where the camera sees the average
    face, in views within 45 degrees of the front. A target without either counts as failed. In the other picture the
    face is where the detector finds it, else where the target's is: what stands there is scored, so that a method that
    ruins faces gains nothing by it.
    """

    name, direction, backend, takes = "id_dlib", "lower", "embedded", "faces"

    def __init__(self, recogniser: Recogniser, face_points: Sequence[Sequence[float]] | np.ndarray) -> None:
        """Take the recogniser and five points [5, 3] of the average face in world units."""
        super().__init__()
        self._recogniser = recogniser
        self._points = torch.as_tensor(np.asarray(face_points), dtype=torch.float32)

    def score(self, image: Tensor, target: Tensor, camera: Camera | None = None) -> Tensor:
        """Distances [B] of images [B, 3, S, S] in [-1, 1] seen by `camera` (B of them, where known)."""
        check_same_shape(image, target)
        cameras = [None if camera is None else camera.expand(len(image))[index] for index in range(len(image))]
        found = [self.compare(*both).distance for both in zip(image, target, cameras, strict=True)]
        return torch.tensor(found, dtype=torch.float64)

    def compare(self, image: Tensor, target: Tensor, camera: Camera | None = None) -> Comparison:
        """Compare two images [3, H, W] in [-1, 1], which may be of two sizes, seen by one camera."""
        mine, theirs = (described_pixels(each) for each in (image, target))
        target_box, image_box = self._recogniser.find(theirs), self._recogniser.find(mine)
        place = target_box or self._expected(camera)
        if place is None:
            return Comparison(math.nan, False, image_box is not None)
        first = self._recogniser.describe(theirs, place)
        second = self._recogniser.describe(mine, image_box or place)
        distance = float(np.linalg.norm(first - second))
        return Comparison(distance, target_box is not None, image_box is not None)

    def _expected(self, camera: Camera | None) -> Box | None:
        if camera is None or abs(math.degrees(float(camera.angles().yaw[0]))) > WIDEST:
            return None
        return Box.around(camera.to("cpu").project(self._points)[0].double().numpy() * SIDE - 0.5)


def described_pixels(image: Tensor) -> np.ndarray:
    """An image [3, H, W] in [-1, 1] as uint8 [512, 512, 3], in the memory order that dlib wants."""
    return np.ascontiguousarray(as_pixels(resize(image.clamp(-1, 1), SIDE)))


def open_id_dlib() -> DescriptorDistance:
    """The metric `id_dlib`.

    Raises:
        MissingDependencyError: dlib, or the package with its files, is not installed.
    """
    recogniser = open_recogniser()
    points = PANOHEAD_SCALE * STANDARD_FACE + PANOHEAD_SHIFT
    metric = DescriptorDistance(recogniser, points)
    return metric.using(*recogniser.files)
