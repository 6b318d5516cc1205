"""Marching along rays in compiled kernels: tri-grids on a CPU, with gradients of the volumes and the decoder.

The slow twin is `toolkit.rendering.marching.march`. Where empty space is known, no number differs from its by more than
1e-3; elsewhere only rounding does. What a sample reads and decodes to is not kept for the way back, but computed again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from toolkit.rendering.compiled import layout
from toolkit.rendering.compiled.gradients import look_back
from toolkit.rendering.compiled.head import Gradients, Kept, Seen
from toolkit.rendering.compiled.layout import Sizes, array
from toolkit.rendering.compiled.rays import look
from toolkit.rendering.marching import Marched, MarchSettings, finished, sample_depths
from toolkit.rendering.occupancy import Occupancy
from toolkit.rendering.rays import Rays
from toolkit.rendering.sampling import FIXED_DRAWS, Draws
from toolkit.rendering.trigrid_field import TrigridField, kernels_can_march

_TOGETHER = 1 << 11
"""Rays of one view that a core looks along before it takes others."""


class _Part(NamedTuple):
    """Some rays of one view."""

    view: int
    rays: slice


class _Bundle(NamedTuple):
    """Rays of V views: where they begin, which way they go, and where they are sampled."""

    origins: Tensor
    """[V, R, 3]."""
    directions: Tensor
    """[V, R, 3]."""
    depths: Tensor
    """[V, R, S]."""
    draws: Tensor
    """[V, R, I], ascending."""

    def of(self, view: int, some: slice) -> list[np.ndarray]:
        return [array(part[view, some]) for part in self]


def march_compiled(
    field: TrigridField,
    rays: Rays,
    settings: MarchSettings,
    *,
    draws: Draws = FIXED_DRAWS,
    space: Occupancy | None = None,
) -> Marched:
    """Render features, depth and opacity along rays.

    Args:
        field: What is rendered; float32, volumes [B, 3, C, D, W, W] of as many heads as views or one, W at least 2.
        rays: Origins and directions of the views, without gradients.
        settings: Where to sample; in two passes (`settings.importance` is not 0).
        draws: Random numbers; fixed by default.
        space: Where one head holds matter; only where no gradient is kept.

    Returns:
        As `march` does.
    """
    depths, importance = sample_depths(rays, settings, draws)
    assert importance is not None  # for the type checker: there are two passes
    if draws is not FIXED_DRAWS:
        importance = importance.sort(dim=-1).values  # fixed ones ascend
    bundle = _Bundle(rays.origins.expand_as(rays.directions), rays.directions, depths, importance)
    features, depth_sum, opacity = _Looked.apply(bundle, layout.sizes_of(field), space, *layout.tensors_of(field))
    return finished(features.transpose(1, 2), depth_sum, opacity, depths.amin(), depths.amax(), settings)


def compiled_can_march(volumes: Tensor, rays: Rays) -> bool:
    """Whether `march_compiled` computes what is asked for: on a CPU, where `kernels_can_march`.

    Args:
        volumes: [B, 3, C, D, H, W].
        rays: Origins and directions.
    """
    square = volumes.shape[-1] == volumes.shape[-2] > 1
    return volumes.device.type == "cpu" and square and kernels_can_march(volumes, rays)


class _Looked(torch.autograd.Function):
    """Features [V, R, F], sums of depths [V, R] and opacities [V, R]."""

    @staticmethod
    def forward(
        ctx: Any, bundle: _Bundle, sizes: Sizes, space: Occupancy | None, tables: Tensor, *weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        views, count, first = bundle.depths.shape
        both = first + bundle.draws.shape[2] if any(ctx.needs_input_grad) else 0
        seen = [tables.new_zeros(views, count, *size) for size in ((len(weights[3]) - 1,), (), ())]
        kept = [tables.new_empty(views, count if both else 0, both) for _ in range(2)]
        reached = torch.zeros(views, count if both else 0, dtype=torch.int64)
        sparing = layout.sparing_of(space)

        def see(part: _Part) -> None:
            view, some = part
            head = layout.head_of(sizes, tables[view % len(tables)], weights)
            room = layout.room_for(head, first, bundle.draws.shape[2])
            keeps = Kept(*(each[view, some].numpy() for each in (*kept, reached)))
            look(head, sparing, *bundle.of(view, some), room, Seen(*(each[view, some].numpy() for each in seen)), keeps)

        _on_all_cores(see, _parts(views, count))
        ctx.bundle, ctx.sizes = bundle, sizes
        ctx.save_for_backward(tables, *weights, *kept, reached)
        return seen[0], seen[1], seen[2]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *asked: Tensor) -> tuple[Tensor | None, ...]:
        tables, *rest = ctx.saved_tensors
        back = _Back(ctx.bundle, ctx.sizes, tables, tuple(rest[:4]), tuple(rest[4:]), asked)
        of_tables, of_weights = ctx.needs_input_grad[3], any(ctx.needs_input_grad[4:])
        return None, None, None, *back.look(of_tables, of_weights)


class _Back:
    """The way back along a bundle of rays."""

    def __init__(
        self,
        bundle: _Bundle,
        sizes: Sizes,
        tables: Tensor,
        weights: tuple[Tensor, ...],
        kept: tuple[Tensor, ...],
        asked: tuple[Tensor, ...],
    ) -> None:
        self._bundle, self._sizes, self._tables, self._weights = bundle, sizes, tables, weights
        self._kept, self._asked = kept, tuple(each.contiguous() for each in asked)
        self._lock = Lock()

    def look(self, of_tables: bool, of_weights: bool) -> list[Tensor | None]:
        """What is asked of the tables and of each of the decoder's weights; None where nobody wants to know."""
        tables = torch.zeros_like(self._tables) if of_tables else None
        sums = [torch.zeros_like(each) for each in self._weights]

        def see(parts: list[_Part]) -> None:
            for view, together in itertools.groupby(parts, key=lambda part: part.view):
                (table,) = layout.zeros_like((self._tables[view % len(self._tables)],), of_tables)
                for part in together:
                    found = layout.zeros_like(self._weights, of_weights)
                    self._see(part, Gradients(table, *found))
                    with self._lock:
                        for total, some in zip(sums if of_weights else [], found, strict=of_weights):
                            total += torch.from_numpy(some)
                if tables is not None:
                    with self._lock:
                        tables[view % len(tables)] += torch.from_numpy(table)

        views, count, _ = self._bundle.depths.shape
        parts = _parts(views, count)
        each = math.ceil(len(parts) / torch.get_num_threads())
        _on_all_cores(see, [parts[first : first + each] for first in range(0, len(parts), each)])
        return [tables, *(sums if of_weights else [None] * len(sums))]

    def _see(self, part: _Part, back: Gradients) -> None:
        view, some = part
        head = layout.head_of(self._sizes, self._tables[view % len(self._tables)], self._weights)
        kept, asked = (tuple(each[view, some].numpy() for each in every) for every in (self._kept, self._asked))
        room = layout.back_room_for(head, self._kept[0].shape[2])
        look_back(head, *self._bundle.of(view, some)[:2], Kept(*kept), Seen(*asked), room, back)


def _parts(views: int, count: int) -> list[_Part]:
    """Parts of V views with R rays each."""
    return [
        _Part(view, slice(first, min(first + _TOGETHER, count)))
        for view in range(views)
        for first in range(0, count, _TOGETHER)
    ]


def _on_all_cores(see: Callable[[Any], None], tasks: list[Any]) -> None:
    """Each core of PyTorch's takes one task after the other."""
    workers = min(torch.get_num_threads(), len(tasks))
    if workers < 2:
        for task in tasks:
            see(task)
        return
    with ThreadPoolExecutor(workers, "rays") as pool:
        list(pool.map(see, tasks))
