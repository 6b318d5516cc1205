"""The method `mean`: the average head. A method that is not better than `mean` ignores its input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from toolkit.camera import Camera
from toolkit.configuration import Config
from toolkit.devices import seconds_on
from toolkit.interfaces import Generator, takes_options
from toolkit.inversion import Inversion, identity_of, run_provenance
from toolkit.latents import latent_statistics
from toolkit.options import read_options
from toolkit_plugins.optimisation.target import as_single_camera, as_target
from toolkit_plugins.optimisation.wplus import refuse_weights


class MeanSettings(Config):
    """Settings of the mean head."""

    preset: str = "default"
    samples: int = Field(10_000, ge=2)
    """Random heads that are averaged (in w)."""


class MeanHead:
    """Returns the average w, seen by the input's camera."""

    fingerprint = ""
    """Nothing but settings and generator decide what comes out."""

    def __init__(self, settings: MeanSettings) -> None:
        self.settings = settings

    @torch.inference_mode(False)  # a caller's inference mode would forbid gradients for good
    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """Return the mean head; the image [1, 3, S, S] in [-1, 1] is only checked.

        Raises:
            InputError: Image or camera do not fit.
        """
        started = seconds_on(generator.device)
        as_target(image, generator)
        average = latent_statistics(generator, samples=self.settings.samples).average.clone()
        with torch.no_grad():
            planes = generator.planes(average)
        return Inversion(
            ws=average,
            planes=planes,
            camera=as_single_camera(camera, generator),
            method="mean",
            options=self.settings.model_dump(mode="json"),
            timings={"total": seconds_on(generator.device) - started},
            provenance=run_provenance(),
            **identity_of(generator.spec),
        )


_PRESETS: dict[str, dict[str, Any]] = {"default": {}}


@takes_options(MeanSettings, _PRESETS)
def open_mean(generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> MeanHead:
    """Make the method.

    Raises:
        ConfigError: Unknown or impossible option, or weights, which this method has none of.
    """
    refuse_weights("mean", weights)
    return MeanHead(read_options(MeanSettings, options, "mean", _PRESETS))
