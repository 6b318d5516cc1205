"""pSp's simpler encoders, which read everything from the trunk's last map."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from toolkit.encoders.networks.irse import UNITS, WIDTH, ResidualTrunk
from toolkit.errors import ConfigError
from toolkit.nn.dense import Dense

POOLED_SIDE = 7


@dataclass(frozen=True)
class LastLayerConfig:
    """Sizes; the defaults are the published ones."""

    styles: int = 14
    """Style vectors; into W: how often the one vector is repeated."""
    style_dim: int = 512
    width: int = WIDTH
    units: tuple[int, ...] = UNITS[50]
    in_channels: int = 3

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            ConfigError: An impossible value.
        """
        object.__setattr__(self, "units", tuple(self.units))  # JSON has lists
        if self.styles < 1 or self.style_dim < 1:
            raise ConfigError(f"styles and style_dim must be at least 1, got {self.styles} and {self.style_dim}")


class LastLayerW(ResidualTrunk):
    """Into W: the mean of the last map, then a dense layer."""

    def __init__(self, config: LastLayerConfig) -> None:
        """Lay out the network; `styles` is of no interest here."""
        super().__init__(config.in_channels, config.width, config.units)
        self.config = config
        self.linear = Dense(self.widths[-1], config.style_dim)

    def forward(self, image: Tensor) -> Tensor:
        """Offset [B, style_dim] from the average w, for images [B, 3, S, S] in [-1, 1]."""
        result: Tensor = self.linear(self.deepest(image).mean(dim=(2, 3)))
        return result


class LastLayerWPlus(ResidualTrunk):
    """Into W+: the last map at 7x7, an ordinary dense layer, then one that makes all styles."""

    def __init__(self, config: LastLayerConfig) -> None:
        """Lay out the network."""
        super().__init__(config.in_channels, config.width, config.units)
        self.config = config
        deep = self.widths[-1]
        self.output_layer_2 = nn.Sequential(
            nn.BatchNorm2d(deep),
            nn.AdaptiveAvgPool2d(POOLED_SIDE),
            nn.Flatten(),
            nn.Linear(deep * POOLED_SIDE**2, config.style_dim),
        )
        self.linear = Dense(config.style_dim, config.style_dim * config.styles)

    def forward(self, image: Tensor) -> Tensor:
        """Offsets [B, styles, style_dim] from the average w, for images [B, 3, S, S] in [-1, 1]."""
        codes: Tensor = self.linear(self.output_layer_2(self.deepest(image)))
        return codes.reshape(-1, self.config.styles, self.config.style_dim)
