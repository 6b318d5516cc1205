"""Generators of strangers: what their functions raise, print or change is named, and what they give is checked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.errors import PluginError
from toolkit.interfaces import Query, Render

if TYPE_CHECKING:
    from toolkit.interfaces import Generator
    from toolkit.registration import Registration

Wanted = dict[str, tuple[int | None, ...]]
"""Shapes of what a function gives, by what it is called; None: any size."""

_inside: ContextVar[bool] = ContextVar("_inside", default=False)
"""Whether a function of a guarded generator is at work."""


def guard_generator(generator: Generator, made_by: Registration) -> Generator:
    """Put a stranger's generator at arm's length (see `toolkit.strangers`), in place; copies of it are guarded, too."""
    for name in ("mapping", "planes", "render", "query"):
        guarded = functools.partial(_asked, generator, made_by, name, getattr(generator, name))
        setattr(generator, name, guarded)
    return generator


def _asked(
    generator: Generator, made_by: Registration, name: str, function: Callable[..., Any], *given: Any, **options: Any
) -> Any:
    """What a function of a generator gives.

    Raises:
        PluginError: It fails, writes into what it was given, or gives something else than it promises.
    """
    if _inside.get():  # it asks itself: what comes of that is looked at as a whole
        return function(*given, **options)
    inputs = [each for each in (*given, *options.values()) if isinstance(each, (Tensor, Camera))]
    tensors = [each.label if isinstance(each, Camera) else each for each in inputs]
    before = [_version(each) for each in tensors]
    token = _inside.set(True)
    try:
        with made_by.running():
            found = function(*given, **options)
    finally:
        _inside.reset(token)
    if before != [_version(each) for each in tensors]:
        raise PluginError(f"{made_by.whose} wrote into what `{name}` was given")
    resolution = options.get("resolution", given[3] if len(given) > 3 else None)
    why = _why_not(found, _wanted(generator, name, resolution), tensors)
    if why:
        raise PluginError(f"{made_by.whose}: `{name}` gave {why}")
    return found


def _version(tensor: Tensor) -> int:
    """A number that rises whenever a tensor is written to; tensors of inference mode have none."""
    return 0 if tensor.is_inference() else tensor._version


def _wanted(generator: Generator, name: str, resolution: int | None) -> Wanted:
    spec = generator.spec
    if name == "mapping":
        return {"ws": (None, spec.latents.num_ws, spec.latents.w_dim)}
    if name == "planes":
        return {"planes": (None, *spec.planes_shape)}
    if name == "query":
        return {"density": (None, None, 1), "features": (None, None, None)}
    side = spec.image_size if resolution is None else None
    return {
        "image": (None, 3, side, side),
        "raw": (None, 3, None, None),
        "depth": (None, 1, None, None),
        "mask": (None, 1, None, None),
    }


def _why_not(found: object, wanted: Wanted, given: list[Tensor]) -> str:
    """What is wrong with what was given; empty: nothing."""
    for name, each in _parts(found, wanted):
        shape = wanted[name]
        if not isinstance(each, Tensor) or not each.is_floating_point():
            kind = f"a tensor of {each.dtype}" if isinstance(each, Tensor) else f"a {type(each).__name__}"
            return f"{kind} as {name}"
        if each.ndim != len(shape) or any(have != want for have, want in zip(each.shape, shape, strict=True) if want):
            shown = ", ".join("any" if size is None else str(size) for size in shape)
            return f"{name} {list(each.shape)}, not [{shown}]"
        if not _is_finite(each) and all(map(_is_finite, given)):
            return f"{name} with NaN or infinity"
    return ""


def _parts(found: object, wanted: Wanted) -> Iterator[tuple[str, object]]:
    if isinstance(found, (Render, Query)) and len(wanted) > 1:
        yield from ((name, getattr(found, name, None)) for name in wanted)
    else:  # one tensor, or nothing that was wanted
        yield next(iter(wanted)), found


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor.detach()).all())
