"""One projector for W, W+ and what lies between: Adam on the code, a frozen generator.

Every variant of the literature is this loop with other numbers (see `settings.PROJECTOR_PRESETS`). The code is
average + shared offset [1, 1, w_dim] + layers' offsets [1, num_ws, w_dim]: while the layers' offsets wait, it is W.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import Module

from toolkit.camera import Camera
from toolkit.errors import InputError
from toolkit.interfaces import Generator
from toolkit.latents import LatentStatistics, latent_statistics
from toolkit.losses.perceptual import open_perceptual
from toolkit_plugins.optimisation.camera_offset import CameraOffset, adapted_camera
from toolkit_plugins.optimisation.noise_buffers import NoiseBuffers
from toolkit_plugins.optimisation.objective import Objective
from toolkit_plugins.optimisation.schedule import learning_rate_factor, noise_factor
from toolkit_plugins.optimisation.settings import ProjectorSettings
from toolkit_plugins.optimisation.target import OnStep


@dataclass(frozen=True)
class Projection:
    """What a projection found."""

    ws: Tensor
    """[1, num_ws, w_dim], without exploration noise."""
    camera: Camera
    """The camera as it was used last (the input's unless it was adapted or refined)."""
    buffers: dict[str, Tensor]
    """Synthesis noise by buffer name, where it was optimised."""
    losses: dict[str, float]
    """Unweighted terms of the last step."""


def project(
    generator: Generator,
    image: Tensor,
    camera: Camera,
    settings: ProjectorSettings,
    mask: Tensor | None = None,
    on_step: OnStep | None = None,
) -> Projection:
    """Find the code whose render looks like the image.

    Args:
        generator: Left as it is; a frozen copy is worked on.
        image: [1, 3, S, S] in [-1, 1], S = `generator.spec.image_size`.
        camera: Saw the image (batch of 1).
        settings: The variant.
        mask: [1, 1, S, S] in [0, 1], where the image counts; None: everywhere.
        on_step: Told about each step.

    Raises:
        CapabilityError: Synthesis noise is to be optimised, or the camera adapted, and the generator has no such thing.
        WeightsError: The perceptual distance's weights are missing.
        InputError: The optimisation diverged.
    """
    objective = Objective(
        image,
        open_perceptual(settings.perceptual, settings.trunk, image.device),
        perceptual_size=settings.perceptual_size,
        perceptual_weight=settings.perceptual_weight,
        pixel_weight=settings.pixel_weight,
        raw_weight=settings.raw_weight,
        mask=mask,
    )
    if settings.adapt_camera:
        camera = adapted_camera(generator, camera, settings.samples)
    view = camera if settings.average_view == "input" else None
    statistics = latent_statistics(generator, view, settings.samples)
    with torch.enable_grad():
        return _Loop(frozen_copy(generator), camera, objective, statistics, settings).run(on_step)


def frozen_copy(generator: Generator) -> Generator:
    """A copy in eval mode whose parameters take no gradient; the original stays as it is."""
    frozen = copy.deepcopy(generator)
    cast(Module, frozen).eval().requires_grad_(False)
    return frozen


def check_finite(loss: Tensor, stage: str, step: int, rate: str) -> None:
    """Stop an optimisation that ran away.

    Raises:
        InputError: The loss is NaN or infinite.
    """
    if not torch.isfinite(loss):
        raise InputError(f"the {stage} diverged at step {step} (loss {float(loss.detach())}): try a lower {rate!r}")


class _Loop:
    """State of one projection."""

    def __init__(
        self,
        generator: Generator,
        camera: Camera,
        objective: Objective,
        statistics: LatentStatistics,
        settings: ProjectorSettings,
    ) -> None:
        self.generator = generator
        self.raw_size = generator.spec.raw_size
        self.objective = objective
        self.settings = settings
        self.statistics = statistics
        self.randomness = torch.Generator().manual_seed(settings.seed)
        self.average = statistics.average
        self.shared = torch.zeros_like(self.average[:, :1]).requires_grad_(True)
        self.layers = torch.zeros_like(self.average).requires_grad_(True)
        self.camera = CameraOffset(camera)
        self.buffers = NoiseBuffers(generator, self.randomness) if settings.noise_buffers else None
        self.switch = round(settings.shared * settings.steps)
        moving = [self.shared, self.layers, *(self.buffers.tensors if self.buffers else [])]
        groups = [{"params": [tensor], "lr": 0.0} for tensor in moving]
        if settings.camera_lr:
            groups.append({"params": self.camera.parameters, "lr": 0.0})
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.999))

    def run(self, on_step: OnStep | None) -> Projection:
        losses: dict[str, float] = {}
        for step in range(self.settings.steps):
            losses = self._step(step)
            if on_step is not None:
                on_step(step + 1, self.settings.steps, losses)
        return Projection(
            ws=self._code(0.0, self.settings.steps).detach(),
            camera=self.camera.current() if self.settings.camera_lr else self.camera.start,
            buffers=self.buffers.values() if self.buffers else {},
            losses=losses,
        )

    def _step(self, step: int) -> dict[str, float]:
        self._set_learning_rates(step)
        noise = self.statistics.spread * self.settings.noise * noise_factor(step, self.settings.steps)
        ws = self._code(noise, step)
        camera = self.camera.moved() if self.settings.camera_lr else self.camera.start
        render = self.generator.render(self.generator.planes(ws), ws, camera, self._resolution(step))
        terms = self.objective.terms(render)
        loss = self.objective.total(terms) + self._regularisation(step, terms)
        check_finite(loss, "projection", step, "lr")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        if self.buffers is not None:
            self.buffers.normalise()
        return {name: float(value.detach()) for name, value in terms.items()}

    def _set_learning_rates(self, step: int) -> None:
        steps, lr = self.settings.steps, self.settings.lr
        now = lr * learning_rate_factor(step, steps)
        shared, layers, *others = self.optimiser.param_groups
        shared["lr"] = now if step < self.switch else 0.0
        layers["lr"] = lr * learning_rate_factor(step, steps, self.switch)
        for group in others:
            group["lr"] = now
        if self.settings.camera_lr:
            others[-1]["lr"] = now / lr * self.settings.camera_lr

    def _code(self, noise: float, step: int) -> Tensor:
        """Ws [1, num_ws, w_dim]; noise has the shape of what moves, so W stays W."""
        ws = self.average + self.shared + self.layers
        if noise <= 0:
            return ws
        shape = self.shared.shape if step < self.switch else self.layers.shape
        return ws + noise * torch.randn(shape, generator=self.randomness).to(ws)

    def _regularisation(self, step: int, terms: dict[str, Tensor]) -> Tensor:
        """Weighted regularisers; they are put among `terms` unweighted."""
        settings, ws = self.settings, self._code(0.0, step)
        total = ws.new_zeros(())
        if settings.average_weight:
            terms["average"] = (ws - self.average).square().mean()
            total = total + settings.average_weight * terms["average"]
        if settings.layer_weight:
            terms["layers"] = (ws - ws.mean(1, keepdim=True)).square().mean()
            total = total + settings.layer_weight * terms["layers"]
        if self.buffers is not None and settings.noise_buffer_weight:
            terms["noise"] = self.buffers.structure()
            total = total + settings.noise_buffer_weight * terms["noise"]
        return total

    def _resolution(self, step: int) -> int | None:
        if step < self.settings.coarse * self.settings.steps:
            return max(8, self.raw_size // 2)
        return None
