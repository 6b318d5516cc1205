"""The residual trunk that face recognisers and inversion encoders share: IR units, with or without attention (IR-SE).

Parameter names are those of the published files (`input_layer.*`, `body.<n>.*`), so that these load as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, islice

import torch
from torch import Tensor, nn

from toolkit.errors import ConfigError

STAGES = 4
"""Stages of a trunk; each halves the side and all but the first double the width."""
UNITS = {50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 152: (3, 8, 36, 3)}
"""Residual units per stage by the depth that the literature names (its "IR-101" is 100 here)."""
WIDTH = 64
DEEPEST = 2**STAGES
"""Factor between the sides of the input and of the deepest map."""
SQUEEZE = 16
"""Factor by which the attention's hidden layer is narrower."""


class SqueezeExcitation(nn.Module):
    """Attention over channels: each is scaled by what the means of all channels say."""

    def __init__(self, channels: int) -> None:
        """Lay out two 1x1 convolutions without bias."""
        super().__init__()
        hidden = max(1, channels // SQUEEZE)
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.fc2 = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of x [B, C, H, W]."""
        means = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(means))))


class Subsampling(nn.Module):
    """Every stride-th pixel, from the first on."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Thin out x [B, C, H, W]."""
        return x if self.stride == 1 else x[..., :: self.stride, :: self.stride]


class ResidualUnit(nn.Module):
    """BN, convolution, PReLU, strided convolution, BN (and attention), beside a shortcut; nothing after their sum."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, attention: bool) -> None:
        """Lay out the residual and the shortcut, which has weights only where the width changes."""
        super().__init__()
        layers: list[nn.Module] = [
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        if attention:
            layers.append(SqueezeExcitation(outputs))
        self.res_layer = nn.Sequential(*layers)
        self.shortcut_layer: nn.Module = Subsampling(stride)
        if inputs != outputs:
            convolution = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.shortcut_layer = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, inputs, H, W] to [B, outputs, ceil(H / stride), ceil(W / stride)]."""
        result: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return result


class ResidualTrunk(nn.Module):
    """Stem and four stages of residual units; networks derive from it and add their own ends.

    For an input of side S the stages end at sides S/2, S/4, S/8, S/16 with width, 2, 4, 8 times `width` channels.
    """

    def __init__(
        self,
        in_channels: int = 3,
        width: int = WIDTH,
        units: Sequence[int] = UNITS[50],
        *,
        attention: bool = True,
    ) -> None:
        """Lay out the trunk.

        Args:
            in_channels: Channels of the input.
            width: Channels of the stem and the first stage (64 in the literature).
            units: Residual units per stage, at least 1 each.
            attention: Whether units have a squeeze-and-excitation block.

        Raises:
            ConfigError: An impossible size.
        """
        super().__init__()
        if len(units) != STAGES or min(units) < 1:
            raise ConfigError(f"a trunk has {STAGES} stages of at least 1 unit, got {list(units)}")
        if width < 1 or in_channels < 1:
            raise ConfigError(f"a trunk needs at least 1 channel, got width {width} and in_channels {in_channels}")
        self.widths = tuple(width * 2**stage for stage in range(STAGES))
        self.stage_ends = tuple(end - 1 for end in accumulate(units))
        """Index of the last unit of each stage."""
        self.input_layer = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.PReLU(width)
        )
        body, inputs = [], width
        for outputs, count in zip(self.widths, units, strict=True):
            for index in range(count):
                body.append(ResidualUnit(inputs, outputs, 2 if index == 0 else 1, attention=attention))
                inputs = outputs
        self.body = nn.Sequential(*body)

    def taps(self, image: Tensor, units: Sequence[int]) -> list[Tensor]:
        """Outputs of some units.

        Args:
            image: [B, in_channels, S, S], images in [-1, 1]; S a multiple of 16.
            units: Indices, rising (one may come twice); units after the last are not computed.

        Returns:
            One map per index.
        """
        x, found = self.input_layer(image), []
        for index, unit in enumerate(islice(self.body, units[-1] + 1)):
            x = unit(x)
            found += [x] * list(units).count(index)
        return found

    def pyramid(self, image: Tensor) -> list[Tensor]:
        """Outputs of the four stages for an image [B, in_channels, S, S]."""
        return self.taps(image, self.stage_ends)

    def deepest(self, image: Tensor) -> Tensor:
        """Output [B, 8 width, S/16, S/16] of the last unit."""
        return self.taps(image, self.stage_ends[-1:])[0]


def warm_start(trunk: ResidualTrunk, recogniser: dict[str, Tensor]) -> None:
    """Start a trunk from a face recogniser's weights, as the published trainings do.

    A stem with more than three channels gets the recogniser's kernel for the first three; the others keep their first
    values (the published code draws those from N(0, 1) unscaled, which says little for them).

    Args:
        trunk: Changed in place.
        recogniser: State dict with the trunk's names, e.g. of `irse50_arcface`; what follows the trunk is ignored.

    Raises:
        ConfigError: A weight of the trunk is missing there or has another shape.
    """
    own = {key: value for key, value in trunk.state_dict().items() if key.startswith(("input_layer.", "body."))}
    with torch.no_grad():
        for key, value in own.items():
            given = recogniser.get(key)
            if given is None and key.endswith("num_batches_tracked"):
                continue
            part = value[:, : given.shape[1]] if given is not None and key == "input_layer.0.weight" else value
            if given is None or given.shape != part.shape:
                found = "missing" if given is None else f"of shape {list(given.shape)}"
                raise ConfigError(f"the trunk cannot start from these weights: {key} is {found}")
            part.copy_(given)
