"""What a run keeps of an inversion: thousands of heads fill a disk with planes that can be made again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from toolkit.inversion import Inversion

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

Keep = Literal["exact", "half", "codes", "all"]
"""How much of an inversion is kept.

- exact: everything, but planes that the generator makes again from the code, bit by bit;
- half: other planes, weight differences and extra tensors in 16 bit; whatever is measured is measured on those;
- codes: the code alone where the generator makes the planes from it; else nothing: the method inverts again on need;
- all: everything.
"""
KEEPS: tuple[Keep, ...] = get_args(Keep)


def save_kept(inversion: Inversion, folder: Path, generator: Generator, keep: Keep) -> bool:
    """Write an inversion into a folder as `keep` says.

    Args:
        inversion: As the method made it.
        folder: Where to.
        generator: Its generator.
        keep: How much.

    Returns:
        Whether it can be read again; otherwise nothing was written.

    Raises:
        InputError: It holds NaN or infinity, or is not of this generator.
        OutputError: The folder cannot be written.
    """
    kept = inversion if keep == "all" else without_planes(inversion, generator)
    if keep == "codes" and (kept.planes.numel() or kept.tuned is not None):
        return False
    if keep == "codes":
        kept = replace(kept, extra={})
    if keep == "half":
        kept = in_half_precision(kept)
    kept.save(folder)
    return True


def without_planes(inversion: Inversion, generator: Generator) -> Inversion:
    """The same inversion without planes, if the generator (tuned, where it is) makes them again exactly."""
    shown = inversion.tuned_generator(generator)
    with torch.no_grad():
        again = shown.planes(inversion.ws.to(shown.device))
    if again.shape != inversion.planes.shape or not torch.equal(again, inversion.planes.to(again)):
        return inversion
    return replace(inversion, planes=inversion.planes.new_zeros(len(inversion.ws), 0))


def in_half_precision(inversion: Inversion) -> Inversion:
    """Planes, weight differences and extra tensors in 16 bit; codes stay as they are. Reading gives 32 bit again."""
    tuned = None if inversion.tuned is None else {name: _half(delta) for name, delta in inversion.tuned.items()}
    extra = {name: _half(tensor) for name, tensor in inversion.extra.items()}
    return replace(inversion, planes=_half(inversion.planes), tuned=tuned, extra=extra)


def _half(tensor: Tensor) -> Tensor:
    """16 bit, of the kind whose range holds the values."""
    if not tensor.is_floating_point():
        return tensor
    return tensor.half() if tensor.numel() == 0 or tensor.abs().max() < 6e4 else tensor.bfloat16()
