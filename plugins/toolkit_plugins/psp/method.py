"""The method `psp`: one pass from an image to a W+ code."""

from __future__ import annotations

from toolkit.encoders import CodeEncoder, EncoderFile, EncoderOpener, EncoderOptions, build_code_encoder
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder
from toolkit.interfaces import Generator

KIND, ENCODER = "psp", "psp_encoder"


def build_psp(file: EncoderFile, generator: Generator, options: EncoderOptions) -> CodeEncoder:
    """The encoder of a file of kind `psp`.

    Raises:
        WeightsError: The weights do not fit.
    """
    return build_code_encoder(file, ENCODER, GradualStyleEncoder, CodeEncoder)


PSP = EncoderOpener(KIND, "toolkit_plugins.psp", build_psp)
open_encoder, open_psp = PSP.encoder, PSP.method
