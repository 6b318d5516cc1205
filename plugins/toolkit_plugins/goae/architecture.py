"""Recognises the two official GOAE files and builds the networks that they fit, at whatever size."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from toolkit.errors import ConfigError, WeightsError
from toolkit.nn.swin_v2 import STAGES, SwinSettings
from toolkit_plugins.goae.alignment import AlignmentSettings, FeatureAlignment
from toolkit_plugins.goae.encoder import LEVELS, EncoderSettings, GoaeEncoder

COMPUTED = ("relative_coords_table", "relative_position_index", "attn_mask")
"""Buffers that follow from the sizes; they may be missing."""
_TABLE_TOLERANCE = 1e-4
Shapes = Mapping[str, tuple[int, ...]]


class EncoderArchitecture:
    """Kind `goae_encoder`; of the sizes only the number of attention heads cannot be told from shapes (config)."""

    kind = "goae_encoder"
    computed_keys = COMPUTED

    def recognises(self, shapes: Shapes) -> bool:
        """Whether keys are those of a transformer with GOAE's heads."""
        return "swin_model.patch_embed.proj.weight" in shapes and "mapper_base_channel.2.weight" in shapes

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> GoaeEncoder:
        """Build the encoder that fits; weights are not loaded.

        Args:
            state_dict: Official keys.
            config: `attention_heads` (4), `window` (16) and `pretrained_windows` (12, 12, 12, 6) if they are others.

        Raises:
            WeightsError: A key without which the sizes are unknown is missing, or position tables are other ones.
            ConfigError: An unknown or impossible setting.
        """
        options = _options(config, ("attention_heads", "window", "pretrained_windows"), self.kind)
        shapes = {key: tuple(value.shape) for key, value in state_dict.items()}
        built = GoaeEncoder(_encoder_settings(shapes, options))
        _check_tables(built, state_dict)
        return built


class AlignmentArchitecture:
    """Kind `goae_afa`; `attention_heads` (4) may come in the config."""

    kind = "goae_afa"

    def recognises(self, shapes: Shapes) -> bool:
        """Whether keys are those of the feature alignment."""
        return "cross_att_gamma.linear1.weight" in shapes and "output_layer.2.weight" in shapes

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> FeatureAlignment:
        """Build the alignment that fits; weights are not loaded.

        Raises:
            WeightsError: A key without which the sizes are unknown is missing.
            ConfigError: An unknown or impossible setting.
        """
        options = _options(config, ("attention_heads",), self.kind)
        shapes = {key: tuple(value.shape) for key, value in state_dict.items()}
        channels = _shape(shapes, "output_layer.2.weight", 4)[0]
        width = _shape(shapes, "input_layer.0.weight", 4)[0]
        return FeatureAlignment(AlignmentSettings(channels=channels, width=width, **options))


def _encoder_settings(shapes: Shapes, options: dict[str, Any]) -> EncoderSettings:
    heads = options.pop("attention_heads", EncoderSettings.attention_heads)
    width, _, patch, _ = _shape(shapes, "swin_model.patch_embed.proj.weight", 4)
    tokens = _shape(shapes, "mapper_base_spatial.0.weight", 2)[1]
    side = math.isqrt(tokens)
    if side**2 != tokens:
        raise WeightsError(f"mapper_base_spatial.0.weight takes {tokens} tokens, which is no square")
    swin = SwinSettings(
        image_size=side * patch * 2 ** (STAGES - 1),
        patch=patch,
        width=width,
        depths=tuple(_count_blocks(shapes, stage) for stage in range(STAGES)),
        heads=tuple(
            _shape(shapes, f"swin_model.layers.{stage}.blocks.0.attn.logit_scale", 3)[0] for stage in range(STAGES)
        ),
        **options,
    )
    w_dim = _shape(shapes, "mapper_base_channel.2.weight", 2)[0]
    counts = [shapes.get(f"mapper_query_spatial_{name}.2.weight", (0,))[0] for name in LEVELS]
    settings = EncoderSettings(swin, 1 + sum(counts), w_dim, heads)
    if settings.levels != tuple(counts):
        raise WeightsError(f"levels of {counts} latents are none of GOAE's; expected {list(settings.levels)}")
    return settings


def _count_blocks(shapes: Shapes, stage: int) -> int:
    prefix = f"swin_model.layers.{stage}.blocks."
    return len({key[len(prefix) :].partition(".")[0] for key in shapes if key.startswith(prefix)})


def _shape(shapes: Shapes, key: str, dimensions: int) -> tuple[int, ...]:
    found = shapes.get(key)
    if found is None:
        raise WeightsError(f"GOAE weights lack {key!r}")
    if len(found) != dimensions:
        raise WeightsError(f"{key} must have {dimensions} dimensions, got {list(found)}")
    return found


def _options(config: Mapping[str, Any] | None, known: tuple[str, ...], kind: str) -> dict[str, Any]:
    options = dict(config or {})
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ConfigError(f"unknown {kind} setting {unknown[0]!r}; known: {', '.join(known)}")
    if "pretrained_windows" in options:
        options["pretrained_windows"] = tuple(options["pretrained_windows"])
    return options


def _check_tables(built: GoaeEncoder, state_dict: Mapping[str, Tensor]) -> None:
    """Refuse position tables of other pre-training windows than ours: with ours, such a file would mean something else.

    Raises:
        WeightsError: A given table differs from the computed one.
    """
    for key, own in built.named_buffers():
        given = state_dict.get(key)
        if not key.endswith(COMPUTED[0]) or given is None or given.shape != own.shape or not given.any():
            continue
        if not torch.allclose(given.to(own), own, atol=_TABLE_TOLERANCE):
            windows = dataclasses.asdict(built.settings.swin)["pretrained_windows"]
            raise WeightsError(f"{key} is not that of pre-training windows {list(windows)}: name others in the config")
