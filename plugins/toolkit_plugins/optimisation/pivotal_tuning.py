"""Pivotal tuning (PTI): find a code, then change the generator a little so that the code shows the image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from toolkit.camera import Camera
from toolkit.devices import seconds_on
from toolkit.errors import CapabilityError
from toolkit.interfaces import Generator, Tunable, takes_options
from toolkit.inversion import Inversion
from toolkit.losses.perceptual import open_perceptual
from toolkit.options import read_options
from toolkit_plugins.optimisation.locality import Locality
from toolkit_plugins.optimisation.objective import Objective
from toolkit_plugins.optimisation.projector import check_finite, frozen_copy, project
from toolkit_plugins.optimisation.result import as_delta, as_inversion
from toolkit_plugins.optimisation.settings import PIVOTAL_PRESETS, PivotalSettings
from toolkit_plugins.optimisation.target import OnStep, as_mask, as_single_camera, as_target
from toolkit_plugins.optimisation.wplus import refuse_weights


@dataclass(frozen=True)
class Tuning:
    """What a tuning found."""

    parameters: dict[str, Tensor]
    """Tuned values by parameter name."""
    steps: int
    """Updates made; fewer than set where the tuning stopped early."""
    losses: dict[str, float]
    """Unweighted terms of the last step."""


def tune(
    generator: Generator,
    image: Tensor,
    camera: Camera,
    ws: Tensor,
    settings: PivotalSettings,
    mask: Tensor | None = None,
    on_step: OnStep | None = None,
    buffers: Mapping[str, Tensor] | None = None,
) -> Tuning:
    """Tune a copy of the generator so that the pivot shows the image.

    Args:
        generator: Left as it is.
        image: [1, 3, S, S] in [-1, 1], S = `generator.spec.image_size`.
        camera: Saw the image (batch of 1).
        ws: The pivot, [1, num_ws, w_dim].
        settings: The `tuning_*`, `early_stop`, `locality_*` and `view_*` ones matter.
        mask: [1, 1, S, S] in [0, 1], where the image counts; None: everywhere.
        on_step: Told about each update.
        buffers: Synthesis noise found with the pivot, by buffer name.

    Raises:
        CapabilityError: The generator does not say what may be tuned.
        WeightsError: The perceptual distance's weights are missing.
        InputError: The optimisation diverged.
    """
    check_tunable(generator)
    original, tuned = frozen_copy(generator), frozen_copy(generator)
    if buffers:
        for each in (original, tuned):
            cast(Module, each).load_state_dict(dict(buffers), strict=False)
    parameters: dict[str, Parameter] = dict(cast(Tunable, tuned).tunable_parameters())
    objective = Objective(
        image,
        open_perceptual(
            settings.tuning_perceptual or settings.perceptual, settings.tuning_trunk or settings.trunk, image.device
        ),
        perceptual_size=settings.tuning_perceptual_size,
        perceptual_weight=settings.tuning_perceptual_weight,
        pixel_weight=settings.tuning_pixel_weight,
        raw_weight=settings.tuning_raw_weight,
        mask=mask,
    )
    with torch.enable_grad():
        locality = Locality(original, tuned, ws, camera, objective, settings)
        for parameter in parameters.values():
            parameter.requires_grad_(True)
        optimiser = torch.optim.Adam(parameters.values(), lr=settings.tuning_lr)
        steps, losses = 0, {}
        for step in range(settings.tuning_steps):
            terms = objective.terms(tuned.render(tuned.planes(ws), ws, camera))
            losses = {name: float(value.detach()) for name, value in terms.items()}
            if settings.early_stop is not None and losses.get("perceptual", math.inf) <= settings.early_stop:
                break
            loss = objective.total(terms) + locality.loss(step)
            check_finite(loss, "tuning", step, "tuning_lr")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            steps = step + 1
            if on_step is not None:
                on_step(steps, settings.tuning_steps, losses)
    return Tuning({name: parameter.detach() for name, parameter in parameters.items()}, steps, losses)


def check_tunable(generator: Generator) -> None:
    """Make sure that a generator can be tuned.

    Raises:
        CapabilityError: It lacks the capability.
    """
    if not isinstance(generator, Tunable):
        raise CapabilityError(
            f"pivotal tuning needs the capability 'tunable' (tunable_parameters), "
            f"which generator {generator.spec.name!r} does not offer"
        )


class PivotalTuning:
    """PTI: projects the picture into latent space, then tunes the generator around the code."""

    fingerprint = ""
    """Nothing but settings and generator decide what comes out."""

    def __init__(self, settings: PivotalSettings) -> None:
        """Take settings; set the attributes below for what is not a setting."""
        self.settings = settings
        self.mask: Tensor | None = None
        """[1, 1, S, S] in [0, 1]: where the next images count in the loss; None: everywhere."""
        self.on_step: OnStep | None = None
        """Told about every step; the steps of both stages are counted together."""

    @torch.inference_mode(False)  # a caller's inference mode would forbid gradients for good
    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """Invert one image.

        Args:
            image: [1, 3, S, S] in [-1, 1], background removed; another size is brought to the generator's.
            camera: Saw the image (batch of 1).
            generator: Left as it is; the inversion holds the difference to the tuned one.

        Raises:
            InputError: Image, camera or mask do not fit.
            CapabilityError: The generator cannot be tuned, or lacks something that a setting needs.
            WeightsError: The perceptual distance's weights are missing.
        """
        check_tunable(generator)
        settings, mask = self.settings, as_mask(self.mask, generator)
        target, camera = as_target(image, generator), as_single_camera(camera, generator)
        started = seconds_on(generator.device)
        pivot = project(generator, target, camera, settings, mask, self._progress(0))
        projected = seconds_on(generator.device)
        tuning = tune(
            generator,
            target,
            pivot.camera,
            pivot.ws,
            settings,
            mask,
            self._progress(settings.steps),
            pivot.buffers,
        )
        return as_inversion(
            "pti",
            settings,
            generator,
            ws=pivot.ws,
            camera=pivot.camera,
            tuned=as_delta(generator, {**pivot.buffers, **tuning.parameters}),
            timings={"projection": projected - started, "tuning": seconds_on(generator.device) - projected},
            steps=settings.steps,
            tuning_steps=tuning.steps,
            masked=mask is not None,
            losses={"pivot": pivot.losses, "tuned": tuning.losses},
        )

    def _progress(self, offset: int) -> OnStep | None:
        on_step = self.on_step
        if on_step is None:
            return None
        total = self.settings.steps + self.settings.tuning_steps
        return lambda step, _, losses: on_step(offset + step, total, losses)


@takes_options(PivotalSettings, PIVOTAL_PRESETS)
def open_pti(generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> PivotalTuning:
    """Make the method for a generator; the options are those of `PivotalSettings`.

    Raises:
        ConfigError: Unknown or impossible option, unknown preset, or weights, which this method has none of.
        CapabilityError: The generator cannot be tuned.
    """
    refuse_weights("pti", weights)
    check_tunable(generator)
    preset = "panohead-pti" if generator.spec.world == "full" else "default"
    return PivotalTuning(read_options(PivotalSettings, options, "pti", PIVOTAL_PRESETS, preset))
