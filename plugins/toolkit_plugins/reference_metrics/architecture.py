"""Recognises the published trunks of LPIPS and the Inception of FID, and builds the networks that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torchvision
from torch import Tensor, nn

from toolkit.errors import ConfigError
from toolkit.weights.shapes import Shapes
from toolkit_plugins.reference_metrics.inception import Inception

_HEADS = tuple(f"classifier.{layer}.{name}" for layer in (0, 1, 3, 4, 6) for name in ("weight", "bias"))


class Trunk(nn.Module):
    """The convolutions of a classifier, under its own names."""

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, image: Tensor) -> Tensor:
        """The last map [B, C, h, w] of normalised images [B, 3, H, W]."""
        result: Tensor = self.features(image)
        return result


class AlexNetArchitecture:
    """Kind `alexnet`: torchvision's; the classifier is left out."""

    kind = "alexnet"
    extra_keys = _HEADS

    def recognises(self, shapes: Shapes) -> bool:
        """By the first convolution, 11 x 11."""
        return shapes.get("features.0.weight") == (64, 3, 11, 11)

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> Trunk:
        """The trunk, which has one size."""
        _no_settings(self.kind, config)
        return Trunk(torchvision.models.alexnet(weights=None).features)


class Vgg16Architecture:
    """Kind `vgg16`: torchvision's without batch normalisation; the classifier is left out."""

    kind = "vgg16"
    extra_keys = _HEADS

    def recognises(self, shapes: Shapes) -> bool:
        """By its first convolution and its thirteenth."""
        return shapes.get("features.0.weight") == (64, 3, 3, 3) and shapes.get("features.28.weight") == (512, 512, 3, 3)

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> Trunk:
        """The trunk, which has one size."""
        _no_settings(self.kind, config)
        return Trunk(torchvision.models.vgg16(weights=None).features)


class InceptionArchitecture:
    """Kind `inception`: the network of FID, with TensorFlow's weights under torchvision's names."""

    kind = "inception"

    def recognises(self, shapes: Shapes) -> bool:
        """By its 1008 classes; torchvision's own Inception has 1000."""
        return shapes.get("fc.weight") == (1008, 2048) and "Mixed_7c.branch_pool.conv.weight" in shapes

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> nn.Module:
        """The network, which has one size."""
        _no_settings(self.kind, config)
        network: nn.Module = Inception().net
        return network


class LpipsLayersArchitecture:
    """Kind `lpips_layers`: the weights of LPIPS's five distances, of whichever trunk."""

    kind = "lpips_layers"

    def recognises(self, shapes: Shapes) -> bool:
        """By nothing but five weighted sums."""
        return set(shapes) == {f"lin{index}.model.1.weight" for index in range(5)}

    def build(self, state_dict: Mapping[str, Tensor], config: Mapping[str, Any] | None = None) -> nn.Module:
        """Five convolutions of the widths that the file has."""
        _no_settings(self.kind, config)
        layers = nn.Module()
        for index in range(5):
            width = state_dict[f"lin{index}.model.1.weight"].shape[1]
            layer = nn.Module()
            layer.model = nn.Sequential(nn.Identity(), nn.Conv2d(width, 1, 1, bias=False))
            layers.add_module(f"lin{index}", layer)
        return layers


def _no_settings(kind: str, config: Mapping[str, Any] | None) -> None:
    if config:
        raise ConfigError(f"architecture {kind!r} has no settings, got {', '.join(config)}")
