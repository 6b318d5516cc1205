"""Methods that are one pass from an image to a code, after which the generator makes the planes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders.files import EncoderFile, find_encoder, read_encoder
from toolkit.encoders.method import Encoded, EncoderMethod, EncoderOptions, Laps
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder, StyleEncoderConfig, fit_image
from toolkit.interfaces import Generator
from toolkit.options import read_options


class CodeMethod(EncoderMethod):
    """A style encoder with its average w."""

    def __init__(
        self, name: str, encoder: GradualStyleEncoder, centre: Tensor, options: EncoderOptions, file: EncoderFile
    ) -> None:
        """Keep both, on one device; `name` is the method's as registered."""
        super().__init__(name, options, file)
        self.encoder, self.centre = encoder, centre

    def encode(self, image: Tensor, camera: Camera, generator: Generator, laps: Laps) -> Encoded:
        """Encode, then let the generator make the planes."""
        with laps.lap("encode"):
            ws = self.encoder(fit_image(image, self.encoder.config.image_size)) + self.centre
        with laps.lap("planes"):
            return Encoded(ws, generator.planes(ws))


def open_code_method(
    kind: str,
    part: str,
    package: str,
    network: type[GradualStyleEncoder],
    generator: Generator,
    weights: Path | None,
    options: Mapping[str, Any],
) -> CodeMethod:
    """Make a method for a generator from a file of encoder weights.

    Args:
        kind: The method's name and the kind of its file.
        part: The encoder's name in the file.
        package: Where the shipped file lies.
        network: The encoder's class.
        generator: What is inverted into.
        weights: A file, or None for the one that ships.
        options: Those of `EncoderOptions`.

    Raises:
        ConfigError: Unknown or impossible option.
        WeightsError: There are no weights for this generator, or they cannot be used.
    """
    chosen: EncoderOptions = read_options(EncoderOptions, options, kind)
    spec = generator.spec
    file = read_encoder(find_encoder(weights, package, kind, spec), kind)
    file.check_generator(spec, other=chosen.other_generator)
    encoder = network(StyleEncoderConfig(**file.config[part]))
    file.load_into(encoder, part)
    device = generator.device
    return CodeMethod(kind, encoder.eval().requires_grad_(False).to(device), file.centre.to(device), chosen, file)
