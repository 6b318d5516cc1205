"""The aligned face of a picture whose camera is known: no detector, and gradients flow through the crop.

The frame is that of the identity networks (five template points in a square); where the face lies in the picture
follows from where the camera sees five points of the average face.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.data.transforms import resize
from toolkit.faces.template import ARCFACE_SIZE, ARCFACE_TEMPLATE

_FINEST = 1.5
"""Picture pixels per crop pixel above which the picture is reduced first, against aliasing."""


def crop_places(camera: Camera, points: Sequence[Sequence[float]] | Tensor, side: int) -> Tensor:
    """Where the pixels of the aligned crop lie in the picture: [B, side, side, 2] image coordinates (0..1, x right).

    The similarity is fitted from the template to the five projected points by least squares.

    Args:
        camera: B cameras.
        points: Five points [5, 3] in world units, in the order of `GeneratorSpec.face_points`.
        side: Side of the crop in pixels.
    """
    world = torch.as_tensor(points, dtype=camera.label.dtype, device=camera.label.device)
    seen = torch.view_as_complex(camera.project(world).contiguous())
    template = torch.as_tensor(ARCFACE_TEMPLATE * (side / ARCFACE_SIZE), dtype=world.dtype, device=world.device)
    face = torch.view_as_complex(template.contiguous())
    centred = face - face.mean()
    seen_mean = seen.mean(1, keepdim=True)
    turn = (centred.conj() * (seen - seen_mean)).sum(1, keepdim=True) / centred.abs().square().sum()
    steps = torch.arange(side, dtype=world.dtype, device=world.device)
    grid = torch.complex(steps[None, :].expand(side, side), steps[:, None].expand(side, side)).reshape(1, -1)
    places = torch.view_as_real(turn * (grid - face.mean()) + seen_mean)
    return places.reshape(len(camera), side, side, 2)


def project_face(image: Tensor, camera: Camera, points: Sequence[Sequence[float]] | Tensor, side: int) -> Tensor:
    """Aligned faces [B, 3, side, side] of pictures [B, 3, S, S] in [-1, 1]; black outside the picture; differentiable.

    Args:
        image: The pictures.
        camera: What sees them, 1 or B cameras.
        points: See `crop_places`.
        side: Side of the crop in pixels.
    """
    places = crop_places(camera.to(image.device).to(image.dtype).expand(len(image)), points, side)
    step = float((places[:, 0, 1] - places[:, 0, 0]).detach().norm(dim=1).mean()) * image.shape[-1]
    if step > _FINEST:
        image = resize(image, max(side, round(image.shape[-1] / step)))
    # grid_sample pads with 0: shifted, that is black
    return torch.nn.functional.grid_sample(image + 1, places * 2 - 1, align_corners=False) - 1
