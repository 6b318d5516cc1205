"""The conformance suite run on something that is registered: one line per check, whatever the plugin does.

A part that needs weights, a package or another generator is not failed for it: the line says what was not checked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch

from toolkit.errors import CapabilityError, MissingDependencyError, ToolkitError, WeightsError
from toolkit.interfaces import Generator, Makeable, MakeRequest
from toolkit.registry import Registration, Registry
from toolkit.testing import conformance
from toolkit.testing.part_checks import check_dataset, check_encoder, check_method, check_metric, check_stitcher
from toolkit.testing.small_part_checks import (
    check_discriminator,
    check_face_embedder,
    check_matting,
    check_perceptual,
    check_pose_estimator,
)
from toolkit.testing.spherical import build_spherical
from toolkit.testing.training_checks import check_training

Verdict = Literal["passed", "failed", "not checked"]
PLANE_SHAPES = ((3, 12, 8, 8), (2, 6, 6, 12, 4), (2, 3, 4, 6, 6))
"""Shapes of planes that a stitcher must take: tri-grids, maps with channels last, two balls."""
_NEEDS = (CapabilityError, WeightsError, MissingDependencyError)


class Line(NamedTuple):
    """What became of one check."""

    check: str
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Given:
    """What the caller brings along."""

    weights: Path | None = None
    """Weights of the part itself."""
    data: Path | None = None
    """A data set in the layout of the reader that is checked."""
    generators: tuple[str, ...] = ("panohead-mini",)
    """Registered generators to check with, beside the spherical one of the suite."""
    overrides: tuple[str, ...] = ()
    """Settings that make a training small."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of a method."""


def check_registered(entry: Registration, registry: Registry, given: Given) -> list[Line]:
    """Run every check that applies to a registered part.

    Args:
        entry: What is checked.
        registry: Where it and the generators stand.
        given: Weights, data and settings.
    """
    try:
        factory = entry.load()
    except Exception as error:  # whatever a stranger's module raises
        return [Line("loads", "failed", _sentence(error))]
    checks = _CHECKS.get(entry.kind)
    if checks is None:
        return [Line("loads", "passed")]
    return [Line("loads", "passed"), *checks(factory, registry, given)]


def _generators(registry: Registry, given: Given) -> Iterator[tuple[str, Generator]]:
    yield "spherical", build_spherical()
    for name in given.generators:
        try:
            yield name, registry.load("generator", name)(None, "cpu")
        except ToolkitError:
            continue


def _on_generators(registry: Registry, given: Given, run: Callable[[Generator], None], what: str) -> Iterator[Line]:
    for name, generator in _generators(registry, given):
        yield _line(f"{what} on {name}", lambda model=generator: run(model))  # type: ignore[misc]  # a default binds it


def _line(check: str, run: Callable[[], object]) -> Line:
    try:
        with torch.random.fork_rng(devices=[]):
            run()
    except _NEEDS as error:
        return Line(check, "not checked", _sentence(error))
    except Exception as error:  # whatever a stranger's code raises
        return Line(check, "failed", _sentence(error))
    return Line(check, "passed")


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, (ToolkitError, AssertionError)) and text else f"{type(error).__name__}: {text}"


def _generator(factory: Any, registry: Registry, given: Given) -> list[Line]:
    built: list[Generator] = []
    first = _line("builds", lambda: built.append(factory(given.weights, "cpu")))
    if not built:
        return [first]
    probe = conformance.GeneratorProbe(built[0])
    checks = conformance.generator_checks(built[0])
    return [first, *(_line(name, lambda check=check: check(probe)) for name, check in checks.items())]  # type: ignore[misc]  # as above


def _encoder(factory: Any, registry: Registry, given: Given) -> list[Line]:
    def run(generator: Generator) -> None:
        check_encoder(factory(generator, given.weights), generator)

    return list(_on_generators(registry, given, run, "encodes"))


def _discriminator(factory: Any, registry: Registry, given: Given) -> list[Line]:
    def run(generator: Generator) -> None:
        check_discriminator(factory(generator, given.weights), generator)

    return list(_on_generators(registry, given, run, "judges"))


