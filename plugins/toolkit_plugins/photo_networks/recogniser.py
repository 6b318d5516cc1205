"""dlib's detector, five-point predictor and recogniser. No code of the package with their files is run.

The package also brings a 68-point predictor, whose training data are for research only: it is not used.
"""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from toolkit.errors import MissingDependencyError
from toolkit_plugins.photo_networks.files import package_file

PURPOSE, EXTRA = "id_dlib", "identity"
_PACKAGE = "face-recognition-models"
_RECOGNISER = "dlib_face_recognition_resnet_model_v1.dat"
_POINTS = "shape_predictor_5_face_landmarks.dat"
DESCRIPTOR = 128
SAME_PERSON = 0.6
"""Descriptor distance below which dlib's author calls two faces the same person (99.38 % on LFW, as published)."""
_CHIP, _PADDING = 150, 0.25
_KEPT = 256
_BOX_PER_SPREAD = 3.65
"""Side of dlib's boxes over the root mean square distance of five points from their mean, as measured on photos."""


class Box(NamedTuple):
    """A square around a face, in pixels."""

    left: float
    top: float
    side: float

    @classmethod
    def around(cls, landmarks: np.ndarray) -> Box:
        """Where dlib's detector would put it for five landmarks [5, 2] in pixels."""
        centre = landmarks.mean(0)
        side = _BOX_PER_SPREAD * float(np.sqrt(np.square(landmarks - centre).sum(1).mean()))
        left, top = (centre - side / 2).tolist()
        return cls(left, top, side)


class Recogniser:
    """Faces in pictures to descriptors [128], whose Euclidean distance tells people apart."""

    def __init__(self) -> None:
        """Read the three networks.

        Raises:
            MissingDependencyError: dlib, or the package with its files, is not installed.
        """
        try:
            import dlib
        except ImportError as error:
            raise MissingDependencyError("dlib-bin", PURPOSE, EXTRA) from error
        self.files: tuple[Path, Path] = (
            package_file(_PACKAGE, _RECOGNISER, PURPOSE, EXTRA),
            package_file(_PACKAGE, _POINTS, PURPOSE, EXTRA),
        )
        self._dlib: Any = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._recogniser = dlib.face_recognition_model_v1(str(self.files[0]))
        self._points = dlib.shape_predictor(str(self.files[1]))
        self._known: OrderedDict[tuple[bytes, Box | None], Any] = OrderedDict()

    def find(self, pixels: np.ndarray) -> Box | None:
        """The largest face that dlib's detector finds in a uint8 RGB picture [H, W, 3], of 80 px at least."""
        return self._remembered(pixels, None, lambda: self._found(pixels))

    def describe(self, pixels: np.ndarray, box: Box) -> np.ndarray:
        """The descriptor [128] of what stands in a box of a uint8 RGB picture [H, W, 3].

        It is the mean over the aligned face and its mirror image. dlib's own jitter is not used: it draws from a
        source that goes on from call to call, so that scores would depend on their order.
        """
        return self._remembered(pixels, box, lambda: self._described(pixels, box))

    def _found(self, pixels: np.ndarray) -> Box | None:
        boxes = [Box(box.left(), box.top(), box.width()) for box in self._detector(pixels, 0)]
        return max(boxes, key=lambda box: box.side, default=None)

    def _described(self, pixels: np.ndarray, box: Box) -> np.ndarray:
        left, top, right, bottom = (
            round(value) for value in (box.left, box.top, box.left + box.side, box.top + box.side)
        )
        points = self._points(pixels, self._dlib.rectangle(left, top, right - 1, bottom - 1))
        chip = self._dlib.get_face_chip(pixels, points, size=_CHIP, padding=_PADDING)
        both = [np.asarray(self._recogniser.compute_face_descriptor(each))
                for each in (chip, np.ascontiguousarray(chip[:, ::-1]))]  # fmt: skip
        return np.mean(both, axis=0)

    def _remembered(self, pixels: np.ndarray, box: Box | None, compute: Any) -> Any:
        """The same target is compared with many methods' renders: the latest answers are kept."""
        key = (hashlib.sha1(pixels.tobytes()).digest() + str(pixels.shape).encode(), box)
        if key not in self._known:
            self._known[key] = compute()
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[key]


@functools.cache
def open_recogniser() -> Recogniser:
    """The recogniser, read once per process.

    Raises:
        MissingDependencyError: dlib, or the package with its files, is not installed.
    """
    return Recogniser()
