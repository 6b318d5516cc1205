"""Sizes of GOAE's two networks, read off the shapes of a file by majority; where nothing agrees, the published ones.

One damaged entry then changes no size, so that loading lists that entry and not its neighbours.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from toolkit.weights.shapes import Shapes, agreed, numbered
from toolkit_plugins.goae.alignment import AlignmentSettings
from toolkit_plugins.goae.encoder import LEVELS, EncoderSettings
from toolkit_plugins.goae.swin_v2 import STAGES, SwinSettings

Places = list[tuple[str, int]]
_VOTERS = 4
"""Blocks of a stage that are asked for a size; the rest must agree anyway."""


def encoder_settings(shapes: Shapes, heads: int, **options: Any) -> EncoderSettings:
    """Sizes of the encoder.

    Args:
        shapes: Shapes of the official keys.
        heads: Heads of the levels' attention; shapes do not tell.
        options: Fields of `SwinSettings` that shapes do not tell.

    Raises:
        ConfigError: An option is impossible.
    """
    usual = EncoderSettings()
    w_dim = _agreed(shapes, _code_places(), usual.w_dim)
    # No such network exists: with the published code, loading lists what is not of that size.
    fitting = w_dim if w_dim % max(heads, 1) == 0 else usual.w_dim
    return EncoderSettings(_swin_settings(shapes, options), _count_latents(shapes), fitting, heads)


def alignment_settings(shapes: Shapes, heads: int) -> AlignmentSettings:
    """Sizes of the feature alignment.

    Args:
        shapes: Shapes of the official keys.
        heads: Heads of the attention; shapes do not tell.

    Raises:
        ConfigError: The heads do not divide the published channels, nor the file's.
    """
    usual = AlignmentSettings()
    parts = ("multihead_attn.out_proj.weight", "multihead_attn.out_proj.bias", "linear2.weight", "linear2.bias")
    wide = [f"output_layer.{name}" for name in ("0.weight", "0.bias", "2.weight", "2.bias")]
    wide += [f"cross_att_{name}.{part}" for name in ("gamma", "beta") for part in parts]
    stem = ["0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var", "2.weight"]
    narrow = [f"input_layer.{name}" for name in stem]
    narrow += [f"body.{index}.res_layer.{name}" for index in range(3) for name in ("1.weight", "2.weight", "4.weight")]
    channels = _agreed(shapes, _first(wide), usual.channels)
    return AlignmentSettings(
        channels=channels if channels % max(heads, 1) == 0 else usual.channels,
        width=_agreed(shapes, _first(narrow), usual.width),
        attention_heads=heads,
    )


def _swin_settings(shapes: Shapes, options: dict[str, Any]) -> SwinSettings:
    usual = SwinSettings()
    depths = tuple(
        numbered(shapes, f"swin_model.layers.{stage}.blocks.") or usual.depths[stage] for stage in range(STAGES)
    )
    width = _agreed(shapes, _width_places(), usual.width)
    heads = tuple(
        _agreed(
            shapes,
            _first(_in_blocks(stage, depths[stage], "attn.logit_scale", "attn.cpb_mlp.2.weight")),
            usual.heads[stage],
        )
        for stage in range(STAGES)
    )
    if any(width * 2**stage % heads[stage] for stage in range(STAGES)):
        width, heads = usual.width, usual.heads  # no such network exists; see `encoder_settings`
    patch = _agreed(shapes, [("swin_model.patch_embed.proj.weight", axis) for axis in (2, 3)], usual.patch)
    return SwinSettings(
        image_size=_deepest_side(shapes) * patch * 2 ** (STAGES - 1),
        patch=patch,
        width=width,
        depths=depths,
        heads=heads,
        **options,
    )


def _count_latents(shapes: Shapes) -> int:
    """How many latents the levels' shapes fit best; in doubt the published number."""
    usual = EncoderSettings()
    found = [
        [shapes.get(f"mapper_query_spatial_{name}.2.{part}", (0,))[:1] or (0,) for part in ("weight", "bias")]
        for name in LEVELS
    ]

    def fit(latents: int) -> int:
        levels = EncoderSettings(num_ws=latents).levels
        return sum(size == (count,) for sizes, count in zip(found, levels, strict=True) for size in sizes)

    sums = {1 + sum(size for (size,) in sizes) for sizes in itertools.product(*found)}
    # the first of the best is taken, and the published number comes first
    return max([usual.num_ws, *sorted(each for each in sums if each >= 2)], key=fit)


def _deepest_side(shapes: Shapes) -> int:
    """Tokens per row of the last stage."""
    spatial = ["mapper_base_spatial", *(f"mapper_query_spatial_{name}" for name in LEVELS)]
    places = [(f"{name}.{part}", 0) for name in spatial for part in ("0.weight", "0.bias")]
    places += [(f"{name}.{part}", 1) for name in spatial for part in ("0.weight", "2.weight")]
    usual = SwinSettings().sides[-1]
    side = math.isqrt(tokens := _agreed(shapes, places, usual**2))
    return side if side**2 == tokens else usual


def _width_places() -> Places:
    return _first(
        [f"swin_model.patch_embed.{name}" for name in ("proj.weight", "proj.bias", "norm.weight", "norm.bias")]
        + _in_blocks(0, 1, "norm1.weight", "norm1.bias", "norm2.weight", "attn.q_bias", "attn.v_bias", "attn.proj.bias")
    )


def _code_places() -> Places:
    owners = ["mapper_base_channel.2", "mapper_coarse_channel.0", "mapper_mid_channel.0", "mapper_fine_channel.2"]
    owners += [f"mapper_query_channel_{name}.2" for name in LEVELS]
    owners += [f"cross_att_{name}.linear2" for name in LEVELS]
    return _first([f"{owner}.{part}" for owner in owners for part in ("weight", "bias")])


def _in_blocks(stage: int, depth: int, *names: str) -> list[str]:
    blocks = range(min(depth, _VOTERS))
    return [f"swin_model.layers.{stage}.blocks.{block}.{name}" for block in blocks for name in names]


def _first(keys: list[str]) -> Places:
    return [(key, 0) for key in keys]


def _agreed(shapes: Shapes, places: Places, default: int) -> int:
    """`agreed`, but never nothing: a network of no channels is none."""
    return agreed(shapes, places, default) or default
