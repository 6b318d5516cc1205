"""The method `wplus`: a projection into W+ (or W, by its settings)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.devices import seconds_on
from toolkit.errors import ConfigError
from toolkit.interfaces import Generator, takes_options
from toolkit.inversion import Inversion
from toolkit.options import read_options
from toolkit_plugins.optimisation.projector import project
from toolkit_plugins.optimisation.result import as_delta, as_inversion
from toolkit_plugins.optimisation.settings import PROJECTOR_PRESETS, ProjectorSettings
from toolkit_plugins.optimisation.target import OnStep, as_mask, as_single_camera, as_target


class WPlus:
    """Optimises a code for the input view."""

    fingerprint = ""
    """Nothing but settings and generator decide what comes out."""

    def __init__(self, settings: ProjectorSettings) -> None:
        """Take settings; set the attributes below for what is not a setting."""
        self.settings = settings
        self.mask: Tensor | None = None
        """[1, 1, S, S] in [0, 1]: where the next images count in the loss; None: everywhere."""
        self.on_step: OnStep | None = None
        """Told about every step."""

    @torch.inference_mode(False)  # a caller's inference mode would forbid gradients for good
    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """Invert one image.

        Args:
            image: [1, 3, S, S] in [-1, 1], background removed; another size is brought to the generator's.
            camera: Saw the image (batch of 1).
            generator: Left as it is.

        Raises:
            InputError: Image, camera or mask do not fit.
            CapabilityError: A setting needs something that the generator lacks.
            WeightsError: The perceptual distance's weights are missing.
        """
        started = seconds_on(generator.device)
        projection = project(
            generator,
            as_target(image, generator),
            as_single_camera(camera, generator),
            self.settings,
            as_mask(self.mask, generator),
            self.on_step,
        )
        return as_inversion(
            "wplus",
            self.settings,
            generator,
            ws=projection.ws,
            camera=projection.camera,
            tuned=as_delta(generator, projection.buffers),
            timings={"projection": seconds_on(generator.device) - started},
            steps=self.settings.steps,
            masked=self.mask is not None,
            losses=projection.losses,
        )


@takes_options(ProjectorSettings, PROJECTOR_PRESETS)
def open_wplus(generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> WPlus:
    """Make the method for a generator; the options are those of `ProjectorSettings`.

    Raises:
        ConfigError: Unknown or impossible option, unknown preset, or weights, which this method has none of.
    """
    refuse_weights("wplus", weights)
    preset = "panohead-wplus" if generator.spec.world == "full" else "default"
    return WPlus(read_options(ProjectorSettings, options, "wplus", PROJECTOR_PRESETS, preset))


def refuse_weights(method: str, weights: Path | None) -> None:
    """Refuse a checkpoint that would be silently ignored.

    Raises:
        ConfigError: There is one.
    """
    if weights is not None:
        raise ConfigError(f"method {method!r} has no weights of its own, got {weights}")
