"""Weights files of generators of EG3D's family: tensors, and a header with architecture and configuration."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from toolkit.errors import ConfigError, InputError, WeightsError
from toolkit.generators.config import About
from toolkit.generators.generator import VolumeGenerator
from toolkit.registry import default_registry
from toolkit.tensors import write_tensors
from toolkit.weights.embedded import ships
from toolkit.weights.headers import SENSELESS, check_described, layers_without_size_refused
from toolkit.weights.official import check_fit, load_strictly
from toolkit.weights.opening import open_weights

_Member = TypeVar("_Member", bound=VolumeGenerator)


def save_generator(
    generator: VolumeGenerator,
    path: str | Path,
    architecture: str,
    metadata: Mapping[str, Any] | None = None,
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write weights and configuration to one safetensors file, atomically.

    Args:
        generator: Whose state dict is written.
        path: The file.
        architecture: The generator's kind, which the reader asks for.
        metadata: Further JSON-able header entries (training run, ...).
        dtype: torch.float16 halves the file; loading gives float32 again.

    Raises:
        InputError: A weight is not finite in `dtype`.
        OutputError: The place cannot be written.
    """
    tensors = {name: value.detach().to(dtype) for name, value in generator.state_dict().items()}
    broken = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if broken:
        raise InputError(f"weight {broken[0]!r} is not finite in {dtype}, so nothing was written")
    header = {"licence": generator.config.about.licence, **(metadata or {})}
    write_tensors(path, tensors, {**header, "architecture": architecture, "config": generator.config.to_dict()})


def load_generator(
    path: str | Path, architecture: str, build: Callable[[dict[str, Any]], _Member], device: str = "cpu"
) -> _Member:
    """Read a file written by `save_generator`, or an official one as it is: eval mode, float32, gradients off.

    Args:
        path: The file.
        architecture: What its header must name.
        build: Makes the generator from the header's configuration, weights not yet loaded.
        device: Where the generator goes.

    Raises:
        WeightsError: The file is missing, damaged, holds NaN or infinity, or is of another architecture.
    """
    tensors, header = open_weights(path, architecture)
    if header.get("architecture") != architecture or "config" not in header:
        found = header.get("architecture")
        known = isinstance(found, str) and ("generator", found) in default_registry().registrations
        other = f"; --generator {found} opens it" if known else ""
        raise WeightsError(
            f"{path} does not hold a generator of kind {architecture!r}: its header names {repr(found)[:80]}{other}"
        )
    check_described(header, str(path))
    try:
        with layers_without_size_refused():
            if not ships(Path(path)):
                with contextlib.suppress(NotImplementedError, RuntimeError), torch.device("meta"):
                    check_fit(build(header["config"]), tensors, str(path))  # before memory is taken
            generator = build(header["config"])
    except ConfigError as error:
        raise WeightsError(f"{path}: its header does not describe a generator: {error}") from error
    except SENSELESS as error:
        text = f"{type(error).__name__}: {error}"
        raise WeightsError(f"{path}: its header does not describe a generator ({text})") from error
    load_strictly(generator, tensors, str(path))
    return generator.eval().requires_grad_(False).to(device)


def untrained_generator(
    name: str, trained: str, build: Callable[[About], _Member], weights: Path | None, device: str
) -> _Member:
    """A generator with random weights, the same at every call: for dry runs and timings.

    Args:
        name: Its own name.
        trained: The generator of the same sizes that takes weights.
        build: Makes it, with what it says of itself.
        weights: Must be None.
        device: Where to put it.

    Raises:
        WeightsError: A file is given.
    """
    if weights is not None:
        raise WeightsError(f"generator {name!r} has random weights and takes no file: {trained!r} does")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = build(About(name=name, world="untrained", licence="none: random weights"))
    return generator.eval().requires_grad_(False).to(device)
