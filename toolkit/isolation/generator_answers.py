"""What the functions of a stranger's generator must give (see `toolkit.interfaces.generator`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from toolkit.arms_length import fault_of_tensor, kind_of
from toolkit.camera import Camera
from toolkit.interfaces import March, Query, Render

if TYPE_CHECKING:
    from toolkit.interfaces import Generator

Shape = tuple[int | None, ...]
"""None: any size."""

REQUIRED = ("mapping", "planes", "render", "query")
OPTIONAL = (
    "march", "density", "occupied", "footprint", "close", "smooth", "expand", "visible_entries", "merge_slots",
    "as_images", "from_images", "features", "resume", "tunable_parameters", "style_rows", "camera_shift",
    "noise_buffers", "rendered_features", "superresolved", "superresolution_parameters",
)  # fmt: skip
"""Functions of capabilities."""
LISTS = ("tunable_parameters", "noise_buffers", "superresolution_parameters")
"""Functions that give pairs of a name and a tensor, one after the other."""
OCCUPIED = "occupied"
"""The function that gives a function: from points [..., 3] to booleans."""


def fault_of(generator: Generator, name: str, found: object, given: Sequence[Any], resolution: int | None) -> str:
    """What is wrong with what a function gave; empty: nothing.

    Args:
        generator: Whose function it is.
        name: The function's.
        found: What it gave.
        given: Its inputs.
        resolution: Side of the ray grid, where it was asked for one.
    """
    if name == OCCUPIED:
        return "" if callable(found) else f"a {type(found).__name__}, not a function of points"
    if name == "style_rows":
        return "" if isinstance(found, Mapping) else f"a {type(found).__name__}, not rows by part"
    if name in LISTS:
        return _fault_of_list(found)
    if name == "features" and not (isinstance(found, tuple) and len(found) == 2):
        return f"a {type(found).__name__}, not (features, skip image)"
    return _fault_of_parts(_parts(name, found, _shapes(generator, name, given, resolution)), given)


def fault_of_marks(found: object, points: Tensor) -> str:
    """What is wrong with booleans [...] for points [..., 3]; empty: nothing."""
    if not isinstance(found, Tensor) or found.dtype != torch.bool:
        return f"{kind_of(found)}, not booleans"
    return "" if found.shape == points.shape[:-1] else f"marks {list(found.shape)}, not {list(points.shape[:-1])}"


def _fault_of_list(found: object) -> str:
    pairs = found if isinstance(found, list) else [found]
    for each in pairs:
        if not isinstance(each, tuple) or len(each) != 2 or not isinstance(each[1], Tensor):
            return f"a {type(each).__name__}, not pairs of a name and a tensor"
    return ""


def _fault_of_parts(parts: Iterator[tuple[str, object, Shape | None]], given: Sequence[Any]) -> str:
    """What is wrong with the first part that is not as it should be; empty: nothing."""
    for part, value, shape in parts:
        fault = fault_of_tensor(value, given, shape)
        if fault:
            return f"{fault} as {part}"
    return ""


def _parts(name: str, found: object, shapes: Mapping[str, Shape | None]) -> Iterator[tuple[str, object, Shape | None]]:
    """What was given by name, with the shape that each should have."""
    if len(shapes) == 1:
        for part, shape in shapes.items():
            yield part, found, shape
    elif name == "features" and isinstance(found, tuple):
        yield from ((part, value, shape) for (part, shape), value in zip(shapes.items(), found, strict=True))
    else:  # a NamedTuple, or something that has none of its fields
        fields = found._asdict() if isinstance(found, (Render, March, Query)) else {}
        yield from ((part, fields.get(part, found), shape) for part, shape in shapes.items())


def _shapes(
    generator: Generator, name: str, given: Sequence[Any], resolution: int | None
) -> Mapping[str, Shape | None]:
    """The shape of each part that a function gives; None: a tensor of any shape."""
    spec, tensors = generator.spec, [_tensor(each) for each in given]
    batch = tensors[0].shape[0] if tensors and tensors[0].ndim else None
    if name == "render":
        views, side = _views(tensors), spec.raw_size if resolution is None else resolution
        size, whole = (spec.image_size if resolution is None else None), (views, 1, side, side)
        return {"image": (views, 3, size, size), "raw": (views, 3, side, side), "depth": whole, "mask": whole}
    if name == "march":
        return dict.fromkeys(("depth", "opacity"), (_views(tensors), 1, resolution, resolution))
    shapes: dict[str, Callable[[], Mapping[str, Shape | None]]] = {
        "mapping": lambda: {"ws": (batch, spec.latents.num_ws, spec.latents.w_dim)},
        "query": lambda: {"density": (*tensors[1].shape[:2], 1), "features": (*tensors[1].shape[:2], None)},
        "density": lambda: {"density": tuple(tensors[1].shape[:2])},
        "camera_shift": lambda: {"shift": (batch, 3)},
        "as_images": lambda: {"images": (batch, None, None, None)},
        "features": lambda: {"features": (batch, None, None, None), "skip image": None},
        "rendered_features": lambda: {"features": (_views(tensors), None, None, None)},
        "superresolved": lambda: {"images": (batch, 3, spec.image_size, spec.image_size)},
    }
    if name in shapes:
        return shapes[name]()
    if name in ("planes", "from_images", "resume"):
        return {"planes": (batch, *spec.planes_shape)}
    if name == "expand":
        return {"planes": (None, *spec.planes_shape)}
    if name in ("close", "smooth", "merge_slots"):
        return {"occupancy": tuple(tensors[0].shape)}
    return {"occupancy": None}


def _views(tensors: Sequence[Tensor]) -> int:
    """How many views a function of planes and cameras [B, 25] gives."""
    return max((each.shape[0] for each in tensors if each.ndim), default=1)


def _tensor(given: Any) -> Tensor:
    """An input as a tensor; others than tensors and cameras as an empty one."""
    if isinstance(given, Camera):
        return given.label
    return given if isinstance(given, Tensor) else torch.empty(())
