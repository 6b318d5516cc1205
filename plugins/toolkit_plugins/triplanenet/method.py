"""The method `triplanenet`: TriPlaneNet v2, a W+ code and planes mended by what it gets wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders import (
    Encoded,
    EncoderFile,
    EncoderMethod,
    EncoderOptions,
    Laps,
    build_two_stage,
    encode_two_stage,
    find_encoder,
    read_encoder,
)
from toolkit.encoders.networks.triplanenet import TriPlaneNetV2
from toolkit.errors import CapabilityError
from toolkit.interfaces import Generator, PlaneImages
from toolkit.options import read_options

KIND = "triplanenet"


class TriPlaneNet(EncoderMethod):
    """Both stages."""

    def __init__(self, network: TriPlaneNetV2, options: EncoderOptions, file: EncoderFile) -> None:
        """Keep the network."""
        super().__init__(KIND, options, file)
        self.network = network

    def encode(self, image: Tensor, camera: Camera, generator: Generator, laps: Laps) -> Encoded:
        """Encode, look at the result from both sides, mend the planes."""
        code = encode_two_stage(self.network, image, camera, generator, laps)
        return Encoded(code.ws, code.planes)


def open_triplanenet(generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> TriPlaneNet:
    """Make the method for a generator.

    Raises:
        CapabilityError: The generator's planes cannot be seen as images.
        ConfigError: Unknown or impossible option.
        WeightsError: There are no weights for this generator, or they cannot be used.
    """
    chosen: EncoderOptions = read_options(EncoderOptions, options, KIND)
    spec = generator.spec
    if not isinstance(generator, PlaneImages):
        raise CapabilityError(f"TriPlaneNet needs planes that can be seen as images; {spec.name!r}'s cannot")
    file = read_encoder(find_encoder(weights, "toolkit_plugins.triplanenet", KIND, spec), KIND)
    file.check_generator(spec, other=chosen.other_generator)
    return TriPlaneNet(build_two_stage(file, generator.device), chosen, file)
