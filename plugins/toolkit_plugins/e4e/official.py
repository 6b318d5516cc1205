"""e4e's official checkpoint: `encoder.*`, `latent_avg`, `opts`, often the discriminator of latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.nn import Module

from toolkit.interfaces import Part
from toolkit.weights.importing import described
from toolkit_plugins.e4e.method import ENCODER, KIND


class E4eFile:
    """Kind `e4e`: one encoder and its average latent."""

    kind = KIND
    licence = "MIT (official weights)"
    generator = ""

    def parts(self) -> Sequence[Part]:
        """The encoder, of any number of styles."""
        return (Part(ENCODER, ("e4e_encoder", "e4e_encoder_18styles")),)

    def claims(self, settings: Mapping[str, Any]) -> bool | None:
        """By the option that names the encoder's class, or by the discriminator of latents."""
        options = settings.get("opts")
        named = options.get("encoder_type") if isinstance(options, Mapping) else None
        if named is not None:
            return named == "Encoder4Editing"
        return True if "discriminator_state_dict" in settings else None

    def config(self, modules: Mapping[str, Module], settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The sizes of the encoder's network."""
        return {ENCODER: described(modules[ENCODER])}
