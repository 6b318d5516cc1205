"""Sizes of trunks and style encoders, read off an official state dict: what their importers share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from toolkit.encoders.networks.irse import STAGES, UNITS, WIDTH
from toolkit.encoders.networks.style_encoder import SHRINKAGE, StyleEncoderConfig, level_of
from toolkit.weights.shapes import Shapes, agreed, numbered, with_config

_TELLING_KEYS = ("styles.0.convs.0.weight", "styles.0.linear.weight", "input_layer.0.weight")
_VOTERS = 32
"""Styles that are asked for a size; the rest must agree anyway."""


def trunk_sizes(shapes: Shapes) -> tuple[int, tuple[int, ...]]:
    """Width and units per stage of a residual trunk; those of the literature where the shapes make no sense."""
    stem = [("input_layer.0.weight", 0), *((f"input_layer.{name}", 0) for name in ("1.weight", "1.bias", "2.weight"))]
    width = agreed(shapes, stem, WIDTH)
    outputs = [
        agreed(shapes, [(f"body.{index}.res_layer.{layer}", 0) for layer in ("1.weight", "2.weight", "3.weight")], 0)
        for index in range(numbered(shapes, "body."))
    ]
    stages = [(size, len(list(group))) for size, group in groupby(outputs)]
    if [size for size, _ in stages] != [width * 2**stage for stage in range(STAGES)]:
        return width, next((units for units in UNITS.values() if sum(units) == len(outputs)), UNITS[50])
    return width, tuple(count for _, count in stages)


def is_style_encoder(shapes: Shapes, styles: int | None = None) -> bool:
    """Whether keys are a pyramid encoder's (of so many styles, if a number is given)."""
    if not all(key in shapes for key in _TELLING_KEYS):
        return False
    return styles is None or numbered(shapes, "styles.") == styles


def style_encoder_config(shapes: Shapes, config: Mapping[str, Any] | None = None) -> StyleEncoderConfig:
    """Sizes of a pyramid encoder.

    Args:
        shapes: Shapes of the official keys.
        config: Fields of `StyleEncoderConfig` that overrule the shapes.

    Raises:
        ConfigError: An unknown or impossible setting.
    """
    width, units = trunk_sizes(shapes)
    usual = StyleEncoderConfig()
    styles = numbered(shapes, "styles.") or usual.styles
    asked = range(min(styles, _VOTERS))
    places = [(f"styles.{index}.linear.{name}", 0) for index in asked for name in ("weight", "bias")]
    inner = [(f"styles.{index}.convs.0.{name}", 0) for index in asked for name in ("weight", "bias")]
    block_width = agreed(shapes, inner, 8 * width)
    sides = Counter(_image_side(shapes, index) for index in asked)
    sizes = StyleEncoderConfig(
        styles=styles,
        style_dim=agreed(shapes, places, usual.style_dim),
        image_size=max(sides, key=lambda side: sides[side]) or usual.image_size,
        width=width,
        units=units,
        block_width=0 if block_width == 8 * width else block_width,
    )
    return with_config(sizes, config, "style encoder")


def _image_side(shapes: Shapes, style: int) -> int:
    """Side of the input by the number of one style's convolutions; 0 if that is out of bounds."""
    prefix = f"styles.{style}.convs."
    count = len({key[len(prefix) :].split(".")[0] for key in shapes if key.startswith(prefix)})
    side = 2**count * SHRINKAGE[level_of(style)] if count < 20 else 0
    return side if 32 <= side <= 4096 else 0
