"""What a head is fitted to: the photo, but not its background where the head already stands."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.interfaces import Render

WHITE = 0.97
"""Channels at or above it, in [-1, 1], are white: photos come on white."""
MATTER = 0.5
"""Opacity from which on a pixel shows the head."""


def fit_target(image: Tensor, view: Render) -> Tensor:
    """The photo; where it shows background and the view shows the head, the view.

    An encoder's head may be wider than the photo's. Fitted to the photo there, it would turn white at its sides.

    Args:
        image: [1, 3, S, S] in [-1, 1], the photo.
        view: Of the head before the fit, by the photo's camera; its image has that shape.
    """
    head = F.interpolate(view.mask, size=image.shape[-2:], mode="bilinear", align_corners=False) > MATTER
    return torch.where(head & background(image), view.image, image)


def background(image: Tensor) -> Tensor:
    """Where white reaches the picture's border: booleans [1, 1, S, S] of an image [1, 3, S, S]."""
    from scipy import ndimage  # not needed to start

    white = (image[0] >= WHITE).all(0).cpu().numpy()
    labels, _ = ndimage.label(white)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    found = np.isin(labels, border[border > 0])
    return torch.from_numpy(found)[None, None].to(image.device)
