"""pSp's official checkpoint: `encoder.*`, `latent_avg`, `opts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.nn import Module

from toolkit.interfaces import Part
from toolkit.weights.importing import described
from toolkit_plugins.psp.method import ENCODER, KIND


class PspFile:
    """Kind `psp`: one encoder and its average latent."""

    kind = KIND
    licence = "MIT (official weights)"
    generator = ""

    def parts(self) -> Sequence[Part]:
        """The encoder, of any number of styles."""
        return (Part(ENCODER, ("psp_gradual_encoder", "psp_gradual_encoder_18styles")),)

    def claims(self, settings: Mapping[str, Any]) -> bool | None:
        """By the option that names the encoder's class; e4e's files have a discriminator of latents."""
        options = settings.get("opts")
        named = options.get("encoder_type") if isinstance(options, Mapping) else None
        if named is not None:
            return named == "GradualStyleEncoder"
        return False if "discriminator_state_dict" in settings else None

    def config(self, modules: Mapping[str, Module], settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The sizes of the encoder's network."""
        return {ENCODER: described(modules[ENCODER])}
