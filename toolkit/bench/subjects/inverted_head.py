"""An inversion as a head that protocols measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from toolkit.bench.subjects.heads import Views
from toolkit.inversion import Inversion
from toolkit.rendering.views import empty_space, render_views

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.camera import Camera
    from toolkit.interfaces import Generator


class InvertedHead:
    """An inversion and the generator that shows it; a view that was seen once is kept.

    Views are rendered one at a time: their numbers must not depend on which views are rendered together. For the same
    reason, empty space is found before the first one.
    """

    def __init__(self, inversion: Inversion, generator: Generator) -> None:
        self.inversion, self._generator = inversion, generator
        self._seen: dict[bytes, Views] = {}
        self._space: Callable[[Tensor], Tensor] | None = None

    def input_view(self) -> Views:
        """The view by the camera of the inversion, which a method may have refined."""
        return self.views(self.inversion.camera)

    def views(self, cameras: Camera) -> Views:
        """The head seen by cameras [V], each view rendered by itself or taken from those seen before."""
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
        planes, ws = self.inversion.planes, self.inversion.ws
        if self._space is None and shown.device.type == "cpu":  # elsewhere it saves nothing
            self._space = empty_space(shown, planes)
        seen = render_views(shown, planes, ws, camera, batch=1, stay=True, space=self._space)
        return Views(seen.image, seen.depth, seen.mask)
