"""A head as the protocols look at it: an inversion, or renders that were made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

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
    """An inversion and the generator that shows it."""

    def __init__(self, inversion: Inversion, generator: Generator) -> None:
        self.inversion, self._generator = inversion, generator

    def input_view(self) -> Views:
        """The view by the camera of the inversion, which a method may have refined."""
        return self.views(self.inversion.camera)

    def views(self, cameras: Camera) -> Views:
        """Rendered views, a few at a time."""
        shown = self.inversion.tuned_generator(self._generator)
        seen = render_views(shown, self.inversion.planes, self.inversion.ws, cameras)
        return Views(seen.image, seen.depth, seen.mask)
