"""The method `goae`: a code, aligned features, and planes mixed by what the input view sees."""

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
)
from toolkit.errors import CapabilityError
from toolkit.interfaces import Generator, ResumableSynthesis
from toolkit.options import read_options
from toolkit_plugins.goae.files import KIND, build_goae
from toolkit_plugins.goae.reconstruction import GoaeReconstruction


class GoaeOptions(EncoderOptions):
    """Options of the method."""

    keep_unmixed: bool = True
    """Keep the un-mixed planes, which GOAE's published reconstruction of the input view shows, as `extra.unmixed`."""
    unmixed_view: bool = False
    """Render that reconstruction too: `extra.unmixed_view` [1, 3, S, S] in [-1, 1], from the input's camera."""


class Goae(EncoderMethod):
    """Both networks; novel views are those of the mixed planes."""

    options: GoaeOptions

    def __init__(self, network: GoaeReconstruction, options: GoaeOptions, file: EncoderFile) -> None:
        """Keep the networks."""
        super().__init__(KIND, options, file)
        self.network = network

    def encode(self, image: Tensor, camera: Camera, generator: Generator, laps: Laps) -> Encoded:
        """Encode, reconstruct, align, mix."""
        network = self.network
        with laps.lap("encode"):
            ws = network.codes(image)
        with laps.lap("view"):
            first = network.first(ws, camera, generator)
        with laps.lap("align"):
            aligned = network.aligned(first, image, generator)
        with laps.lap("mix"):
            mixed = network.mixed(generator, first.plain, aligned, camera)
        extra = {"unmixed": aligned} if self.options.keep_unmixed else {}
        if self.options.unmixed_view:
            with laps.lap("unmixed_view"):
                extra["unmixed_view"] = generator.render(aligned, ws, camera).image
        return Encoded(ws, mixed, extra)


def open_goae(generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> Goae:
    """Make the method for a generator.

    Raises:
        CapabilityError: The generator's synthesis cannot be resumed.
        ConfigError: Unknown or impossible option.
        WeightsError: There are no weights for this generator, or they cannot be used.
    """
    chosen: GoaeOptions = read_options(GoaeOptions, options, KIND)
    spec = generator.spec
    if not isinstance(generator, ResumableSynthesis):
        raise CapabilityError(f"GOAE needs a generator whose synthesis resumes; {spec.name!r}'s does not")
    file = read_encoder(find_encoder(weights, "toolkit_plugins.goae", KIND, spec), KIND)
    file.check_generator(spec, other=chosen.other_generator)
    return Goae(build_goae(file, generator.device), chosen, file)
