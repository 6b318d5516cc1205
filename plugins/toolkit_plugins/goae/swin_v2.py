"""Swin Transformer V2 as a trunk: windowed cosine attention with continuous position bias, four stages.

Names of parameters and buffers are those of the published files (without the classifier).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from toolkit.errors import ConfigError, InputError
from toolkit_plugins.goae.window_attention import WindowAttention, join_windows, shifted_window_mask, split_windows

STAGES = 4
MLP_RATIO = 4
_PHASES = ((0, 0), (1, 0), (0, 1), (1, 1))
"""Rows and columns of the four tokens that patch merging puts side by side, in this order."""


@dataclass(frozen=True)
class SwinSettings:
    """Sizes; the defaults are the base model fine-tuned at 256 px."""

    image_size: int = 256
    patch: int = 4
    width: int = 128
    """Channels of the first stage; they double from stage to stage."""
    depths: tuple[int, ...] = (2, 2, 18, 2)
    heads: tuple[int, ...] = (4, 8, 16, 32)
    window: int = 16
    """Side of a window in tokens, cut down to the stage's side."""
    pretrained_windows: tuple[int, ...] = (12, 12, 12, 6)
    """Windows of the training that position biases are measured in."""
    drop_path: float = 0.2
    """Probability that the last block's residuals are dropped while training; it grows linearly from 0 at the first."""

    def __post_init__(self) -> None:
        """Check that everything divides.

        Raises:
            ConfigError: A size does not fit.
        """
        for name in ("depths", "heads", "pretrained_windows"):
            values = getattr(self, name)
            if len(values) != STAGES or min(values) < 1:
                raise ConfigError(f"swin {name} must be {STAGES} numbers of at least 1, got {list(values)}")
        deepest = self.patch * 2 ** (STAGES - 1)
        if self.image_size % deepest or self.image_size < deepest:
            raise ConfigError(f"swin image_size must be a multiple of {deepest}, got {self.image_size}")
        for stage in range(STAGES):
            if self.sides[stage] % self.windows[stage]:
                raise ConfigError(f"swin window {self.window} does not divide the {self.sides[stage]} tokens of a row")
            if self.widths[stage] % self.heads[stage]:
                raise ConfigError(f"swin width {self.widths[stage]} is not a multiple of {self.heads[stage]} heads")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(self.width * 2**stage for stage in range(STAGES))

    @property
    def sides(self) -> tuple[int, ...]:
        """Tokens per row of each stage."""
        return tuple(self.image_size // (self.patch * 2**stage) for stage in range(STAGES))

    @property
    def windows(self) -> tuple[int, ...]:
        """Side of each stage's windows."""
        return tuple(min(self.window, side) for side in self.sides)


class SwinTokens(NamedTuple):
    """Tokens [B, N, C], row by row, for the settings' sides and widths."""

    inputs: tuple[Tensor, ...]
    """What goes into each of the four stages; the first is the patch embedding."""
    final: Tensor
    """What the last stage gives, normalised."""


class PatchEmbedding(nn.Module):
    """One token per patch of the image."""

    def __init__(self, patch: int, width: int) -> None:
        """Lay out the convolution and the norm."""
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)
        self.norm = nn.LayerNorm(width)

    def forward(self, image: Tensor) -> Tensor:
        """Image [B, 3, S, S] to tokens [B, (S / patch)^2, width]."""
        tokens: Tensor = self.norm(self.proj(image).flatten(2).transpose(1, 2))
        return tokens


class PatchMerging(nn.Module):
    """Every 2 x 2 tokens become one of twice the width."""

    def __init__(self, width: int) -> None:
        """Lay out the reduction, and the norm after it."""
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(2 * width)

    def forward(self, tokens: Tensor, side: int) -> Tensor:
        """Tokens [B, side^2, C] to [B, side^2 / 4, 2 C]."""
        grid = tokens.unflatten(1, (side, side))
        phases = torch.cat([grid[:, row::2, column::2] for row, column in _PHASES], dim=-1)
        merged: Tensor = self.norm(self.reduction(phases.flatten(1, 2)))
        return merged


