"""What the outline of a head on a white picture says: where there is nothing, and where colours cannot be trusted."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.camera import Camera

WHITE = 0.97
"""Channels at or above it, in [-1, 1], are white: photos come on white."""
RIM = 4
"""Outermost pixels of a head: their colours are mixed with those of the old background."""
MARGIN = 2
"""Background so many pixels beside a head, or fewer, may be the head's: mattings are not exact."""


class PhotoOutline:
    """Where a photo shows a head, and where it shows background."""

    def __init__(self, image: Tensor, camera: Camera) -> None:
        """Look for the background.

        Args:
            image: [1, 3, S, S] in [-1, 1], on white.
            camera: Saw it (batch of 1).
        """
        self.image, self.camera = image, camera
        self.background = background(image)
        """Booleans [1, 1, S, S]."""
        self.rim = _grown(self.background, RIM) & ~self.background
        """Booleans [1, 1, S, S]: where the head's colours are mixed with the old background's."""
        self._surely_background = ~_grown(~self.background, MARGIN)

    def unclear(self, head: Tensor) -> Tensor:
        """Where the photo says nothing about colours of a head that stands at `head`; both booleans [1, 1, S, S]."""
        return self.rim | (head & self.background)

    def is_empty(self, points: Tensor) -> Tensor:
        """Whether the photo shows background at world points [P, 3]: booleans [P]."""
        return self._at(self._surely_background, points)

    def shows_colour(self, points: Tensor) -> Tensor:
        """Whether the photo shows the head, not its rim, at world points [P, 3]: booleans [P]."""
        return self._at(~self.background & ~self.rim, points)

    def _at(self, mask: Tensor, points: Tensor) -> Tensor:
        inside, found = shown_at(mask, self.camera, points)
        return inside & found


def shown_at(picture: Tensor, camera: Camera, points: Tensor) -> tuple[Tensor, Tensor]:
    """What a picture [1, 1, S, S] by a camera (batch of 1) has at world points [P, 3].

    Returns:
        Whether the camera sees there, booleans [P], and the nearest pixel's value [P].
    """
    places, side = camera.project(points[None])[0], picture.shape[-1]
    inside = ((places >= 0) & (places < 1)).all(-1)
    column, row = (places.clamp(0, 1) * side).long().clamp(max=side - 1).unbind(-1)
    return inside, picture[0, 0, row, column]


def background(image: Tensor) -> Tensor:
    """Where white reaches the picture's border: booleans [1, 1, S, S] of an image [1, 3, S, S] in [-1, 1]."""
    from scipy import ndimage  # not needed to start

    white = (image[0] >= WHITE).all(0).cpu().numpy()
    labels, _ = ndimage.label(white)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    found = np.isin(labels, border[border > 0])
    return torch.from_numpy(found)[None, None].to(image.device)


def _grown(mask: Tensor, pixels: int) -> Tensor:
    return F.max_pool2d(mask.float(), 2 * pixels + 1, stride=1, padding=pixels) > 0
