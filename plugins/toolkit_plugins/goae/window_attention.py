"""Swin V2's attention inside windows: cosine similarity, and a position bias from a small network."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HIGHEST_SCALE = math.log(100.0)
"""Limit of the logarithm of the similarity's factor."""
STRONGEST_BIAS = 16.0
FORBIDDEN = -100.0
"""Added to the logits of tokens that are neighbours only because the image was rolled."""
_HIDDEN = 512
_REACH = 8.0


class WindowAttention(nn.Module):
    """Multi-head attention among the tokens of one window."""

    relative_coords_table: Tensor
    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, window: int, pretrained_window: int) -> None:
        """Lay out the layers.

        Args:
            width: Channels of a token.
            heads: Divide the width.
            window: Side of a window.
            pretrained_window: Side of the windows that offsets are measured in.
        """
        super().__init__()
        self.heads, self.window, self.pretrained_window = heads, window, pretrained_window
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10.0)))
        self.cpb_mlp = nn.Sequential(nn.Linear(2, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, heads, bias=False))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)
        self.register_buffer("relative_coords_table", offset_table(window, pretrained_window))
        self.register_buffer("relative_position_index", offset_index(window))

    def renew_buffers(self) -> None:
        """Compute both buffers again."""
        self.relative_coords_table.copy_(offset_table(self.window, self.pretrained_window))
        self.relative_position_index.copy_(offset_index(self.window))

    def forward(self, windows: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend within windows.

        Args:
            windows: [B, W, N, C], W windows of N tokens each.
            mask: [W, N, N], added to the logits.

        Returns:
            [B, W, N, C].
        """
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(windows, self.qkv.weight, bias).unflatten(-1, (3, self.heads, -1))
        query, key, value = (each.transpose(2, 3) for each in qkv.unbind(dim=-3))
        scale = self.logit_scale.clamp(max=HIGHEST_SCALE).exp()
        logits = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1) * scale + self.position_bias()
        if mask is not None:
            logits = logits + mask[:, None]
        return self.proj((logits.softmax(dim=-1) @ value).transpose(2, 3).flatten(-2))

    def position_bias(self) -> Tensor:
        """Bias [heads, N, N] of query (rows) and key (columns) by their offset."""
        table = self.cpb_mlp(self.relative_coords_table).reshape(-1, self.heads)
        return STRONGEST_BIAS * torch.sigmoid(table[self.relative_position_index].permute(2, 0, 1))


def offset_table(window: int, pretrained_window: int) -> Tensor:
    """Log-spaced offsets [1, 2 window - 1, 2 window - 1, 2] (rows, columns), in pre-training windows."""
    offsets = torch.arange(1 - window, window, dtype=torch.float32) / max(pretrained_window - 1, 1) * _REACH
    offsets = offsets.sign() * torch.log2(offsets.abs() + 1) / math.log2(_REACH)
    return torch.stack(torch.meshgrid(offsets, offsets, indexing="ij"), dim=-1)[None]


def offset_index(window: int) -> Tensor:
    """Place [N, N] in the flattened table of each query's (rows) offset from each key (columns)."""
    places = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij"), dim=-1)
    places = places.flatten(0, 1)
    offsets = places[:, None] - places[None] + window - 1
    return offsets[..., 0] * (2 * window - 1) + offsets[..., 1]


def split_windows(grid: Tensor, window: int) -> Tensor:
    """Tokens [B, S, S, C] to windows [B, (S / window)^2, window^2, C], both row by row."""
    count = grid.shape[1] // window
    tiles = grid.unflatten(2, (count, window)).unflatten(1, (count, window))
    return tiles.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def join_windows(windows: Tensor, window: int, side: int) -> Tensor:
    """Join windows to one map again: the inverse of `split_windows`."""
    count = side // window
    tiles = windows.unflatten(2, (window, window)).unflatten(1, (count, count))
    return tiles.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def shifted_window_mask(side: int, window: int, shift: int) -> Tensor:
    """Mask [W, N, N] of a rolled image: tokens of one window that come from different regions do not attend."""
    region = torch.zeros(side)
    region[side - window : side - shift] = 1
    region[side - shift :] = 2
    regions = split_windows((3 * region[:, None] + region[None])[None, :, :, None], window)[0, :, :, 0]
    return FORBIDDEN * (regions[:, None] != regions[:, :, None]).float()
