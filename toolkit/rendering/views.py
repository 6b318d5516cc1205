"""Views of a head, rendered in batches."""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from toolkit.camera import Camera, as_camera
from toolkit.errors import InputError
from toolkit.interfaces import EmptySpace, Render

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, GeneratorSpec

OnView = Callable[[int, int], None]
"""Told how many views of how many are there."""
BATCH = 4
MANY = 3
"""Views from which on it pays to find out first which part of space is empty."""


def iterate_views(
    generator: Generator,
    planes: Tensor,
    ws: Tensor,
    cameras: Camera | Tensor,
    batch: int = BATCH,
    resolution: int | None = None,
    on_view: OnView | None = None,
    stay: bool = False,
    space: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[Render]:
    """Render one head from many cameras, a batch at a time, without gradients.

    Args:
        generator: What renders.
        planes: [1, *spec.planes_shape].
        ws: [1, num_ws, w_dim].
        cameras: Any number of cameras.
        batch: Views rendered together, on a CPU by one of its threads.
        resolution: Side of the ray grid; None takes the generator's own.
        on_view: Told at the start and after every batch.
        stay: Whether renders stay on the generator's device.
        space: What `empty_space` found of this head; None: it is asked where there are many views.

    Yields:
        Renders of up to `batch` views, on the CPU unless they stay, in the cameras' order.

    Raises:
        InputError: More than one head, or a resolution or batch below 1.
    """
    if planes.shape[0] != 1 or ws.shape[0] != 1:
        raise InputError(f"views show one head at a time, got {planes.shape[0]} planes and {ws.shape[0]} codes")
    if batch < 1 or (resolution is not None and resolution < 1):
        raise InputError(f"batch and resolution must be at least 1, got {batch} and {resolution}")
    device = generator.device
    planes, ws, cameras = planes.to(device), ws.to(device), as_camera(cameras).to(device)
    render = generator.render
    if space is None and len(cameras) >= MANY:
        space = empty_space(generator, planes)
    if isinstance(generator, EmptySpace) and space is not None:
        render = functools.partial(generator.render, occupied=space)
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    batch = min(batch, max(1, math.ceil(len(cameras) / threads)))

    def look(part: Camera) -> Render:
        count = len(part)
        with torch.no_grad():
            seen = render(planes.expand(count, *planes.shape[1:]), ws.expand(count, -1, -1), part, resolution)
        return Render(*(tensor.detach() if stay else tensor.detach().cpu() for tensor in seen))

    parts = [cameras[start : start + batch] for start in range(0, len(cameras), batch)]
    tell, done = on_view or (lambda done, total: None), 0
    tell(done, len(cameras))
    for seen in _spread(look, parts, threads):
        done += len(seen.image)
        tell(done, len(cameras))
        yield seen


def empty_space(generator: Generator, planes: Tensor) -> Callable[[Tensor], Tensor] | None:
    """Whether points lie near matter of planes [1, *spec.planes_shape]; None where the generator does not tell."""
    return generator.occupied(planes.to(generator.device)) if isinstance(generator, EmptySpace) else None


def _spread(look: Callable[[Camera], Render], parts: list[Camera], threads: int) -> Iterator[Render]:
    """Look at one part after another; with several threads, each looks at a part of its own, on one core."""
    if threads == 1 or len(parts) < 2:
        yield from map(look, parts)
        return
    workers = min(threads, len(parts))
    pool = ThreadPoolExecutor(workers, "views", initializer=torch.set_num_threads, initargs=(1,))
    try:
        waiting: deque[Future[Render]] = deque()
        for part in parts:
            waiting.append(pool.submit(look, part))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # a part of the setting is the whole process's


def render_views(
    generator: Generator,
    planes: Tensor,
    ws: Tensor,
    cameras: Camera | Tensor,
    batch: int = BATCH,
    resolution: int | None = None,
    on_view: OnView | None = None,
    stay: bool = False,
    space: Callable[[Tensor], Tensor] | None = None,
) -> Render:
    """All views of `iterate_views` in one `Render` (batch = number of cameras)."""
    parts = list(iterate_views(generator, planes, ws, cameras, batch, resolution, on_view, stay, space))
    if not parts:
        raise InputError("no camera to render from")
    return Render(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def around(spec: GeneratorSpec, yaws: Tensor, pitches: Tensor | float | None = None) -> Camera:
    """Cameras on the generator's own orbit; radians, `pitches` None takes the orbit's."""
    orbit = spec.orbit
    pitch = orbit.pitch if pitches is None else pitches
    return Camera.orbit(yaws, pitch, radius=orbit.radius, pivot=orbit.pivot, focal=orbit.focal)
