"""The views of one head that its files show: what is found once of the head, and views that several files share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import LABEL_SIZE, Camera
from toolkit.interfaces import Render
from toolkit.rendering.pixels import to_pixels
from toolkit.rendering.views import MANY, OnView, empty_space, iterate_views

if TYPE_CHECKING:
    from toolkit.interfaces import Generator
    from toolkit.inversion import Inversion

_SAME = 1e-5
"""Cameras are the same whose labels differ nowhere by more than this."""


class Gallery:
    """Renders views of one head; those that are expected several times are rendered once, and kept as pixels."""

    def __init__(self, generator: Generator, planes: Tensor, ws: Tensor, resolution: int | None = None) -> None:
        """Take a head.

        Args:
            generator: What renders (for an inversion its `tuned_generator`).
            planes: [1, *spec.planes_shape].
            ws: [1, num_ws, w_dim].
            resolution: Side of the ray grid; None takes the generator's own.
        """
        self._generator, self._planes, self._ws, self._resolution = generator, planes, ws, resolution
        self._space: Callable[[Tensor], Tensor] | None = None
        self._expected: Counter[int] = Counter()
        self._labels = torch.zeros(0, LABEL_SIZE)
        self._kept: dict[int, np.ndarray] = {}

    @classmethod
    def of(cls, inversion: Inversion, generator: Generator, resolution: int | None = None) -> Gallery:
        """The gallery of an inversion, with its tuned generator where there is one."""
        return cls(inversion.tuned_generator(generator), inversion.planes, inversion.ws, resolution)

    def expect(self, cameras: Camera) -> None:
        """Say that a file will show these views."""
        self._expected.update(set(self._names(cameras)))

    def renders(self, cameras: Camera, on_view: OnView | None = None) -> Iterator[Render]:
        """Render views anew, one after the other (`on_view`: see `iterate_views`)."""
        if self._space is None and len(cameras) >= MANY:
            self._space = empty_space(self._generator, self._planes)
        names = iter(self._names(cameras))
        for part in iterate_views(
            self._generator,
            self._planes,
            self._ws,
            cameras,
            resolution=self._resolution,
            on_view=on_view,
            space=self._space,
        ):
            for index in range(len(part.image)):
                seen = Render(*(tensor[index : index + 1] for tensor in part))
                if self._expected[name := next(names)] > 1:
                    self._kept[name] = to_pixels(seen.image)[0]
                yield seen

    def frames(self, cameras: Camera, on_view: OnView | None = None) -> Iterator[np.ndarray]:
        """Views as uint8 [S, S, 3], one after the other; only those are rendered that are not kept."""
        names = self._names(cameras)
        missing = [index for index, name in enumerate(names) if name not in self._kept]
        there = {name: self._kept[name] for name in names if name in self._kept}

        def tell(done: int, _: int) -> None:
            if on_view is not None:
                on_view(len(names) - len(missing) + done, len(names))

        tell(0, 0)
        rendered = self.renders(cameras[torch.tensor(missing)], tell) if missing else iter(())
        for name in names:
            yield there[name] if name in there else to_pixels(next(rendered).image)[0]

    def _names(self, cameras: Camera) -> list[int]:
        """A number for each camera, the same for the same cameras."""
        names = []
        for label in cameras.label.detach().cpu():
            same = ((self._labels - label).abs().amax(dim=1) < _SAME).nonzero()[:, 0]
            names.append(int(same[0]) if len(same) else len(self._labels))
            if not len(same):
                self._labels = torch.cat([self._labels, label[None]])
        return names
