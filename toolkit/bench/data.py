"""The pictures of a bench run: a data set folder, or a procedural data set made on the spot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.bench.protocol import BenchProtocol
from toolkit.data import ImageFolder
from toolkit.errors import InputError
from toolkit.interfaces import Makeable, MakeRequest

if TYPE_CHECKING:
    from toolkit.interfaces import GeneratorSpec

SPLIT = "test"
DEFAULT_LIMIT = 8
"""Items of a procedural data set where no limit is given."""


def open_data(
    source: str,
    protocol: BenchProtocol,
    spec: GeneratorSpec,
    out: Path,
    limit: int | None = None,
    domain: str = "clean",
) -> ImageFolder:
    """Open pictures at the generator's image size.

    Args:
        source: A data set folder or zip, or the name of a data set that can make itself (`heads360`).
        protocol: Says which views are made.
        spec: The generator's.
        out: The run's folder; what is made lies below its `data`.
        limit: Items wanted; decides how many subjects are made.
        domain: Of a procedural data set.

    Raises:
        InputError: Neither a folder nor such a data set, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1, got {limit}")
    if Path(source).exists():
        return ImageFolder(source, size=spec.image_size)
    from toolkit.registry import default_registry

    registry = default_registry()
    if ("dataset", source) not in registry.registrations:
        known = ", ".join(entry.name for entry in registry.of_kind("dataset")) or "none"
        raise InputError(f"--data {source!r} is neither a folder nor a data set (installed: {known})")
    factory = registry.load("dataset", source)
    if not isinstance(factory, Makeable):
        raise InputError(f"the data set {source!r} is read from files: give its folder")
    wanted = limit or DEFAULT_LIMIT
    subjects = wanted if protocol.kind == "gt360" else math.ceil(wanted / len(protocol.views))
    folder = out / "data" / f"{source}-{SPLIT}-{domain}-{protocol.title}-{subjects}x{spec.image_size}"
    request = MakeRequest(folder, subjects, SPLIT, protocol.seed, domain, protocol.views, spec.image_size)
    return ImageFolder(factory.make(request), size=spec.image_size)
