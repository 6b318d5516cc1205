"""Perceptual distances behind one small seam: embed each image once, compare embeddings.

Plugins offer them by name with the hook `register_perceptual_distances`. `pyramid` needs no weights; `lpips-vgg` and
`lpips-alex` take the `lpips` package's calibration and a trunk file that the user has, named or in the store. Nothing
is ever downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from toolkit.arms_length import fault_of_gradient, fault_of_tensor, guarded, kind_of
from toolkit.errors import ConfigError, PluginError, WeightsError
from toolkit.interfaces import Perceptual
from toolkit.losses.lpips_network import TRUNKS, lpips_network
from toolkit.losses.pyramid import feature_difference, pyramid_features
from toolkit.registry import Registration, default_registry, unknown_name
from toolkit.weights.store import found_weights, how_to_get


class Pyramid:
    """Laplacian bands and edges (see `toolkit.losses.pyramid`)."""

    name = "pyramid"

    def embed(self, image: Tensor) -> tuple[Tensor, ...]:
        """Embed images [B, 3, H, W] in [-1, 1]."""
        return pyramid_features(image)

    def distance(self, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
        """Summed mean absolute differences, a scalar >= 0."""
        return feature_difference(first, second)


class Lpips(Module):
    """LPIPS by the `lpips` package's layers, v0.1, on images at the size they come in.

    The package compares pairs; here an image that stays the same is embedded once for all steps of an optimisation.
    """

    def __init__(self, net: str, trunk: Path) -> None:
        """Read the trunk's weights from a local file.

        Args:
            net: 'vgg' or 'alex'.
            trunk: torchvision's ImageNet weights of that network (.pth or .safetensors).

        Raises:
            MissingDependencyError: The `lpips` package is not installed.
            WeightsError: The file is missing, damaged or of another network.
        """
        super().__init__()
        self.name = f"lpips-{net}"
        network = lpips_network(net, trunk)
        self.scaling: Module = network.scaling_layer
        self.trunk: Module = network.net
        roots = [linear.model[-1].weight.detach().clamp_min(0).sqrt() for linear in network.lins]
        self.calibration = torch.nn.ParameterList(roots)
        self.eval().requires_grad_(False)

    def embed(self, image: Tensor) -> tuple[Tensor, ...]:
        """Embed images [B, 3, H, W] in [-1, 1]: unit features, scaled so that plain squares make LPIPS."""
        parts = []
        for layer, root in zip(self.trunk(self.scaling(image)), self.calibration, strict=True):
            unit = layer / (layer.square().sum(1, keepdim=True).add(1e-20).sqrt() + 1e-10)  # no NaN where all is 0
            parts.append(unit * root)
        return tuple(parts)

    def distance(self, first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
        """LPIPS, mean over images."""
        squares = [(a - b).square().sum(1).mean((1, 2)) for a, b in zip(first, second, strict=True)]
        return torch.stack(squares).sum(0).mean()


def open_pyramid(trunk: Path | None = None) -> Perceptual:
    """Build `pyramid`, which has no trunk."""
    return Pyramid()


def open_lpips_vgg(trunk: Path | None = None) -> Perceptual:
    """Build LPIPS on VGG16 (see `Lpips`)."""
    return _open_lpips("vgg", trunk)


def open_lpips_alex(trunk: Path | None = None) -> Perceptual:
    """Build LPIPS on AlexNet (see `Lpips`)."""
    return _open_lpips("alex", trunk)


def _open_lpips(net: str, trunk: Path | None) -> Perceptual:
    trunk = trunk or found_weights(TRUNKS[net])
    if trunk is None:
        raise WeightsError(
            f"perceptual distance 'lpips-{net}' needs torchvision's ImageNet weights of {TRUNKS[net]}: "
            f"{how_to_get(TRUNKS[net])}; or name a file with the option 'trunk', or choose perceptual 'pyramid', "
            "which needs no weights"
        )
    return Lpips(net, trunk)


_KIND = "perceptual_distance"


def perceptual_names() -> list[str]:
    """All distances that `open_perceptual` knows."""
    return [entry.name for entry in default_registry().of_kind(_KIND)]


def open_perceptual(name: str, trunk: Path | None = None, device: torch.device | str = "cpu") -> Perceptual:
    """Build a perceptual distance.

    Args:
        name: One of `perceptual_names()`.
        trunk: Weights file of the feature network, for those that have one.
        device: Where to compute.

    Raises:
        ConfigError: Unknown name.
        WeightsError: The weights that it needs are not there.
        MissingDependencyError: A package that it needs is not installed.
        PluginError: It is a stranger's, and fails.
    """
    perceptual = _built(_registered(name), trunk)
    if isinstance(perceptual, Module):
        perceptual.to(device)
    return perceptual


def _registered(name: str) -> Registration:
    known = perceptual_names()
    if name not in known:
        raise ConfigError(unknown_name("perceptual distance", name, known))
    return default_registry().get(_KIND, name)


def _built(entry: Registration, trunk: Path | None) -> Perceptual:
    """What a registration makes; what a stranger's functions give is checked at every call."""
    perceptual: Perceptual = entry.build(trunk)
    if not isinstance(perceptual, Perceptual):
        raise PluginError(f"{entry.whose} makes a {type(perceptual).__name__}, which lacks name, embed or distance")
    guarded(perceptual, entry, {"embed": _fault_of_embedding, "distance": fault_of_loss})
    return perceptual


def fault_of_loss(found: Any, given: Sequence[Any]) -> str:
    """What is wrong with a loss of given images, or of embeddings; empty: nothing."""
    firsts = given[0] if isinstance(given[0], (tuple, list)) else given[:1]
    return fault_of_tensor(found, given, ()) or fault_of_gradient(found, any(each.requires_grad for each in firsts))


def _fault_of_embedding(found: Any, given: Sequence[Any]) -> str:
    if not isinstance(found, (tuple, list)) or not found:
        return f"{kind_of(found)}, not a tuple of tensors"
    wrong = next(filter(None, (fault_of_tensor(each, given) for each in found)), "")
    if wrong:
        return wrong
    first = next((each for each in found if each.requires_grad), found[0])
    return fault_of_gradient(first, given[0].requires_grad)
