"""Files of trained encoders: 16-bit weights, the networks' sizes, and the generator that they were trained for."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.nn import Module

from toolkit.data.prints import PRINT_SIZE
from toolkit.errors import ConfigError, ToolkitError, WeightsError
from toolkit.interfaces import GeneratorSpec
from toolkit.options import made_of
from toolkit.tensors import half, read_metadata, write_tensors
from toolkit.weights.embedded import ships
from toolkit.weights.headers import SENSELESS, check_described, layers_without_size_refused
from toolkit.weights.method_importing import CENTRE as AVERAGE_LATENT
from toolkit.weights.official import load_strictly
from toolkit.weights.opening import open_weights
from toolkit.weights.store import imported_file

TRAINED_ON = "trained_on"
_Settings = TypeVar("_Settings")
_Built = TypeVar("_Built")
_Rest = ParamSpec("_Rest")


@dataclass(frozen=True)
class EncoderFile:
    """What such a file holds."""

    path: Path
    kind: str
    """Which method's encoder, e.g. 'psp'."""
    config: Mapping[str, Any]
    """Sizes of the networks, by the names of their configurations."""
    tensors: Mapping[str, Tensor]
    """float32, without the average latent."""
    average_latent: Tensor
    """[num_ws, w_dim]."""
    about: Mapping[str, Any]
    """The header: licence, training run, scores, generator."""
    trained_on: Tensor | None = None
    """[N, 64] uint8, prints of the pictures that it was trained on (see `toolkit.data.prints`); None: not known."""

    def check_generator(self, spec: GeneratorSpec, *, other: bool = False) -> None:
        """Refuse another generator than the encoder was trained for.

        Args:
            spec: The generator that codes are wanted for.
            other: Accept another one with codes of the same shape.

        Raises:
            WeightsError: It is another.
        """
        trained = self.about.get("generator", {})
        name, fingerprint = str(trained.get("name", "")), str(trained.get("fingerprint", ""))
        shape = (spec.latents.num_ws, spec.latents.w_dim)
        if tuple(self.average_latent.shape) != shape:
            raise WeightsError(
                f"{self.path} was trained for generator {name or 'unknown'!r} with codes "
                f"{list(self.average_latent.shape)}; {spec.name!r} takes {list(shape)}"
            )
        # an official file may not say which generator it belongs to, or with which weights
        same = name in ("", spec.name) and fingerprint in ("", spec.fingerprint)
        if not other and not same:
            raise WeightsError(
                f"{self.path} was trained for generator {name!r} with the fingerprint {fingerprint[:12] or 'unknown'}, "
                f"this one is {spec.name!r} with {spec.fingerprint[:12] or 'none'}: its codes would mean other heads. "
                f"Train it again (toolkit train {self.kind}), or set other_generator=true to see what comes out"
            )

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors of one network, without its name."""
        return {
            key.removeprefix(f"{name}."): value for key, value in self.tensors.items() if key.startswith(f"{name}.")
        }

    def settings(self, kind: type[_Settings], *names: str) -> _Settings:
        """Sizes of a network, from the header's configuration.

        Args:
            kind: The network's configuration, a dataclass.
            names: Under which keys they stand there, from the outside in.

        Raises:
            WeightsError: They are not there, or they are of the wrong kind.
        """
        found: Any = self.config
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is None:
            raise WeightsError(f"{self.path}: its header has no {'.'.join(names)!r}, the sizes of a network")
        try:
            return made_of(kind, found, ".".join(names))
        except ConfigError as error:
            raise WeightsError(f"{self.path}: its header does not describe a network: {error}") from error

    def count(self, *names: str) -> int | None:
        """A number of the header's configuration, None where it has none.

        Raises:
            WeightsError: Something else stands there.
        """
        found: Any = self.config
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is not None and (type(found) is not int or found < 1):
            raise WeightsError(f"{self.path}: its header's {'.'.join(names)!r} must be a count, got {found!r}")
        return found

    def load_into(self, module: Module, name: str) -> None:
        """Give a network the weights stored under a name.

        Raises:
            WeightsError: They do not fit.
        """
        load_strictly(module, self.part(name), f"{self.path}: the weights of {name}")


def built_from_file(
    build: Callable[Concatenate[EncoderFile, _Rest], _Built],
) -> Callable[Concatenate[EncoderFile, _Rest], _Built]:
    """Decorate a function that builds networks as a file's header says, so that no header makes it fail otherwise.

    For a file that does not ship with a plugin it is called twice: first without numbers, so that sizes that do not fit
    the file's tensors take no memory. (Layouts without numbers cost PyTorch two seconds of imports.)

    Raises:
        WeightsError: The header does not describe what the file holds.
    """

    @functools.wraps(build)
    def checked(file: EncoderFile, *args: _Rest.args, **kwargs: _Rest.kwargs) -> _Built:
        try:
            with layers_without_size_refused():
                if not ships(file.path):
                    with contextlib.suppress(NotImplementedError, RuntimeError), torch.device("meta"):
                        build(file, *args, **kwargs)
                return build(file, *args, **kwargs)
        except ConfigError as error:
            raise WeightsError(f"{file.path}: its header does not describe a network: {error}") from error
        except SENSELESS as error:
            text = f"{type(error).__name__}: {error}"
            raise WeightsError(f"{file.path}: its header does not describe its networks ({text})") from error

    return checked


def write_encoder(
    path: str | os.PathLike[str],
    kind: str,
    modules: Mapping[str, Module],
    average_latent: Tensor,
    config: Mapping[str, Any],
    spec: GeneratorSpec,
    about: Mapping[str, Any],
    trained_on: Tensor | None = None,
) -> None:
    """Write trained networks in 16 bits.

    Args:
        path: The file.
        kind: Which method's encoder.
        modules: The networks, by name.
        average_latent: [num_ws, w_dim], what codes are offsets from.
        config: Sizes of the networks, as JSON values.
        spec: The generator that they were trained for.
        about: Further header entries (licence, training run, scores).
        trained_on: [N, 64] uint8, prints of the pictures that they were trained on; None: not known.

    Raises:
        OutputError: The place cannot be written.
    """
    tensors = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    header = {
        **about,
        "architecture": kind,
        "config": dict(config),
        "generator": {"name": spec.name, "fingerprint": spec.fingerprint, "licence": spec.licence},
    }
    # The average latent stays in 32 bits: it costs nothing, and all codes rest on it.
    kept = {**half(tensors), AVERAGE_LATENT: average_latent.float()}
    write_tensors(path, kept if trained_on is None else {**kept, TRAINED_ON: trained_on}, header)


def read_encoder(path: str | os.PathLike[str], *kinds: str) -> EncoderFile:
    """Read a file of `write_encoder`, or an official checkpoint as it is.

    Args:
        path: The file.
        kinds: Which methods' encoders will do; none: any.

    Raises:
        WeightsError: The file is missing, damaged, holds NaN or infinity, or is of another kind.
    """
    tensors, header = open_weights(path, *kinds)
    kind = str(header.get("architecture", "nothing known"))
    if AVERAGE_LATENT not in tensors or "config" not in header or (kinds and kind not in kinds):
        wanted = " or ".join(repr(each) for each in kinds) or "an encoder"
        raise WeightsError(f"{path} does not hold {wanted}: its header names {kind!r}")
    check_described(header, str(path))
    average_latent = tensors.pop(AVERAGE_LATENT)
    prints = tensors.pop(TRAINED_ON, None)
    if prints is not None and (prints.ndim != 2 or prints.shape[1] != PRINT_SIZE):
        raise WeightsError(f"{path}: {TRAINED_ON!r} must be [N, {PRINT_SIZE}], got {list(prints.shape)}")
    trained_on = None if prints is None else prints.round().clamp(0, 255).byte()
    return EncoderFile(Path(path), kind, header["config"], tensors, average_latent, header, trained_on)


def _generator_name(header: Mapping[str, Any]) -> Any:
    generator = header.get("generator")
    return generator.get("name") if isinstance(generator, Mapping) else None


def trained_for(path: Path) -> str:
    """Name of the generator that a file's encoder was trained for; empty: it does not say, or is of another kind."""
    try:
        name = _generator_name(read_metadata(path))
    except ToolkitError:  # whoever opens the file says what is wrong with it
        return ""
    return name if isinstance(name, str) else ""


def find_encoder(weights: Path | None, package: str, kind: str, spec: GeneratorSpec) -> Path:
    """The file to use: the user's, or one that ships in a plugin's `weights` folder, or the imported one.

    A plugin ships `KIND.safetensors`, and `KIND-GENERATOR.safetensors` for each further generator.

    Raises:
        WeightsError: None is given, and none ships or was imported for this generator.
    """
    if weights is not None:
        return weights
    shipped = Path(str(resources.files(package))) / "weights"
    for file in (
        shipped / f"{kind}.safetensors",
        shipped / f"{kind}-{spec.name}.safetensors",
        imported_file(kind),
    ):
        if file.is_file() and _generator_name(read_metadata(file)) in ("", spec.name):
            return file
    raise WeightsError(
        f"method {kind!r} has no weights of its own for generator {spec.name!r}: train it with "
        f"'toolkit train {kind} --set generator={spec.name}' and name the file with --method-weights, or import the "
        "official ones ('toolkit weights list' says where they are)"
    )
