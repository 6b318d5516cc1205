"""GOAE's first network: an image to a canonical code and, level by level, offsets from it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from toolkit.errors import ConfigError
from toolkit_plugins.goae.cross_attention import CrossAttention
from toolkit_plugins.goae.swin_v2 import SwinSettings, SwinTransformer

LEVELS = ("coarse", "mid", "fine")
_LEAKY_SLOPE = 0.01
_USUAL = 3
"""Latents of the coarse and of the mid level; the fine one has the rest."""


@dataclass(frozen=True)
class EncoderSettings:
    """Sizes; the defaults are the published network's."""

    swin: SwinSettings = field(default_factory=SwinSettings)
    num_ws: int = 14
    w_dim: int = 512
    attention_heads: int = 4
    dropout: float = 0.1
    """Of attention and its network, while training."""

    def __post_init__(self) -> None:
        """Check the code's size.

        Raises:
            ConfigError: It is impossible.
        """
        if self.num_ws < 2 or self.w_dim < 1:
            raise ConfigError(f"a code needs at least 2 latents of 1 number, got {self.num_ws} of {self.w_dim}")

    @property
    def levels(self) -> tuple[int, int, int]:
        """Latents that each level moves; latent 0 is never moved."""
        rest = self.num_ws - 1
        if rest > 2 * _USUAL:
            return _USUAL, _USUAL, rest - 2 * _USUAL
        return (rest + 2) // 3, (rest + 1) // 3, rest // 3


class Codes(NamedTuple):
    """What the encoder returns; the caller adds the generator's average latent."""

    ws: Tensor
    """[B, num_ws, w_dim]."""
    ws_base: Tensor
    """[B, num_ws, w_dim], the canonical code, repeated."""


class GoaeEncoder(nn.Module):
    """Names of parameters are those of the published file."""

    def __init__(self, settings: EncoderSettings | None = None) -> None:
        """Lay out the network (None: as published)."""
        super().__init__()
        self.settings = settings or EncoderSettings()
        self.stage = len(LEVELS)
        """How many levels move the code: 0 only the canonical code, 3 all. Training raises it step by step."""
        swin = self.settings.swin
        fine, mid, coarse, deep = swin.widths
        tokens = tuple(side**2 for side in swin.sides)
        w_dim, last = self.settings.w_dim, tokens[3]
        self.swin_model = SwinTransformer(swin)
        self.mapper_base_spatial = _mapper(last, last, 1)
        self.mapper_base_channel = _mapper(deep, deep, w_dim)
        for name, count in zip(LEVELS, self.settings.levels, strict=True):
            if count:
                self.add_module(f"mapper_query_spatial_{name}", _mapper(last, last, count))
                self.add_module(f"mapper_query_channel_{name}", _mapper(deep, deep, w_dim))
                attention = CrossAttention(w_dim, self.settings.attention_heads, self.settings.dropout)
                self.add_module(f"cross_att_{name}", attention)
        self.mapper_coarse_channel = _rectified(coarse, w_dim)
        self.mapper_mid_channel = _rectified(mid, w_dim)
        self.mapper_fine_channel = _rectified(fine, 2 * fine, w_dim)
        self.mapper_coarse_to_mid_spatial = _rectified(tokens[2], 2 * tokens[2], tokens[1])
        self.mapper_mid_to_fine_spatial = _rectified(tokens[1], 2 * tokens[1], tokens[0])

    def begin_still(self) -> None:
        """Start a training where offsets are nearly nothing, so that no level spoils what is learnt when it joins."""
        for module in self.children():
            if isinstance(module, CrossAttention):
                module.begin_at(0.0, leak=0.02)

    def forward(self, image: Tensor) -> Codes:
        """Encode an image [B, 3, S, S] in [-1, 1], S the settings' (256).

        Raises:
            InputError: Another size.
        """
        fine, mid, coarse, query = (found := self.swin_model(image)).inputs
        base = self.canonical(found.final).expand(-1, self.settings.num_ws, -1)
        offsets = [torch.zeros_like(base[:, :1])]
        sets = self.token_sets(coarse, mid, fine)
        for index, (name, count) in enumerate(zip(LEVELS, self.settings.levels, strict=True)):
            if count and index < self.stage:
                offsets.append(self.get_submodule(f"cross_att_{name}")(self.queries(name, query), sets[index]))
            else:
                offsets.append(base.new_zeros(base.shape[0], count, base.shape[2]))
        return Codes(base + torch.cat(offsets, dim=1), base)

    def canonical(self, tokens: Tensor) -> Tensor:
        """The code [B, 1, w_dim] that all latents start from, of the trunk's last tokens [B, N, C]."""
        mixed = self.mapper_base_spatial(tokens.transpose(1, 2)).transpose(1, 2)
        code: Tensor = self.mapper_base_channel(mixed + tokens.amax(dim=1, keepdim=True))
        return code

    def queries(self, level: str, tokens: Tensor) -> Tensor:
        """What a level asks, [B, n, w_dim], of the tokens [B, N, C] that go into the trunk's last stage."""
        mixed = self.get_submodule(f"mapper_query_spatial_{level}")(tokens.transpose(1, 2)).transpose(1, 2)
        asked: Tensor = self.get_submodule(f"mapper_query_channel_{level}")(mixed + tokens.amax(dim=1, keepdim=True))
        return asked

    def token_sets(self, coarse: Tensor, mid: Tensor, fine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the three levels look at, [B, N, w_dim] each; a finer set holds the coarser one, spread out."""
        coarse = self.mapper_coarse_channel(coarse)
        spread = self.mapper_coarse_to_mid_spatial(coarse.transpose(1, 2)).transpose(1, 2)
        mid = self.mapper_mid_channel(mid) + spread
        spread = self.mapper_mid_to_fine_spatial(mid.transpose(1, 2)).transpose(1, 2)
        return coarse, mid, self.mapper_fine_channel(fine) + spread


def _mapper(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.LeakyReLU(_LEAKY_SLOPE), nn.Linear(hidden, outputs))


def _rectified(*sizes: int) -> nn.Sequential:
    """Linear layers, each followed by a LeakyReLU."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(_LEAKY_SLOPE)]
    return nn.Sequential(*layers)
