"""An encoder as an inversion method: one pass, with the time that it takes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from toolkit.camera import Camera
from toolkit.configuration import Config
from toolkit.devices import seconds_on
from toolkit.encoders.files import EncoderFile, find_encoder, read_encoder
from toolkit.errors import InputError, PluginError
from toolkit.files import file_sha256
from toolkit.interfaces import Encoder, ExtraTensors, Generator
from toolkit.inversion import Inversion, identity_of, run_provenance
from toolkit.options import read_options
from toolkit.registry import ENCODER_PREFIX, Registration


class EncoderOptions(Config):
    """What a user may set on every encoder."""

    other_generator: bool = False
    """Use the encoder although it was trained for another generator with codes of the same shape."""


class NoOptions(Config):
    """Of methods that are nothing but a registered encoder."""


class EncoderMethod:
    """Inverts with an encoder; time is taken around it."""

    def __init__(self, name: str, encoder: Encoder, options: Config, file: EncoderFile | None = None) -> None:
        """Describe the method.

        Args:
            name: As registered.
            encoder: In eval mode, on the generator's device.
            options: As the user set them.
            file: Where the encoder's weights come from, for the record.
        """
        self.name, self.encoder, self.options, self.file = name, encoder, options, file

    @functools.cached_property
    def fingerprint(self) -> str:
        """Of the weights (the file's, else the encoder's own): tells two checkpoints of one method apart."""
        if self.file is not None:
            return file_sha256(self.file.path)
        return weights_sha256(self.encoder) if isinstance(self.encoder, Module) else ""

    @property
    def trained_on(self) -> Tensor | None:
        """[N, 64] uint8, prints of the pictures that its weights were trained on; None: they do not tell."""
        return None if self.file is None else self.file.trained_on

    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """Invert one image.

        Args:
            image: [1, 3, S, S] in [-1, 1], background removed; of any size.
            camera: Saw the image (batch of 1).
            generator: The one that the encoder was trained for.

        Raises:
            InputError: Image or camera do not fit.
            CapabilityError: The generator lacks something that the encoder needs.
        """
        started = seconds_on(generator.device)
        image, camera = checked_input(image, camera, generator)
        extras: Mapping[str, Tensor] = {}
        ready = seconds_on(generator.device)
        with torch.no_grad():
            if isinstance(self.encoder, ExtraTensors):
                code, extras = self.encoder.encode_with_extras(image, camera, generator)
            else:
                code = self.encoder.encode(image, camera, generator)
        encoded = seconds_on(generator.device)
        about = (
            {} if self.file is None else {"weights": self.file.path.name, "trained": self.file.about.get("training")}
        )
        return Inversion(
            ws=code.ws,
            planes=code.planes,
            camera=camera,
            method=self.name,
            options=self.options.model_dump(mode="json"),
            timings={"encode": encoded - ready, "total": encoded - started},
            tuned=None if code.tuned is None else {name: change[0] for name, change in code.tuned.items()},
            extra=dict(extras),
            provenance=run_provenance(device=str(generator.device), encoder=about),
            **identity_of(generator.spec),
        )


@dataclass(frozen=True)
class EncoderOpener:
    """How a plugin's encoder is found, built and made a method; its two functions are what a plugin registers."""

    name: str
    """The method's name, and the kind of its files."""
    package: str
    """The plugin, whose `weights` folder may hold a file."""
    build: Callable[[EncoderFile, Generator, Any], Encoder]
    """(file, generator, options) -> encoder, on whatever device."""
    options: type[EncoderOptions] = EncoderOptions
    shipped: str = ""
    """Kind of another file that holds this encoder, too, and ships; empty: none."""
    check: Callable[[Generator, Any], None] | None = None
    """Raises where generator or options will not do, before any file is read."""
    named: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Presets besides 'default': values of options (which then have a field `preset`) by name."""

    @property
    def options_model(self) -> type[EncoderOptions]:
        """The options that the method takes."""
        return self.options

    @property
    def presets(self) -> Mapping[str, Mapping[str, Any]]:
        """Named values of the options; mostly none: an encoder is one pass."""
        return {"default": {}, **self.named} if self.named else {}

    def encoder(self, generator: Generator, weights: Path | None = None) -> Encoder:
        """Build the encoder for a generator (a factory for the hook `register_encoders`).

        Args:
            generator: What is encoded for.
            weights: A file; None: the one that ships.

        Raises:
            CapabilityError: The generator lacks something that the encoder needs.
            WeightsError: There are no weights for this generator, or they cannot be used.
        """
        return self._open(generator, weights, self.options())[0]

    def method(self, generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> EncoderMethod:
        """Make the encoder a method (a factory for the hook `register_methods`).

        Args:
            generator: What is inverted into.
            weights: A file; None: the one that ships.
            options: Values for `self.options`, those of groups nested or with dots.

        Raises:
            ConfigError: Unknown or impossible option.
            CapabilityError: The generator lacks something that the encoder needs.
            WeightsError: There are no weights for this generator, or they cannot be used.
        """
        chosen = read_options(self.options, options, self.name, self.presets or None)
        encoder, file = self._open(generator, weights, chosen)
        return EncoderMethod(self.name, encoder, chosen, file)

    def _open(self, generator: Generator, weights: Path | None, options: EncoderOptions) -> tuple[Encoder, EncoderFile]:
        if self.check is not None:
            self.check(generator, options)
        kinds = [self.name, self.shipped] if self.shipped else [self.name]
        file = read_encoder(find_encoder(weights, self.package, kinds[-1], generator.spec), *kinds)
        file.check_generator(generator.spec, other=options.other_generator)
        encoder = self.build(file, generator, options)
        if isinstance(encoder, Module):
            encoder.eval().requires_grad_(False).to(generator.device)
        return encoder, file


def open_registered(
    entry: Registration, generator: Generator, weights: Path | None, options: Mapping[str, Any]
) -> EncoderMethod:
    """The method `encoder:NAME`: any plugin's registered encoder.

    Args:
        entry: The encoder's registration.
        generator: What is inverted into.
        weights: A file, or None for the encoder's own.
        options: There are none but a preset's name.

    Raises:
        ConfigError: An option.
        PluginError: What the plugin makes is not an encoder.
        ToolkitError: Whatever the plugin's factory raises.
    """
    name = f"{ENCODER_PREFIX}{entry.name}"
    chosen = read_options(NoOptions, options, name)
    encoder = entry.build(generator, weights)
    if not isinstance(encoder, Module) or not isinstance(encoder, Encoder):
        raise PluginError(f"encoder {entry.name!r} makes a {type(encoder).__name__}, not a torch module with encode")
    encoder.eval().requires_grad_(False).to(generator.device)
    return EncoderMethod(name, encoder, chosen)


def checked_input(image: Tensor, camera: Camera, generator: Generator) -> tuple[Tensor, Camera]:
    """One image and one camera, in float32 on the generator's device.

    Raises:
        InputError: Not one square RGB image in [-1, 1], or not one camera.
    """
    if image.ndim != 4 or image.shape[0] != 1 or image.shape[1] != 3 or image.shape[2] != image.shape[3]:
        raise InputError(f"the image must have shape [1, 3, S, S], got {list(image.shape)}")
    if len(camera) != 1:
        raise InputError(f"one image needs one camera, got {len(camera)}")
    image = image.detach().to(generator.device, torch.float32)
    if not torch.isfinite(image).all() or image.abs().max() > 1.01:
        raise InputError("the image must hold values in [-1, 1]")
    return image, Camera(camera.label.detach().to(generator.device, torch.float32))


def weights_sha256(module: Module) -> str:
    """The sha256 of a module's state: names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
