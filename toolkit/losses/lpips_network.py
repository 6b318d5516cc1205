"""The `lpips` package's networks, with trunks from local files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch.nn import Module

from toolkit.errors import MissingDependencyError, WeightsError
from toolkit.weights.opening import open_state_dict

TRUNKS = {"vgg": "vgg16", "alex": "alexnet"}
"""Per LPIPS network: torchvision's name for the trunk, which is also that of its weights in the store."""


def _lpips_package(net: str) -> Any:
    try:
        import lpips  # slow to import, and an optional package
    except ImportError as error:
        raise MissingDependencyError("lpips", f"perceptual distance 'lpips-{net}'", "perceptual") from error
    return lpips


def lpips_network(net: str, trunk: Path) -> Any:
    """The `lpips` package's own network, v0.1, frozen: from pairs [B, 3, H, W] in [-1, 1] to LPIPS [B, 1, 1, 1].

    Args:
        net: 'vgg' or 'alex'.
        trunk: torchvision's ImageNet weights of that network (.pth or .safetensors).

    Raises:
        MissingDependencyError: The `lpips` package is not installed.
        WeightsError: The file is missing, damaged or of another network.
    """
    lpips = _lpips_package(net)
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # torchvision deprecates the argument that lpips passes
        # pnet_rand: random trunk, so that torchvision does not download; its weights are replaced at once
        network = lpips.LPIPS(net=net, version="0.1", pnet_rand=True, verbose=False)
    _load_trunk(network.net, net, trunk)
    return network.eval().requires_grad_(False)


def _load_trunk(network: Module, net: str, path: Path) -> None:
    weights = open_state_dict(path)
    own = network.state_dict()
    found = {}
    for key, value in own.items():
        layer = key.split(".", 1)[1]  # 'slice3.10.weight' stands for torchvision's 'features.10.weight'
        source = weights.get(f"features.{layer}")
        if source is None or source.shape != value.shape:
            raise WeightsError(f"{path} does not hold torchvision's {TRUNKS[net]}: no fitting 'features.{layer}'")
        found[key] = source
    network.load_state_dict(found)
