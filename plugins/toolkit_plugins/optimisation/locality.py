"""Locality: a tuned generator must not change where the photo shows nothing: other heads, other views of this one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.interfaces import Generator
from toolkit.losses.reconstruction import l2
from toolkit_plugins.optimisation.objective import Objective
from toolkit_plugins.optimisation.settings import PivotalSettings

CODE_SIZE = 14 * 512
"""Size of the code for which PTI's radius was chosen."""
NEAREST_VIEW = math.radians(60)
"""Other views are at least this far in yaw from the input's: nearer ones the photo itself corrects."""


class Locality:
    """PTI's locality regularisation (near heads, input camera) and its twin for views (same head, far cameras)."""

    def __init__(
        self,
        original: Generator,
        tuned: Generator,
        pivot: Tensor,
        camera: Camera,
        objective: Objective,
        settings: PivotalSettings,
    ) -> None:
        """Take the frozen original and the generator that is being tuned; `pivot` is [1, num_ws, w_dim]."""
        self.original = original
        self.tuned = tuned
        self.pivot = pivot
        self.camera = camera
        self.objective = objective
        self.settings = settings
        self.spec = original.spec
        self.randomness = torch.Generator().manual_seed(settings.seed + 1)
        with torch.no_grad():
            self.pivot_planes = original.planes(pivot)

    def loss(self, step: int) -> Tensor:
        """The weighted regularisation of a step, a scalar; zero on steps between two looks."""
        settings, total = self.settings, self.pivot.new_zeros(())
        if step % settings.view_interval:
            return total
        if settings.locality_weight:
            total = total + settings.locality_weight * self._compare(self._near_head(), self.camera)
        if settings.view_weight:
            total = total + settings.view_weight * self._compare(self.pivot, self._far_camera())
        return total

    def _compare(self, ws: Tensor, camera: Camera) -> Tensor:
        with torch.no_grad():
            planes = self.pivot_planes if ws is self.pivot else self.original.planes(ws)
            before = self.original.render(planes, ws, camera)
        after = self.tuned.render(self.tuned.planes(ws), ws, camera)
        return l2(after.image, before.image) + self.objective.perceptual_distance(after.image, before.image)

    def _near_head(self) -> Tensor:
        """A code at the set distance from the pivot, towards a random head."""
        z = torch.randn(1, self.spec.latents.z_dim, generator=self.randomness).to(self.pivot)
        with torch.no_grad():
            ws = self.original.mapping(z, self.spec.front_camera, self.settings.locality_truncation)
        towards = ws - self.pivot
        radius = self.settings.locality_radius * math.sqrt(self.pivot.numel() / CODE_SIZE)
        return self.pivot + radius * towards / towards.norm().clamp_min(1e-8)

    def _far_camera(self) -> Camera:
        """A camera of the default orbit on the other side of the head."""
        orbit = self.spec.orbit
        turn = NEAREST_VIEW + float(torch.rand((), generator=self.randomness)) * (2 * math.pi - 2 * NEAREST_VIEW)
        yaw = float(self.camera.angles().yaw) + turn
        view = Camera.orbit(yaw, orbit.pitch, orbit.radius, orbit.pivot, orbit.focal)
        return view.to(self.pivot.device)
