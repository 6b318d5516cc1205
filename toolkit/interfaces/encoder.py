"""What an encoder must offer: from an image to a generator's codes; and what one that is trained offers besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from toolkit.camera import Camera
    from toolkit.interfaces.generator import Generator


class Code(NamedTuple):
    """What an encoder makes of an image."""

    ws: Tensor
    """[B, num_ws, w_dim]."""
    planes: Tensor
    """[B, *generator.spec.planes_shape]."""
    tuned: Mapping[str, Tensor] | None = None
    """[B, ...] by name: what each head adds to a parameter of the generator; None: nothing."""


@runtime_checkable
class Encoder(Protocol):
    """A `torch.nn.Module` that encodes images; the same object is trained, scored and used for inversion.

    In eval mode the same input gives the same output, and every image of a batch is encoded as if it were alone.
    """

    def encode(self, image: Tensor, camera: Camera, generator: Generator) -> Code:
        """Encode images [B, 3, S, S] in [-1, 1] of any size, seen by `camera` (one for all, or B), for `generator`."""
        ...


@runtime_checkable
class ExtraTensors(Protocol):
    """Optional: an encoder that can hand over more than the code, to be kept with the inversion."""

    def encode_with_extras(
        self, image: Tensor, camera: Camera, generator: Generator
    ) -> tuple[Code, Mapping[str, Tensor]]:
        """Like `Encoder.encode`; besides the code, tensors by name."""
        ...


@runtime_checkable
class TrainableEncoder(Encoder, Protocol):
    """An encoder that `toolkit.encoders.training` can train, and write to a file that rebuilds it."""

    @property
    def average_latent(self) -> Tensor:
        """The generator's average w [num_ws, w_dim], which codes are offsets from."""
        ...

    def parts(self) -> Mapping[str, Module]:
        """The networks with weights, by their names in files."""
        ...

    def sizes(self) -> Mapping[str, Any]:
        """What rebuilds the networks, as JSON values."""
        ...
