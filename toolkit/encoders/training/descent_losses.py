"""What learned steps down a view's error minimise: that error after every step, and errors of views from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.encoders.descent import DescentEncoder
from toolkit.interfaces import Code, Generator


class Elsewhere(NamedTuple):
    """Pictures of some of the heads from other cameras than the input's."""

    name: str
    """Of the term."""
    weight: float
    rows: slice
    """Which heads of the batch."""
    image: Tensor
    """[R, 3, S, S] in [-1, 1]."""
    camera: Camera


def descent_losses(
    encoder: DescentEncoder,
    generator: Generator,
    ws: Tensor,
    image: Tensor,
    camera: Camera,
    elsewhere: Sequence[Elsewhere] = (),
    *,
    resolution: int | None = None,
    first: float = 0.0,
    detach: bool = True,
) -> tuple[dict[str, Tensor], Code]:
    """Weighted losses, and the heads after the last step.

    Every step answers for its own result: gradients do not go through the steps before it. The gradient that a step
    learns from is the one that the next step takes in, so that it is computed once.

    Args:
        encoder: Both stages.
        generator: Frozen.
        ws: [B, num_ws, w_dim], of the first stage.
        image: [B, 3, S, S] in [-1, 1], what the input view shows.
        camera: What saw it.
        elsewhere: Further views.
        resolution: Side of their ray grid; None: the generator's own.
        first: Weight of the first inversion's error, which the first stage learns from.
        detach: Whether errors after the steps stop before the first stage.
    """
    config = encoder.descent.config
    start = generator.planes(ws)
    error = encoder.view_error(image, camera)
    others = [(view, encoder.view_error(view.image, view.camera)) for view in elsewhere if view.weight]
    gradient, pixels, features = error.gradient(generator, start, ws, config.resolution)
    losses: dict[str, Tensor] = {}
    if first:
        losses["first"] = first * with_gradient(start, pixels + features, gradient)
    base, moved = start.detach() if detach else start, torch.zeros_like(start)
    code = Code(ws.detach() if detach else ws, base)
    for step in range(config.steps):
        added = encoder.step(generator, start.detach(), (base + moved).detach(), gradient, ws.detach(), step)
        planes = base + moved + added
        gradient, pixels, features = error.gradient(generator, planes, ws, config.resolution)
        terms = {"view": with_gradient(planes, pixels + features, gradient)}
        for view, its_error in others:
            some = planes[view.rows]
            push, pixels, features = its_error.gradient(generator, some, ws[view.rows], resolution)
            terms[view.name] = view.weight * with_gradient(some, pixels + features, push)
        for name, term in terms.items():
            losses[name] = losses.get(name, 0) + term / config.steps
        moved, code = moved + added.detach(), Code(code.ws, planes)
    return losses, code


class _WithGradient(torch.autograd.Function):
    """A value whose gradient is known."""

    @staticmethod
    def forward(ctx: Any, planes: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return grads[0] * gradient, None, None


def with_gradient(planes: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
    """The scalar `value` as a function of `planes` whose gradient was computed before."""
    result: Tensor = _WithGradient.apply(planes, value, gradient)
    return result
