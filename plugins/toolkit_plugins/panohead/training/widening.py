"""Start a wider generator from a trained narrower one, without changing what it renders.

Growing late is cheaper than being wide from the start: most of what the first steps learn needs no width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from toolkit.errors import InputError
from toolkit_plugins.panohead.generator import PanoHead


@torch.no_grad()
def widen(narrow: PanoHead, wide: PanoHead) -> None:
    """Fill `wide` with the weights of `narrow`, so that both render the same.

    New channels keep their random weights but nothing old reads them yet: the weights that lead from them to old
    channels, and to the planes, are zero.

    Raises:
        InputError: `wide` lacks a tensor of `narrow`, or has a smaller one.
    """
    old, new = narrow.state_dict(), wide.state_dict()
    for name, source in old.items():
        target = new.get(name)
        if target is None or target.ndim != source.ndim or any(a < b for a, b in zip(target.shape, source.shape)):
            found = "none" if target is None else str(list(target.shape))
            raise InputError(f"cannot start from these weights: {name} has shape {list(source.shape)}, here {found}")
        _fill(name, source, target)


def _fill(name: str, source: Tensor, target: Tensor) -> None:
    """Copy `source` into the corner of `target`; old outputs read zeros from new inputs."""
    if source.shape == target.shape:
        target.copy_(source)
        return
    outputs = source.shape[0]
    if source.ndim == 4:
        inputs = source.shape[1]
        target[:outputs, inputs:] = 0
        # a layer without demodulation divides by the root of its inputs
        gain = math.sqrt(target.shape[1] / inputs) if "torgb" in name else 1.0
        target[:outputs, :inputs] = source * gain
    else:
        target[tuple(slice(0, length) for length in source.shape)] = source
