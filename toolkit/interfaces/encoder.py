"""What an encoder must offer: from an image to a generator's codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.camera import Camera
    from toolkit.interfaces.generator import Generator

INTERFACE_VERSION = 1


class Code(NamedTuple):
    """What an encoder makes of an image."""

    ws: Tensor
    """[B, num_ws, w_dim]."""
    planes: Tensor
    """[B, *generator.spec.planes_shape]."""


@runtime_checkable
class Encoder(Protocol):
    """Pure in eval mode (same input, same output) and batchable."""

    def encode(self, image: Tensor, camera: Camera, generator: Generator) -> Code:
        """Encode image [B, 3, S, S] in [-1, 1], seen by `camera`, for `generator`."""
        ...
