"""The heads that protocols measure: an inversion (see `subjects.inversions`), or renders that were made elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from torch import Tensor

from toolkit.camera import Camera

if TYPE_CHECKING:
    pass


class Views(NamedTuple):
    """Views of one head, where they were made; what its maker cannot tell is None."""

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
    """A head that can be rendered, or has been."""

    def input_view(self) -> Views:
        """The view by the input's camera."""
        ...

    def views(self, cameras: Camera) -> Views:
        """Views by any cameras."""
        ...
