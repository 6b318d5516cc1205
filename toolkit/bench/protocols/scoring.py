"""Feeding metrics: which are available, and what each of them says about one comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from toolkit.camera import Camera
from toolkit.errors import InputError, ToolkitError
from toolkit.interfaces import Metric
from toolkit.registry import unknown_name

Backend = Literal["auto", "none", "reference", "embedded"]
BACKENDS: tuple[Backend, ...] = ("auto", "none", "reference", "embedded")
EMBEDDED_SUFFIX = "-e"
"""Names of metrics with embedded networks end so: their values are not the literature's."""
_WORLD_OF = {"reference": "full", "embedded": "embedded"}


@dataclass(frozen=True)
class OpenMetrics:
    """Metrics that can be computed, and why the others cannot."""

    factories: dict[str, Callable[[], Metric]]
    samples: dict[str, Metric]
    """One of each, for its name, direction, unit and backend."""
    unavailable: dict[str, str]

    @property
    def networks(self) -> dict[str, dict[str, str]]:
        """sha256 of the files of each metric's networks, by metric and file; metrics without networks are left out."""
        files = {name: dict(getattr(sample, "networks", {})) for name, sample in sorted(self.samples.items())}
        return {name: each for name, each in files.items() if each}

    def taking(self, *kinds: str) -> list[str]:
        """Names of the metrics that take one of these kinds of input."""
        return [name for name, metric in self.samples.items() if getattr(metric, "takes", "images") in kinds]


def open_metrics(names: Iterable[str], backend: str, world: str, image_size: int) -> OpenMetrics:
    """Build the metrics of a backend; those that cannot be computed are named with the reason.

    Args:
        names: Metrics of any backend; those of the other backend are left out.
        backend: 'auto' takes the generator's world's ('embedded' or 'full').
        world: The generator's world.
        image_size: Side in pixels of the pictures that will be compared.

    Raises:
        InputError: Unknown backend.
    """
    from toolkit.registry import default_registry

    if backend not in BACKENDS:
        raise InputError(unknown_name("backend", backend, BACKENDS))
    registry = default_registry()
    chosen = backend if backend != "auto" else ("reference" if world == "full" else "embedded")
    metrics = OpenMetrics({}, {}, {})
    for name in dict.fromkeys(names):
        entry = registry.registrations.get(("metric", name))
        needs = entry.world if entry else ("embedded" if name.endswith(EMBEDDED_SUFFIX) else "")
        if needs and needs != _WORLD_OF.get(chosen):
            continue
        try:
            factory = registry.load("metric", name)
            sample = factory()
        except ToolkitError as error:
            absent = entry is None and name.endswith(EMBEDDED_SUFFIX)
            metrics.unavailable[name] = "no installed plugin offers this embedded network" if absent else str(error)
            continue
        smallest = int(getattr(sample, "smallest_side", 1))
        if image_size < smallest:
            metrics.unavailable[name] = f"needs pictures of at least {smallest} px, these have {image_size}"
            continue
        metrics.samples[name], metrics.factories[name] = sample, factory
    return metrics


@dataclass(frozen=True)
class Evidence:
    """Everything that one comparison offers to metrics; all on the CPU, batch of 1."""

    image: Tensor
    """[1, 3, S, S] in [-1, 1], rendered."""
    target: Tensor
    """[1, 3, S, S] in [-1, 1]."""
    camera: Camera
    regions: dict[str, Tensor] = field(default_factory=dict)
    """[1, 1, S, S] by name; metrics of images are repeated over each as `metric@region`."""
    depths: tuple[Tensor, Tensor] | None = None
    """Rendered and true, [1, 1, R, R]."""
    depth_regions: dict[str, Tensor] = field(default_factory=dict)
    """[1, 1, R, R] by name; the empty name is the whole."""
    masks: tuple[Tensor, Tensor] | None = None
    """Rendered and true, [1, 1, R, R]."""


@dataclass(frozen=True)
class Saying:
    """What a metric said about one comparison."""

    metric: str
    """Registered name, with `@region` where it looked at a part."""
    value: float
    used: int
    failed: int

    def as_json(self) -> dict[str, Any]:
        """As a record holds it."""
        return {"metric": self.metric, "value": self.value, "used": self.used, "failed": self.failed}


def score(metrics: OpenMetrics, evidence: Evidence) -> list[Saying]:
    """Ask every metric that can say something about this evidence."""
    sayings = []
    for name in metrics.samples:
        takes = getattr(metrics.samples[name], "takes", "images")
        for region, arguments in _arguments(takes, evidence).items():
            label = f"{name}@{region}" if region else name
            sayings.append(_ask(metrics.factories[name], label, arguments))
    return sayings


def _arguments(takes: str, evidence: Evidence) -> dict[str, tuple[Any, ...]]:
    pair = (evidence.image, evidence.target)
    if takes == "images":
        return {"": pair, **{name: (*pair, region) for name, region in evidence.regions.items()}}
    if takes == "pair":
        return {"": pair}
    if takes == "faces":
        return {"": (*pair, evidence.camera)}
    if takes == "camera":
        return {"": (evidence.image, evidence.camera)}
    if takes == "depth" and evidence.depths is not None:
        return {name: (*evidence.depths, region) for name, region in evidence.depth_regions.items()}
    if takes == "mask" and evidence.masks is not None:
        return {"": evidence.masks}
    return {}


def _ask(factory: Callable[[], Metric], label: str, arguments: tuple[Any, ...]) -> Saying:
    try:
        metric = factory()
        metric.update(*arguments)
        return Saying(label, *metric.compute())
    except Exception:  # a metric's failure costs its own number; it is counted
        return Saying(label, math.nan, 0, 1)
