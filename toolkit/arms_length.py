"""Functions of strangers' parts: they run contained, write into none of their inputs, and give what they promise."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.errors import PluginError
from toolkit.registration import Registration

Check = Callable[[Any, Sequence[Any]], str]
"""From what a function gave, and its inputs, to what is wrong; empty: nothing."""
Part = TypeVar("Part")


def guarded(part: Part, made_by: Registration, checks: dict[str, Check]) -> Part:
    """Put functions of a stranger's part at arm's length, in place; a part that ships is left as it is.

    Args:
        part: Its attributes may be set.
        made_by: Whose part it is.
        checks: By function; those that the part lacks are passed over.
    """
    if made_by.is_strangers:
        for name, check in checks.items():
            if callable(getattr(type(part), name, None)):
                setattr(part, name, functools.partial(asked, made_by, name, getattr(part, name), check))
    return part


def asked(made_by: Registration, name: str, function: Callable[..., Any], check: Check, *given: Any) -> Any:
    """What a stranger's function gives.

    Raises:
        PluginError: It fails, writes into its inputs, or gives something else than it promises.
    """
    found = contained_call(made_by, name, function, given)
    why = check(found, given)
    if why:
        raise PluginError(f"{made_by.whose}: `{name}` gave {why}")
    return found


def contained_call(
    made_by: Registration,
    name: str,
    function: Callable[..., Any],
    given: Sequence[Any],
    options: dict[str, Any] | None = None,
) -> Any:
    """What a function returns; its errors are named, and what it changes in the process is undone.

    Raises:
        PluginError: It fails, or writes into what it was given.
    """
    options = options or {}
    inputs = [tensor for each in (*given, *options.values()) for tensor in _tensors(each)]
    before = [_version(each) for each in inputs]
    with made_by.running():
        found = function(*given, **options)
    if before != [_version(each) for each in inputs]:
        raise PluginError(f"{made_by.whose} wrote into what `{name}` was given")
    return found


def fault_of_tensor(found: object, given: Sequence[Any], shape: Sequence[int | None] | None = None) -> str:
    """What is wrong with what must be a tensor of floats; empty: nothing.

    Args:
        found: NaN is a fault where the inputs are finite.
        given: The function's inputs.
        shape: What it should have; None: any, also for single sizes.
    """
    if not isinstance(found, Tensor) or not found.is_floating_point():
        return kind_of(found)
    if shape is not None and not _fits(found, shape):
        return f"{list(found.shape)} instead of [{', '.join('any' if size is None else str(size) for size in shape)}]"
    finite = is_finite(found) or not all(is_finite(tensor) for each in given for tensor in _tensors(each))
    return "" if finite else "NaN or infinity"


def fault_of_gradient(found: Tensor, wanted: bool) -> str:
    """What is wrong where a gradient is wanted; empty: nothing."""
    return "a tensor that carries no gradient" if torch.is_grad_enabled() and wanted and not found.requires_grad else ""


def kind_of(found: object) -> str:
    """What something is, for messages."""
    return f"a tensor of {found.dtype}" if isinstance(found, Tensor) else f"a {type(found).__name__}"


def is_finite(tensor: Tensor) -> bool:
    """Whether no number is NaN or infinite; tensors without numbers (torch's device `meta`) count as finite."""
    return tensor.is_meta or not tensor.is_floating_point() or bool(torch.isfinite(tensor.detach()).all())


def _fits(found: Tensor, shape: Sequence[int | None]) -> bool:
    same = found.ndim == len(shape)
    return same and all(want is None or have == want for have, want in zip(found.shape, shape, strict=True))


def _tensors(given: Any) -> list[Tensor]:
    if isinstance(given, Camera):
        return [given.label]
    if isinstance(given, (tuple, list)):
        return [each for each in given if isinstance(each, Tensor)]
    return [given] if isinstance(given, Tensor) else []


def _version(tensor: Tensor) -> int:
    """A number that rises whenever a tensor is written to; tensors of inference mode have none."""
    return 0 if tensor.is_inference() else tensor._version
