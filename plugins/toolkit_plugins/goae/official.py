"""GOAE's two official files, the encoder's and the alignment's state dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.nn import Module

from toolkit.interfaces import Part
from toolkit.weights.importing import described
from toolkit_plugins.goae.files import ALIGNMENT, ENCODER, KIND

MIX = {"feature_size": 32, "mixing": "published", "resolution": 128, "view_resolution": None}


class GoaeFile:
    """An official checkpoint of GOAE (kind `goae`): encoder and feature alignment in one file."""

    kind = KIND
    licence = "not stated by its authors (official weights)"
    generator = "eg3d"

    def parts(self) -> Sequence[Part]:
        """The encoder and the feature alignment, each with the kind of network that it is."""
        return Part(ENCODER, ("goae_encoder",)), Part(ALIGNMENT, ("goae_afa",))

    def claims(self, settings: Mapping[str, Any]) -> bool | None:
        """Nothing else has these two networks."""
        return None

    def config(self, modules: Mapping[str, Module], settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Both networks' sizes and the published mix."""
        return {"mix": MIX, **{name: described(module) for name, module in modules.items()}}
