"""The method `e4e`: one pass from an image to a code near W."""

from __future__ import annotations

from torch import Tensor

from toolkit.encoders import CodeEncoder, EncoderFile, EncoderOpener, EncoderOptions, build_code_encoder
from toolkit.encoders.networks.style_encoder import codes_of
from toolkit.interfaces import Generator
from toolkit_plugins.e4e.encoder import ProgressiveEncoder

KIND, ENCODER = "e4e", "e4e_encoder"


class E4eEncoder(CodeEncoder):
    """A progressive encoder with its average latent; all deltas act unless fewer are asked for."""

    network: ProgressiveEncoder

    def codes(self, image: Tensor, deltas: int | None = None) -> Tensor:
        """Images [B, 3, S, S] in [-1, 1] to ws [B, num_ws, w_dim], with so many deltas (None: the network's stage)."""
        return codes_of(self.network, image, self.average_latent, deltas)


def build_e4e(file: EncoderFile, generator: Generator, options: EncoderOptions) -> E4eEncoder:
    """The encoder of a file of kind `e4e`.

    Raises:
        WeightsError: The weights do not fit.
    """
    return build_code_encoder(file, ENCODER, ProgressiveEncoder, E4eEncoder)


E4E = EncoderOpener(KIND, "toolkit_plugins.e4e", build_e4e)
open_encoder, open_e4e = E4E.encoder, E4E.method
