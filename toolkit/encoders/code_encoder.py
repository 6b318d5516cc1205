"""Encoders that are one pass from an image to a code, after which the generator makes the planes (pSp, e4e)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

from toolkit.camera import Camera
from toolkit.encoders.files import EncoderFile, built_from_file
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig, codes_of
from toolkit.interfaces import Code, Generator


class CodeEncoder(nn.Module):
    """A style encoder and the average latent that its codes are offsets from; a `TrainableEncoder`."""

    average_latent: Tensor

    def __init__(self, part: str, network: GradualStyleEncoder, average_latent: Tensor) -> None:
        """Keep the network.

        Args:
            part: Its name in files.
            network: Images to offsets.
            average_latent: [num_ws, w_dim].
        """
        super().__init__()
        self.part, self.network = part, network
        self.register_buffer("average_latent", average_latent.detach().clone(), persistent=False)

    @property
    def image_size(self) -> int:
        """Side at which the network looks at images."""
        return self.network.config.image_size

    def codes(self, image: Tensor) -> Tensor:
        """Images [B, 3, S, S] in [-1, 1] to ws [B, num_ws, w_dim]."""
        return codes_of(self.network, image, self.average_latent)

    def encode(self, image: Tensor, camera: Camera, generator: Generator) -> Code:
        """Encode images [B, 3, S, S] in [-1, 1]; the camera is not used."""
        ws = self.codes(image)
        return Code(ws, generator.planes(ws))

    def parts(self) -> Mapping[str, nn.Module]:
        """The network by its name in files."""
        return {self.part: self.network}

    def sizes(self) -> Mapping[str, Any]:
        """The network's configuration by the same name."""
        return {self.part: dataclasses.asdict(self.network.config)}


_Encoder = TypeVar("_Encoder", bound=CodeEncoder)


@built_from_file
def build_code_encoder(
    file: EncoderFile, part: str, network: type[GradualStyleEncoder], encoder: type[_Encoder]
) -> _Encoder:
    """The encoder of a file.

    Args:
        file: Holds the network.
        part: The network's name there.
        network: Its class.
        encoder: The encoder's class.

    Raises:
        WeightsError: The weights do not fit.
    """
    built = network(file.settings(StyleEncoderConfig, part))
    file.load_into(built, part)
    return encoder(part, built, file.average_latent)
