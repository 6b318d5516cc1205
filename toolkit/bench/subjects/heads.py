"""A head as the protocols look at it: an inversion, or renders that were made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.inversion import Inversion
from toolkit.rendering.views import render_views

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


class Views(NamedTuple):
    """Views of one head, on the CPU; what its maker cannot tell is None."""

    image: Tensor
    """[N, 3, S, S], nominally in [-1, 1]."""
    depth: Tensor | None = None
    """[N, 1, R, R], distance along the unit ray."""
    mask: Tensor | None = None
    """[N, 1, R, R] in [0, 1]."""

    def one(self, place: int) -> Views:
        """A single view, as a batch of 1."""
        return Views(*(None if part is None else part[place : place + 1] for part in self))  # type: ignore[arg-type]  # the first is never None


class Head(Protocol):
    """Something that can be looked at."""

    def input_view(self) -> Views:
        """The view by the input's camera."""
        ...

    def views(self, cameras: Camera) -> Views:
        """Views by any cameras."""
        ...


class InvertedHead:
    """An inversion and the generator that shows it; a view that was seen once is kept.

    Views are rendered one at a time: their numbers must not depend on which others are asked for together.
    """

    def __init__(self, inversion: Inversion, generator: Generator) -> None:
        self.inversion, self._generator = inversion, generator
        self._seen: dict[bytes, Views] = {}

    def input_view(self) -> Views:
        """The view by the camera of the inversion, which a method may have refined."""
        return self.views(self.inversion.camera)

    def views(self, cameras: Camera) -> Views:
        """Rendered views."""
        found = [self._view(cameras[place : place + 1]) for place in range(len(cameras))]
        return Views(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _view(self, camera: Camera) -> Views:
        key = camera.label.detach().cpu().numpy().tobytes()
        if key not in self._seen:
            self._seen[key] = self.render(camera)
        return self._seen[key]

    def render(self, camera: Camera) -> Views:
        """Render a view, whether or not it is known."""
        shown = self.inversion.tuned_generator(self._generator)
        seen = render_views(shown, self.inversion.planes, self.inversion.ws, camera, batch=1)
        return Views(seen.image, seen.depth, seen.mask)
