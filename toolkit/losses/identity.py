"""Identity loss: one minus the cosine between what a face recogniser says of two images (pSp's and its successors')."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch.nn.functional as F
from torch import Tensor

from toolkit.errors import InputError
from toolkit.faces.projection import project_face
from toolkit.losses.reconstruction import check_same_shape

if TYPE_CHECKING:
    from toolkit.camera import Camera
    from toolkit.interfaces import FaceEmbedder

CROP_SIDE = 112


class CropWindow(NamedTuple):
    """Where the face is in an image, as fractions of its side."""

    top: float
    bottom: float
    left: float
    right: float


FFHQ_WINDOW = CropWindow(35 / 256, 223 / 256, 32 / 256, 220 / 256)
"""Of images cropped as FFHQ's and EG3D's: rows 35 to 222, columns 32 to 219 of 256."""


class IdentityLoss:
    """Compares faces through any `FaceEmbedder`."""

    def __init__(
        self,
        embedder: FaceEmbedder,
        window: CropWindow = FFHQ_WINDOW,
        crop_side: int = CROP_SIDE,
        face_points: Sequence[Sequence[float]] = (),
    ) -> None:
        """Keep the recogniser.

        Args:
            embedder: Crops to unit vectors; its weights should be frozen, its mode eval.
            window: Where the face is.
            crop_side: Side of the crops that the recogniser takes.
            face_points: Five points [5, 3] of the average face (`GeneratorSpec.face_points`): where they are given
                and a camera is known, the face is cut out where the camera sees them, whatever the window.
        """
        self.embedder, self.window, self.crop_side = embedder, window, crop_side
        self.face_points = face_points

    def embed(self, image: Tensor, camera: Camera | None = None) -> Tensor:
        """Unit vectors [B, E] of images [B, 3, S, S] in [-1, 1], seen by `camera` where known (1 or B of them)."""
        if camera is not None and len(self.face_points):
            return self.embedder.embed(project_face(image, camera, self.face_points, self.crop_side))
        return self.embedder.embed(crop_face(image, self.window, self.crop_side))

    def __call__(self, image: Tensor, target: Tensor, camera: Camera | None = None) -> Tensor:
        """Mean over images of 1 - cosine, in 0..2; no gradient reaches the target.

        Args:
            image: [B, 3, S, S] in [-1, 1].
            target: Same shape as `image`.
            camera: What sees both, 1 or B cameras; needed where the recogniser wants faces aligned by `face_points`.

        Raises:
            InputError: The shapes differ.
        """
        check_same_shape(image, target)
        return identity_distance(self.embed(image, camera), self.embed(target, camera).detach())


def identity_distance(first: Tensor, second: Tensor) -> Tensor:
    """Mean of 1 - cosine over pairs of unit vectors [B, E]; a scalar in 0..2."""
    return (1 - (first * second).sum(dim=1)).mean()


def crop_face(image: Tensor, window: CropWindow = FFHQ_WINDOW, side: int = CROP_SIDE) -> Tensor:
    """Cut out the face and bring it to [B, 3, side, side] by means over pixels.

    Args:
        image: [B, 3, H, W].
        window: Where the face is; its borders are rounded to pixels.
        side: Side of the result.

    Raises:
        InputError: The window holds no pixel of this image.
    """
    height, width = image.shape[-2:]
    top, bottom = round(window.top * height), round(window.bottom * height)
    left, right = round(window.left * width), round(window.right * width)
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise InputError(f"the window {tuple(window)} holds no part of an image of {height} x {width} pixels")
    return F.adaptive_avg_pool2d(image[..., top:bottom, left:right], side)
