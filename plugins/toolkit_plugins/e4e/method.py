"""The method `e4e`: one pass from an image to a code near W."""

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
    find_encoder,
    read_encoder,
    read_options,
)
from toolkit.interfaces import Generator
from toolkit.inversion import device_of
from toolkit.nn.style_encoder import StyleEncoderConfig, fit_image
from toolkit_plugins.e4e.encoder import ProgressiveEncoder

KIND, ENCODER = "e4e", "e4e_encoder"


class E4e(EncoderMethod):
    """An encoder with its average w."""

    def __init__(self, encoder: ProgressiveEncoder, centre: Tensor, options: EncoderOptions, file: EncoderFile) -> None:
        """Keep both, on one device."""
        super().__init__(KIND, options, file)
        self.encoder, self.centre = encoder, centre

    def encode(self, image: Tensor, camera: Camera, generator: Generator, laps: Laps) -> Encoded:
        """Encode, then let the generator make the planes."""
        with laps.lap("encode"):
            ws = self.encoder(fit_image(image, self.encoder.config.image_size)) + self.centre
        with laps.lap("planes"):
            return Encoded(ws, generator.planes(ws))


def open_e4e(generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> E4e:
    """Make the method for a generator.

    Raises:
        ConfigError: Unknown or impossible option.
        WeightsError: There are no weights for this generator, or they cannot be used.
    """
    chosen: EncoderOptions = read_options(EncoderOptions, options, KIND)
    spec = generator.spec
    file = read_encoder(find_encoder(weights, "toolkit_plugins.e4e", KIND, spec), KIND)
    file.check_generator(spec, other=chosen.other_generator)
    encoder = ProgressiveEncoder(StyleEncoderConfig(**file.config[ENCODER]))
    file.load_into(encoder, ENCODER)
    device = device_of(generator)
    return E4e(encoder.eval().requires_grad_(False).to(device), file.centre.to(device), chosen, file)
