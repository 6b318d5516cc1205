"""The method `triplanenet`: TriPlaneNet v2, a W+ code and planes corrected by what it gets wrong."""

from __future__ import annotations

from toolkit.encoders import EncoderFile, EncoderOpener, EncoderOptions, TriPlaneNetV2, build_triplanenet
from toolkit.errors import CapabilityError
from toolkit.interfaces import Generator, PlaneImages

KIND = "triplanenet"


def build(file: EncoderFile, generator: Generator, options: EncoderOptions) -> TriPlaneNetV2:
    """The encoder of a file of kind `triplanenet`.

    Raises:
        WeightsError: The weights do not fit.
    """
    return build_triplanenet(file)


def check_generator(generator: Generator, options: EncoderOptions) -> None:
    """Refuse a generator whose planes a convolution cannot read.

    Raises:
        CapabilityError: Its planes cannot be seen as images.
    """
    if not isinstance(generator, PlaneImages):
        raise CapabilityError(f"TriPlaneNet needs planes that can be seen as images; {generator.spec.name!r}'s cannot")


TRIPLANENET = EncoderOpener(KIND, "toolkit_plugins.triplanenet", build, check=check_generator)
open_encoder, open_triplanenet = TRIPLANENET.encoder, TRIPLANENET.method
