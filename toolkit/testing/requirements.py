"""How a check reports what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from toolkit.errors import ToolkitError


class ConformanceError(AssertionError):
    """A plugin breaks a contract; the message says which part of it."""


def require(condition: bool, message: str) -> None:
    """Hold something to be so.

    Raises:
        ConformanceError: It is not.
    """
    if not condition:
        raise ConformanceError(message)


def require_shape(tensor: Tensor, shape: tuple[int, ...], what: str) -> None:
    """Hold a tensor to have a shape, finite numbers and a floating type.

    Raises:
        ConformanceError: It has not.
    """
    require(tuple(tensor.shape) == tuple(shape), f"{what} must have shape {list(shape)}, got {list(tensor.shape)}")
    require(tensor.is_floating_point(), f"{what} must be floating point, got {tensor.dtype}")
    require(bool(torch.isfinite(tensor).all()), f"{what} holds NaN or infinity")


def require_equal(first: Tensor, second: Tensor, what: str) -> None:
    """Hold two tensors to be the same to the bit.

    Raises:
        ConformanceError: They are not.
    """
    require(first.shape == second.shape, f"{what}: shapes {list(first.shape)} and {list(second.shape)} differ")
    require(torch.equal(first, second), f"{what}: differs by up to {_difference(first, second):.3g}, must not at all")


def require_close(first: Tensor, second: Tensor, what: str, tolerance: float = 1e-3) -> None:
    """Hold two tensors to agree within `tolerance` times their scale (at least 1).

    Raises:
        ConformanceError: They do not.
    """
    require(first.shape == second.shape, f"{what}: shapes {list(first.shape)} and {list(second.shape)} differ")
    scale = max(1.0, float(second.detach().abs().max())) if second.numel() else 1.0
    difference = _difference(first, second)
    require(difference <= tolerance * scale, f"{what}: differs by {difference:.3g}, allowed {tolerance * scale:.3g}")


@contextmanager
def refusal(what: str) -> Iterator[None]:
    """Hold the block to raise a `ToolkitError`.

    Raises:
        ConformanceError: It raises nothing, or something else.
    """
    try:
        yield
    except ToolkitError:
        return
    except Exception as error:
        raise ConformanceError(f"{what} must raise a ToolkitError, raised {type(error).__name__}: {error}") from error
    raise ConformanceError(f"{what} must raise a ToolkitError, raised nothing")


def _difference(first: Tensor, second: Tensor) -> float:
    return float((first.detach() - second.detach()).abs().max()) if first.numel() else 0.0