class Mlp(nn.Module):
    """Two layers with a GELU between them."""

    def __init__(self, width: int) -> None:
        """Lay out the layers."""
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [..., width] to the same shape."""
        mapped: Tensor = self.fc2(self.act(self.fc1(x)))
        return mapped


class SwinBlock(nn.Module):
    """Windowed attention and an MLP, each normalised after it and added to what went in."""

    attn_mask: Tensor | None

    def __init__(
        self, width: int, heads: int, side: int, window: int, pretrained_window: int, *, shifted: bool, drop: float
    ) -> None:
        """Lay out the block; `shifted` moves windows by half their side, `drop` is how probable no residual is."""
        super().__init__()
        self.side, self.window, self.drop = side, window, drop
        self.shift = window // 2 if shifted else 0
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window, pretrained_window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)
        self.register_buffer("attn_mask", shifted_window_mask(side, window, self.shift) if self.shift else None)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens [B, side^2, C] to the same shape."""
        tokens = tokens + self._kept(self.norm1(self._attend(tokens)))
        return tokens + self._kept(self.norm2(self.mlp(tokens)))

    def _attend(self, tokens: Tensor) -> Tensor:
        grid = tokens.unflatten(1, (self.side, self.side))
        if self.shift:
            grid = grid.roll((-self.shift, -self.shift), dims=(1, 2))
        attended = self.attn(split_windows(grid, self.window), self.attn_mask)
        grid = join_windows(attended, self.window, self.side)
        if self.shift:
            grid = grid.roll((self.shift, self.shift), dims=(1, 2))
        return grid.flatten(1, 2)

    def _kept(self, residual: Tensor) -> Tensor:
        if not self.training or self.drop == 0:
            return residual
        keep = torch.rand(residual.shape[0], 1, 1, device=residual.device) >= self.drop
        return residual * keep / (1 - self.drop)


class SwinStage(nn.Module):
    """Blocks of one size, and the merging that leads to the next stage."""

    def __init__(self, settings: SwinSettings, stage: int) -> None:
        """Lay out a stage."""
        super().__init__()
        side, window, width = settings.sides[stage], settings.windows[stage], settings.widths[stage]
        first, total = sum(settings.depths[:stage]), max(sum(settings.depths) - 1, 1)
        self.side = side
        self.blocks = nn.ModuleList(
            SwinBlock(
                width,
                settings.heads[stage],
                side,
                window,
                settings.pretrained_windows[stage],
                shifted=index % 2 == 1 and side > window,
                drop=settings.drop_path * (first + index) / total,
            )
            for index in range(settings.depths[stage])
        )
        self.downsample = PatchMerging(width) if stage < STAGES - 1 else None

    def forward(self, tokens: Tensor) -> Tensor:
        """Map this stage's tokens to the next stage's (the last stage: to its own)."""
        for block in self.blocks:
            tokens = block(tokens)
        return tokens if self.downsample is None else self.downsample(tokens, self.side)


def _renew_after_loading(trunk: SwinTransformer, _: object) -> None:
    """A named function, because a module with a lambda cannot be pickled."""
    trunk.renew_buffers()


class SwinTransformer(nn.Module):
    """The trunk; its buffers follow from the sizes, so a loaded file's are put aside for computed ones."""

    def __init__(self, settings: SwinSettings | None = None) -> None:
        """Lay out the trunk (None: base, 256 px)."""
        super().__init__()
        self.settings = settings or SwinSettings()
        self.patch_embed = PatchEmbedding(self.settings.patch, self.settings.width)
        self.layers = nn.ModuleList(SwinStage(self.settings, stage) for stage in range(STAGES))
        self.norm = nn.LayerNorm(self.settings.widths[-1])
        self.register_load_state_dict_post_hook(_renew_after_loading)

    @torch.no_grad()
    def renew_buffers(self) -> None:
        """Compute every buffer again."""
        for module in self.modules():
            if isinstance(module, WindowAttention):
                module.renew_buffers()
            elif isinstance(module, SwinBlock) and module.attn_mask is not None:
                module.attn_mask.copy_(shifted_window_mask(module.side, module.window, module.shift))

    def forward(self, image: Tensor) -> SwinTokens:
        """Tokens of an image [B, 3, S, S] in [-1, 1].

        Raises:
            InputError: Another size than the settings'.
        """
        side = self.settings.image_size
        if image.ndim != 4 or tuple(image.shape[1:]) != (3, side, side):
            raise InputError(f"the transformer takes images [B, 3, {side}, {side}], got {list(image.shape)}")
        tokens, inputs = self.patch_embed(image), []
        for layer in self.layers:
            inputs.append(tokens)
            tokens = layer(tokens)
        return SwinTokens(tuple(inputs), self.norm(tokens))
