"""GOAE's second network: features of the generator are scaled and moved by what the first reconstruction lacks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.encoders.networks.irse import ResidualUnit
from toolkit.errors import ConfigError, InputError
from toolkit.nn.activation import activate
from toolkit_plugins.goae.cross_attention import CrossAttention, normalised

_UNITS = 3
"""Residual units per width, and widths."""
SHRINKING = 2**_UNITS
"""Factor between the sides of image and residual map."""


@dataclass(frozen=True)
class AlignmentSettings:
    """Sizes; the defaults are the published network's."""

    channels: int = 512
    """Channels of the generator's features."""
    width: int = 64
    """Channels of the stem; they double twice."""
    attention_heads: int = 4
    dropout: float = 0.1
    """Of attention and its network, while training."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: A size is below 1, or the heads do not divide the channels.
        """
        if min(self.channels, self.width, self.attention_heads) < 1 or self.channels % self.attention_heads:
            raise ConfigError(
                f"alignment needs positive sizes and heads that divide the channels, got {self.channels} channels, "
                f"width {self.width}, {self.attention_heads} heads"
            )


class Aligned(NamedTuple):
    """Features and what made them, each [B, C, H, W]: feature_map_adain = gamma * features + beta."""

    feature_map_adain: Tensor
    gamma: Tensor
    beta: Tensor


class ScaledConvolution(nn.Module):
    """3x3 convolution with bias whose stored weight has unit variance."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Draw the weight from N(0, 1)."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, inputs, H, W] to [B, outputs, H, W]."""
        gain = 1 / math.sqrt(self.weight[0].numel())
        return F.conv2d(x, self.weight * gain, self.bias, padding=1)


class ScaledLeakyReLU(nn.Module):
    """LeakyReLU of slope 0.2, times the square root of 2."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x to the same shape."""
        return activate(x, "lrelu")


class FeatureAlignment(nn.Module):
    """Names of parameters are those of the published file. BatchNorm: train with more than one image, or freeze it."""

    def __init__(self, settings: AlignmentSettings | None = None) -> None:
        """Lay out the network (None: as published)."""
        super().__init__()
        self.settings = settings or AlignmentSettings()
        channels, inputs = self.settings.channels, self.settings.width
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, inputs, 3, padding=1, bias=False), nn.BatchNorm2d(inputs), nn.PReLU(inputs)
        )
        body = []
        for outputs in (inputs, 2 * inputs, 4 * inputs):
            for index in range(_UNITS):
                body.append(ResidualUnit(inputs, outputs, 2 if index == 0 else 1, attention=True))
                inputs = outputs
        self.body = nn.Sequential(*body)
        self.output_layer = nn.Sequential(
            ScaledConvolution(inputs, channels), ScaledLeakyReLU(), ScaledConvolution(channels, channels)
        )
        heads, dropout = self.settings.attention_heads, self.settings.dropout
        self.cross_att_gamma = CrossAttention(channels, heads, dropout)
        self.cross_att_beta = CrossAttention(channels, heads, dropout)

    def begin_still(self) -> None:
        """Start a training where almost nothing is changed: gamma near 1, beta near 0, for whatever tokens."""
        self.cross_att_gamma.begin_at(1.0)
        self.cross_att_beta.begin_at(0.0)

    def forward(self, image: Tensor, reconstruction: Tensor, features: Tensor) -> Aligned:
        """Align features to an image.

        Args:
            image: [B, 3, S, S] in [-1, 1].
            reconstruction: [B, 3, S, S], what the generator makes of the code alone.
            features: [B, C, H, W] of that code.

        Raises:
            InputError: Shapes that do not fit.
        """
        if image.shape != reconstruction.shape or image.ndim != 4 or image.shape[1] != 3:
            raise InputError(
                f"image and reconstruction must be [B, 3, S, S] alike, got {list(image.shape)} and "
                f"{list(reconstruction.shape)}"
            )
        if features.ndim != 4 or features.shape[:2] != (image.shape[0], self.settings.channels):
            raise InputError(
                f"features must be [{image.shape[0]}, {self.settings.channels}, H, W], got {list(features.shape)}"
            )
        lacking = self.output_layer(self.body(self.input_layer(reconstruction - image)))
        tokens, query = (normalised(each.flatten(2).transpose(1, 2)) for each in (lacking, features))
        gamma, beta = (
            attention(query, tokens).transpose(1, 2).unflatten(2, features.shape[2:])
            for attention in (self.cross_att_gamma, self.cross_att_beta)
        )
        return Aligned(gamma * features + beta, gamma, beta)
