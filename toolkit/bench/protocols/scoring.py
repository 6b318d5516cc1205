"""Scores: which metrics can be computed, and the value of each for one comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from torch import Tensor

from toolkit.bench.protocols.metric_inputs import MetricInputs, arguments_of
from toolkit.bench.records.units import ScoreRecord
from toolkit.camera import Camera
from toolkit.errors import InputError, PluginError, ToolkitError
from toolkit.interfaces import ComparesFeatures, Metric, NeedsSize, UsesNetworks
from toolkit.interfaces.metric import Direction, Takes
from toolkit.machine_failures import machine_failure
from toolkit.registry import Registration, unknown_name

Backend = Literal["auto", "none", "reference", "embedded"]
BACKENDS: tuple[Backend, ...] = ("auto", "none", "reference", "embedded")
_WORLD_OF = {"reference": "full", "embedded": "embedded"}
_OFFER = {world: f"; --backend {backend} computes it" for backend, world in _WORLD_OF.items()}


@dataclass(frozen=True)
class OpenMetrics:
    """Metrics that can be computed, and why the others cannot."""

    factories: dict[str, Callable[[], Metric]]
    samples: dict[str, Metric]
    """One of each, for its name, direction, unit and backend."""
    unavailable: dict[str, str]
    strangers: dict[str, Registration] = field(default_factory=dict)
    """Those that are neither the toolkit's nor a built-in plugin's: they get copies."""

    @property
    def networks(self) -> dict[str, dict[str, str]]:
        """sha256 of the files of each metric's networks, by metric and file; metrics without networks are left out."""
        files = {
            name: dict(sample.networks)
            for name, sample in sorted(self.samples.items())
            if isinstance(sample, UsesNetworks)
        }
        return {name: each for name, each in files.items() if each}

    def taking(self, *kinds: Takes) -> list[str]:
        """Names of the metrics that take one of these kinds of input."""
        return [name for name, metric in self.samples.items() if metric.takes in kinds]

    @property
    def distributions(self) -> dict[str, ComparesFeatures]:
        """The metrics that compare distributions of features, by name."""
        return {
            name: metric
            for name, metric in self.samples.items()
            if metric.takes == "distribution" and isinstance(metric, ComparesFeatures)
        }


def open_metrics(names: Iterable[str], backend: str, world: str, image_size: int, chosen: bool = False) -> OpenMetrics:
    """Build the metrics of a backend; those that cannot be computed are named with the reason.

    Args:
        names: Metrics of any backend; those of the other backend are left out.
        backend: 'auto' takes the generator's world's ('embedded' or 'full').
        world: The generator's world.
        image_size: Side in pixels of the pictures that will be compared.
        chosen: The user named these metrics: those of the other backend are listed as unavailable, too.

    Raises:
        InputError: Unknown backend.
    """
    from toolkit.registry import default_registry

    if backend not in BACKENDS:
        raise InputError(unknown_name("backend", backend, BACKENDS))
    registry = default_registry()
    used = backend if backend != "auto" else ("reference" if world == "full" else "embedded")
    metrics = OpenMetrics({}, {}, {})
    for name in dict.fromkeys(names):
        entry = registry.registrations.get(("metric", name))
        needs = entry.world if entry else ""
        if needs and needs != _WORLD_OF.get(used):
            if chosen:
                metrics.unavailable[name] = f"is not of this run's backend ({used}){_OFFER.get(needs, '')}"
            continue
        try:
            factory = registry.load("metric", name)
            sample = registry.build("metric", name)
        except ToolkitError as error:
            metrics.unavailable[name] = str(error)
            continue
        if not isinstance(sample, Metric):
            metrics.unavailable[name] = "is not a metric: it lacks a member of the contract, such as `takes`"
            continue
        if sample.direction not in get_args(Direction) or not isinstance(sample.unit, str):
            metrics.unavailable[name] = (
                "is not a metric: its direction is neither lower nor higher, or its unit no text"
            )
            continue
        if sample.takes == "distribution" and not isinstance(sample, ComparesFeatures):
            metrics.unavailable[name] = "takes a distribution, and offers no features to keep (`ComparesFeatures`)"
            continue
        if isinstance(sample, NeedsSize) and image_size < sample.smallest_side:
            wanted = f"needs pictures of at least {sample.smallest_side} px, these have {image_size}"
            metrics.unavailable[name] = wanted
            continue
        metrics.samples[name], metrics.factories[name] = sample, factory
        if entry is not None and entry.is_strangers:
            metrics.strangers[name] = entry
    return metrics


def score(metrics: OpenMetrics, inputs: MetricInputs) -> list[ScoreRecord]:
    """Ask every metric that can say something about one comparison."""
    scores, inputs = [], inputs.together()
    for name, metric in metrics.samples.items():
        for region, arguments in arguments_of(metric.takes, inputs).items():
            label = f"{name}@{region}" if region else name
            scores.append(ask(metrics, name, label, arguments))
    return scores


def no_score(label: str, failed: int = 1, error: str | None = None) -> ScoreRecord:
    """What is written down where a metric has no value."""
    return ScoreRecord(metric=label, value=None, used=0, failed=failed, error=error)


def ask(metrics: OpenMetrics, name: str, label: str, arguments: tuple[Any, ...]) -> ScoreRecord:
    """What one metric says about one comparison; its own failure is counted, the machine's is raised."""
    factory, entry = metrics.factories[name], metrics.strangers.get(name)
    try:
        if entry is None:
            return _scored(factory, label, arguments)
        with entry.running():  # its changes of the process are undone, and its inputs are copies
            found = _scored(factory, label, tuple(map(_copied, arguments)))
        return found if found.value is not None else no_score(label, failed=max(1, found.used + found.failed))
    except Exception as error:  # a metric's failure costs its own number; it is counted
        if machine_failure(error) is not None:
            raise
        return no_score(label, error=str(error) if isinstance(error, PluginError) else None)


def _scored(factory: Callable[[], Metric], label: str, arguments: tuple[Any, ...]) -> ScoreRecord:
    metric = factory()
    metric.update(*arguments)
    value, used, failed = metric.compute()
    return ScoreRecord(metric=label, value=float(value), used=used, failed=failed)


def _copied(argument: Any) -> Any:
    """A stranger's own, on the CPU."""
    if isinstance(argument, Tensor):
        return argument.to("cpu", copy=True)
    return Camera.from_label(argument.label.to("cpu", copy=True)) if isinstance(argument, Camera) else argument
