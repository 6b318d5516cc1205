"""A trained encoder as an inversion method: one pass, timed by stage."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.configuration import Config
from toolkit.encoders.files import EncoderFile
from toolkit.errors import InputError
from toolkit.files import file_sha256
from toolkit.interfaces import Generator
from toolkit.inversion import Inversion, identity_of, run_provenance


class EncoderOptions(Config):
    """What a user may set on every encoder."""

    other_generator: bool = False
    """Use the encoder although it was trained for another generator with codes of the same shape."""


class Laps:
    """Seconds by stage."""

    def __init__(self) -> None:
        """Start with none."""
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Add the block's seconds to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


@dataclass(frozen=True)
class Encoded:
    """What an encoder makes of one image."""

    ws: Tensor
    """[1, num_ws, w_dim]."""
    planes: Tensor
    """[1, *generator.spec.planes_shape]."""
    extra: dict[str, Tensor] = field(default_factory=dict)
    """Further tensors to keep, by name."""


class EncoderMethod:
    """Base of the methods; they say what to do with an image in `encode`."""

    def __init__(self, name: str, options: EncoderOptions, file: EncoderFile | None = None) -> None:
        """Describe the method.

        Args:
            name: As registered.
            options: As the user set them.
            file: Where the weights come from, for the record.
        """
        self.name, self.options, self.file = name, options, file

    @functools.cached_property
    def fingerprint(self) -> str:
        """Of the weights' file: what a benchmark tells two checkpoints of one method by, shipped ones included."""
        return "" if self.file is None else file_sha256(self.file.path)

    def encode(self, image: Tensor, camera: Camera, generator: Generator, laps: Laps) -> Encoded:
        """Encode an image [1, 3, S, S] in [-1, 1], timing the stages; gradients are off."""
        raise NotImplementedError

    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """Invert one image.

        Args:
            image: [1, 3, S, S] in [-1, 1], background removed; of any size.
            camera: Saw the image (batch of 1).
            generator: The one that the encoder was trained for.

        Raises:
            InputError: Image or camera do not fit.
            CapabilityError: The generator lacks something that the method needs.
        """
        started, laps = time.perf_counter(), Laps()
        image, camera = checked_input(image, camera, generator)
        with torch.no_grad():
            found = self.encode(image, camera, generator, laps)
        about = (
            {} if self.file is None else {"weights": self.file.path.name, "trained": self.file.about.get("training")}
        )
        return Inversion(
            ws=found.ws,
            planes=found.planes,
            camera=camera,
            method=self.name,
            options=self.options.model_dump(mode="json"),
            timings={**laps.seconds, "total": time.perf_counter() - started},
            extra=found.extra,
            provenance=run_provenance(device=str(generator.device), encoder=about),
            **identity_of(generator.spec),
        )


def checked_input(image: Tensor, camera: Camera, generator: Generator) -> tuple[Tensor, Camera]:
    """One image and one camera, in float32 on the generator's device.

    Raises:
        InputError: Not one square RGB image in [-1, 1], or not one camera.
    """
    if image.ndim != 4 or image.shape[0] != 1 or image.shape[1] != 3 or image.shape[2] != image.shape[3]:
        raise InputError(f"the image must have shape [1, 3, S, S], got {list(image.shape)}")
    if len(camera) != 1:
        raise InputError(f"one image needs one camera, got {len(camera)}")
    device = generator.device
    image = image.detach().to(device, torch.float32)
    if not torch.isfinite(image).all() or image.abs().max() > 1.01:
        raise InputError("the image must hold values in [-1, 1]")
    return image, Camera(camera.label.detach().to(device, torch.float32))
