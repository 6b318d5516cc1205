"""Recognises the two official GOAE files and builds the networks that they fit, at whatever size."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from toolkit.errors import ConfigError, WeightsError
from toolkit.weights.shapes import Shapes, shapes_of
from toolkit_plugins.goae.alignment import AlignmentSettings, FeatureAlignment
from toolkit_plugins.goae.encoder import EncoderSettings, GoaeEncoder
from toolkit_plugins.goae.sizes import alignment_settings, encoder_settings

COMPUTED = ("relative_coords_table", "relative_position_index", "attn_mask")
"""Buffers that follow from the sizes; they may be missing."""
_TABLE_TOLERANCE = 1e-4


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
            WeightsError: Position tables are other ones.
            ConfigError: An unknown or impossible setting.
        """
        options = _options(config, ("attention_heads", "window", "pretrained_windows"), self.kind)
        heads = options.pop("attention_heads", EncoderSettings.attention_heads)
        built = GoaeEncoder(encoder_settings(shapes_of(state_dict), heads, **options))
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
            ConfigError: An unknown or impossible setting.
        """
        options = _options(config, ("attention_heads",), self.kind)
        heads = options.pop("attention_heads", AlignmentSettings.attention_heads)
        return FeatureAlignment(alignment_settings(shapes_of(state_dict), heads))


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
    if _misfits(built.state_dict(), state_dict):
        return  # loading lists the offenders: they come first
    for key, own in built.named_buffers():
        given = state_dict.get(key)
        if not key.endswith(COMPUTED[0]) or given is None or given.shape != own.shape or not given.any():
            continue
        if not torch.allclose(given.to(own), own, atol=_TABLE_TOLERANCE):
            windows = dataclasses.asdict(built.settings.swin)["pretrained_windows"]
            raise WeightsError(f"{key} is not that of pre-training windows {list(windows)}: name others in the config")


def _misfits(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> bool:
    lacking = any(key not in given and not key.endswith(COMPUTED) for key in own)
    return lacking or any(key not in own or own[key].shape != value.shape for key, value in given.items())
