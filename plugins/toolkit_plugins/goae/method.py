"""The method `goae`: a code, aligned features, and planes mixed by what the input view sees."""

from __future__ import annotations

from toolkit.encoders import EncoderFile, EncoderOpener, EncoderOptions
from toolkit.errors import CapabilityError
from toolkit.interfaces import Generator, ResumableSynthesis
from toolkit_plugins.goae.files import KIND, build_goae
from toolkit_plugins.goae.reconstruction import GoaeReconstruction


class GoaeOptions(EncoderOptions):
    """Options of the method."""

    keep_unmixed: bool = True
    """Keep the un-mixed planes, which GOAE's published reconstruction of the input view shows, as `extra.unmixed`."""
    unmixed_view: bool = False
    """Render that reconstruction too: `extra.unmixed_view` [1, 3, S, S] in [-1, 1], from the input's camera."""


def build(file: EncoderFile, generator: Generator, options: GoaeOptions) -> GoaeReconstruction:
    """The encoder of a file of kind `goae`, which keeps what the options ask for.

    Raises:
        WeightsError: The weights do not fit.
    """
    encoder = build_goae(file)
    encoder.keep_unmixed, encoder.unmixed_view = options.keep_unmixed, options.unmixed_view
    return encoder


def check_generator(generator: Generator, options: GoaeOptions) -> None:
    """Refuse a generator whose features cannot be exchanged half way.

    Raises:
        CapabilityError: Its synthesis cannot be resumed.
    """
    if not isinstance(generator, ResumableSynthesis):
        raise CapabilityError(f"GOAE needs a generator whose synthesis resumes; {generator.spec.name!r}'s does not")


GOAE = EncoderOpener(KIND, "toolkit_plugins.goae", build, GoaeOptions, check=check_generator)
open_encoder, open_goae = GOAE.encoder, GOAE.method
