"""From a photo's landmarks to the crop that a generator expects, and to the camera that sees it.

Pixel coordinates are (x, y) with the first pixel's centre at (0, 0), as detectors give them. A matrix [2, 3] maps photo
pixels to crop pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from toolkit.errors import InputError
from toolkit.faces.images import check_rgb
from toolkit.faces.pose import CROP_SIDE, affine_fit, camera_from_rotation, without_roll
from toolkit.faces.template import ARCFACE_SIZE, ARCFACE_TEMPLATE, check_landmarks, face_points
from toolkit.faces.warp import inverse, matrix_scale, outside_photo, warp

if TYPE_CHECKING:
    from toolkit.camera import Camera
    from toolkit.interfaces.generator import GeneratorSpec

Crop = Literal["generator", "eg3d"]


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """A crop in a generator's frame and the camera that sees it."""

    image: np.ndarray
    """uint8 [S, S, 3]; what lies outside the photo is its reflection."""
    camera: Camera
    """Batch of 1, roll-free for the crop 'generator'."""
    matrix: np.ndarray
    """[2, 3], photo pixels to crop pixels."""
    outside: np.ndarray
    """bool [S, S]: crop pixels that lie outside the photo."""

    @property
    def padding(self) -> float:
        """Share of the crop that lies outside the photo, 0 to 1."""
        return float(self.outside.mean())

    @property
    def photo_side(self) -> float:
        """Side of the crop's square in photo pixels."""
        return self.image.shape[0] / matrix_scale(self.matrix)


def align(
    image: np.ndarray,
    landmarks: np.ndarray,
    rotation: np.ndarray,
    spec: GeneratorSpec,
    size: int | None = None,
    crop: Crop = "generator",
) -> AlignedFace:
    """Cut a photo so that its face lies where the generator's average face does under the estimated pose.

    Args:
        image: uint8 RGB [H, W, 3].
        landmarks: [5, 2] photo pixels.
        rotation: [3, 3] of the estimated pose.
        spec: The generator: its orbit, its face points, its image size.
        size: Side of the crop in pixels (default: the generator's image size).
        crop: 'generator': scale, shift and roll fitted to the projected face points; the crop is upright and its camera
            roll-free. 'eg3d': EG3D's square round the linear fit, the photo's roll kept in image and camera.

    Raises:
        InputError: Landmarks that cannot be a face, an image of another kind, or an unknown crop.
    """
    check_rgb(image)
    points = check_landmarks(landmarks)
    side = size or spec.image_size
    if crop == "generator":
        camera = camera_from_rotation(without_roll(rotation), spec.orbit)
        matrix = similarity(points, expected_landmarks(spec, camera, side))
    elif crop == "eg3d":
        camera = camera_from_rotation(rotation, spec.orbit)
        matrix = eg3d_crop(points, side)
    else:
        raise InputError(f"crop must be 'generator' or 'eg3d', got {crop!r}")
    if not matrix_scale(matrix) > 1e-4:
        raise InputError("the landmarks do not fit a face: they are in another order or mirrored")
    return AlignedFace(warp(image, matrix, side), camera, matrix, outside_photo(image.shape[:2], matrix, side))


def expected_landmarks(spec: GeneratorSpec, camera: Camera, size: int) -> np.ndarray:
    """Where a camera sees the generator's five face points: [5, 2] pixels of an image of that size."""
    import torch

    points = torch.from_numpy(face_points(spec)).float()
    return camera.project(points)[0].double().cpu().numpy() * size - 0.5


def eg3d_crop(landmarks: np.ndarray, size: int) -> np.ndarray:
    """EG3D's crop as a matrix [2, 3]: centred on the standard face's origin, 2.33 face units wide, not rotated."""
    fit = affine_fit(landmarks)
    scale = size / (CROP_SIDE * max(fit.scale, 1e-12))
    shift = size / 2 - 0.5 - scale * fit.offset
    return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Similarity [2, 3] (scale, rotation, shift; never a reflection) from source to target points [N, 2].

    Least squares in the target; in closed form, points read as complex numbers.

    Raises:
        InputError: Fewer than two points, unequal shapes, or all source points in one place.
    """
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2 or len(source) < 2:
        raise InputError(
            f"two equal sets of at least two 2D points are needed, got {list(source.shape)}, {list(target.shape)}"
        )
    z = source[:, 0].astype(float) + 1j * source[:, 1]
    w = target[:, 0].astype(float) + 1j * target[:, 1]
    centred = z - z.mean()
    spread = float(np.vdot(centred, centred).real)
    if not spread > 1e-12:
        raise InputError("all source points lie in one place: no similarity can be fitted")
    a = np.vdot(centred, w - w.mean()) / spread
    shift = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, shift.real], [a.imag, a.real, shift.imag]])


def arcface_matrix(landmarks: np.ndarray, size: int = ARCFACE_SIZE) -> np.ndarray:
    """Matrix [2, 3] from photo to the identity networks' crop, fitted from the template to the photo and inverted."""
    template = ARCFACE_TEMPLATE * (size / ARCFACE_SIZE)
    return inverse(similarity(template, check_landmarks(landmarks)))


def arcface_crop(
    image: np.ndarray, landmarks: np.ndarray, size: int = ARCFACE_SIZE, antialias: bool = True
) -> np.ndarray:
    """The face [size, size, 3] uint8 as identity networks want it; black outside the photo.

    Args:
        image: uint8 RGB [H, W, 3].
        landmarks: [5, 2] pixels.
        size: Side of the crop.
        antialias: False samples bilinearly without a filter, as the published identity metrics do.
    """
    check_rgb(image)
    matrix = arcface_matrix(landmarks, size)
    crop = warp(image, matrix, size, antialias)
    crop[outside_photo(image.shape[:2], matrix, size)] = 0
    return crop
