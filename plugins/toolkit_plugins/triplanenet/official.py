"""TriPlaneNet's official checkpoint: `psp_encoder.*`, `triplanenet_encoder.*`, the generator as `decoder.*`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.nn import Module

from toolkit.encoders.triplanenet import FIRST, SECOND, VIEW
from toolkit.interfaces import Part
from toolkit.weights.importing import described
from toolkit_plugins.triplanenet.method import KIND

FIRST_KINDS = ("psp_gradual_encoder",)
SECOND_KINDS = ("triplanenet_v2_encoder", "triplanenet_v2_encoder_pixelshuffle")


class TriPlaneNetFile:
    """Kind `triplanenet`: both stages of version 2."""

    kind = KIND
    licence = "MIT (official weights)"
    generator = "eg3d"

    def parts(self) -> Sequence[Part]:
        """The encoder into W+, and the network that corrects planes."""
        return Part(FIRST, FIRST_KINDS), Part(SECOND, SECOND_KINDS)

    def claims(self, settings: Mapping[str, Any]) -> bool | None:
        """Nothing else has these two networks."""
        return None

    def config(self, modules: Mapping[str, Module], settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The sizes of both networks in the file."""
        return {VIEW: None, **{name: described(module) for name, module in modules.items()}}