def _stitcher(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [
        _line(f"stitches planes of shape {list(shape)}", lambda shape=shape: check_stitcher(factory(), shape))  # type: ignore[misc]  # as above
        for shape in PLANE_SHAPES
    ]


def _method(factory: Any, registry: Registry, given: Given) -> list[Line]:
    def run(generator: Generator) -> None:
        check_method(factory(generator, given.weights, dict(given.options)), generator)

    return list(_on_generators(registry, given, run, "inverts"))


def _training(factory: Any, registry: Registry, given: Given) -> list[Line]:
    if not given.overrides:
        return [Line("trains", "not checked", "name settings that make it small, --set images.steps=3 for example")]

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            check_training(lambda: factory(None, given.overrides, "cpu"), Path(folder))

    return [_line("trains", run)]


def _metric(factory: Any, registry: Registry, given: Given) -> list[Line]:
    made: list[Any] = []
    first = _line("builds", lambda: made.append(factory()))
    if not made:
        return [first]
    batches = metric_batches(str(made[0].takes))
    if batches is None:
        return [first, Line("scores", "failed", f"takes must be a known kind of input, got {made[0].takes!r}")]
    return [first, _line("scores", lambda: check_metric(factory, batches))]


def metric_batches(takes: str) -> list[tuple[Any, ...]] | None:
    """Batches for a metric, by what its `update` takes; None where that is unknown."""
    from toolkit.camera import Camera

    source = torch.Generator().manual_seed(0)

    def pictures(count: int = 4) -> torch.Tensor:
        coarse = torch.rand(count, 3, 16, 16, generator=source) * 2 - 1
        return torch.nn.functional.interpolate(coarse, size=(256, 256), mode="bilinear")

    ones = torch.ones(4, 1, 256, 256)
    camera = Camera.orbit(torch.linspace(-0.5, 0.5, 4))
    makers: dict[str, Callable[[], list[tuple[Any, ...]]]] = {
        "images": lambda: [(pictures(), pictures()) for _ in range(2)],
        "pair": lambda: [(pictures(), pictures()) for _ in range(2)],
        "faces": lambda: [(pictures(), pictures(), camera) for _ in range(2)],
        "distribution": lambda: [(pictures(), real) for real in (True, False, True, False)],
        "camera": lambda: [(pictures(), camera) for _ in range(2)],
        "depth": lambda: (
            [(2 + torch.rand(4, 1, 64, 64, generator=source), 2 * ones[..., :64, :64], ones[..., :64, :64])] * 2
        ),
        "mask": lambda: [(torch.rand(4, 1, 64, 64, generator=source), ones[..., :64, :64])] * 2,
        "number": lambda: [(torch.rand(4, generator=source),) for _ in range(2)],
    }
    return makers[takes]() if takes in makers else None


def _dataset(factory: Any, registry: Registry, given: Given) -> list[Line]:
    if given.data is not None:
        return [_line("reads", lambda: check_dataset(factory(given.data)))]
    if not isinstance(factory, Makeable):
        return [Line("reads", "not checked", "name a data set in its layout with --data")]
    maker: Makeable = factory
    opener: Callable[[Path], Any] = cast(Any, factory)

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            request = MakeRequest(Path(folder) / "set", 2, "val", 0, "clean", ("front", "back"), 48)
            check_dataset(opener(maker.make(request)))

    return [_line("makes and reads itself", run)]


def _perceptual(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [_line("measures", lambda: check_perceptual(factory(given.weights)))]


def _pose_estimator(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [_line("estimates", lambda: check_pose_estimator(factory(), build_spherical()))]


def _matting(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [_line("cuts out", lambda: check_matting(factory()))]


def _face_embedder(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [_line("embeds", lambda: check_face_embedder(factory()))]


_CHECKS: dict[str, Callable[[Any, Registry, Given], list[Line]]] = {
    "generator": _generator,
    "encoder": _encoder,
    "discriminator": _discriminator,
    "stitcher": _stitcher,
    "method": _method,
    "trainable": _training,
    "metric": _metric,
    "dataset": _dataset,
    "perceptual_distance": _perceptual,
    "pose_estimator": _pose_estimator,
    "matting": _matting,
    "face_embedder": _face_embedder,
}
