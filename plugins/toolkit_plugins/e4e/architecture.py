"""Recognises official e4e weights and builds the networks that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from toolkit.encoders.networks.latent_discriminator import LatentDiscriminator
from toolkit.encoders.networks.official_sizes import is_style_encoder, style_encoder_config
from toolkit.weights.shapes import agreed, shapes_of, with_config
from toolkit_plugins.e4e.encoder import ProgressiveEncoder

MANY_STYLES = 18


class E4eArchitecture:
    """Kind `e4e_encoder`; pSp's files have the same keys, so the user must say which it is."""

    kind = "e4e_encoder"

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether these are a pyramid encoder's keys, other than one of 18 styles."""
        return is_style_encoder(shapes) and not is_style_encoder(shapes, MANY_STYLES)

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> ProgressiveEncoder:
        """Build the encoder; sizes follow from the shapes unless the config (see `StyleEncoderConfig`) says more."""
        return ProgressiveEncoder(style_encoder_config(shapes_of(state_dict), config))


class E4e18Architecture(E4eArchitecture):
    """Kind `e4e_encoder_18styles`: the same network for a 1024 px generator."""

    kind = "e4e_encoder_18styles"

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether these are the keys of a pyramid encoder of 18 styles."""
        return is_style_encoder(shapes, MANY_STYLES)


@dataclass(frozen=True)
class _Sizes:
    w_dim: int = 512
    layers: int = 4


class LatentDiscriminatorArchitecture:
    """Weights of e4e's discriminator of codes (kind `e4e_latent_discriminator`)."""

    kind = "e4e_latent_discriminator"

    def recognises(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """Whether there is nothing but a plain network that ends in one number."""
        return shapes.get("mlp.6.bias") == (1,) and all(key.startswith("mlp.") for key in shapes)

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> LatentDiscriminator:
        """Build the discriminator; `config` may name `w_dim` and `layers`."""
        shapes = shapes_of(state_dict)
        places = [(f"mlp.{index}.{name}", 0) for index in (0, 2, 4) for name in ("weight", "bias")]
        sizes = with_config(_Sizes(w_dim=agreed(shapes, places, _Sizes.w_dim)), config, "latent discriminator")
        return LatentDiscriminator(sizes.w_dim, sizes.layers)
