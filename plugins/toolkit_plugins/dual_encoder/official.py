"""The dual encoder's own release: visible_net.pt, occluded_net.pt and latent_avg.npy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.nn import Module

from toolkit.encoders.triplanenet import FIRST, SECOND, VIEW
from toolkit.interfaces import Part
from toolkit.weights.importing import described
from toolkit_plugins.dual_encoder.networks import DUAL, ENCODER_1, ENCODER_2

FIRST_KINDS = ("psp_gradual_encoder",)
SECOND_KINDS = ("triplanenet_v2_encoder", "triplanenet_v2_encoder_pixelshuffle")
WORDS = {ENCODER_1: ("visible", "encoder1"), ENCODER_2: ("occluded", "encoder2")}
"""What tells the two encoders apart in the names of files and tensors."""


class DualEncoderFile:
    """Kind `dual-encoder`: two encoders of two stages each."""

    kind = DUAL
    licence = "Apache-2.0 (official weights)"
    generator = "panohead"

    def parts(self) -> Sequence[Part]:
        """Both stages of both encoders."""
        return tuple(
            Part(f"{encoder}.{stage}", kinds, words)
            for encoder, words in WORDS.items()
            for stage, kinds in ((FIRST, FIRST_KINDS), (SECOND, SECOND_KINDS))
        )

    def claims(self, settings: Mapping[str, Any]) -> bool | None:
        """Nothing else has these four networks."""
        return None

    def config(self, modules: Mapping[str, Module], settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The sizes of all networks in the file, by encoder and stage."""
        sizes: dict[str, dict[str, Any]] = {}
        for name, module in modules.items():
            encoder, _, stage = name.partition(".")
            sizes.setdefault(encoder, {VIEW: None})[stage] = described(module)
        return sizes
