"""The conformance suite, run on a registered part: one line per check, whatever the plugin does.

A part that needs weights, a package or another generator is not failed for it: the line says what was not checked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, cast

import torch

from toolkit.configuration import config_names, config_path
from toolkit.errors import CapabilityError, MissingDependencyError, ToolkitError, WeightsError
from toolkit.interfaces import Generator, Makeable, MakeRequest, WritesSample
from toolkit.registry import Registration, Registry
from toolkit.testing import conformance
from toolkit.testing.file_checks import check_architecture, check_method_file, check_protocol
from toolkit.testing.inversion_checks import ENCODER_CHECKS, METHOD_CHECKS, EncoderProbe, MethodProbe
from toolkit.testing.part_checks import check_dataset, check_metric, check_sample, check_stitcher
from toolkit.testing.small_part_checks import (
    check_discriminator,
    check_face_embedder,
    check_loss,
    check_matting,
    check_perceptual,
    check_pose_estimator,
)
from toolkit.testing.spherical import build_spherical
from toolkit.testing.training_checks import WEIGHTS_FILE, check_training

_Found = TypeVar("_Found")
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
    """What the caller provides."""

    weights: Path | None = None
    """Weights of the part itself."""
    data: Path | None = None
    """A data set in the layout of the reader that is checked."""
    generators: tuple[str, ...] = ("panohead-mini",)
    """Registered generators to check with, beside the spherical one of the suite."""
    overrides: tuple[str, ...] = ()
    """Settings that make a training small."""
    config: Path | None = None
    """Configuration of a training that is small."""
    trained: Path | None = None
    """Folder in which the file of that training is left."""
    has_configuration: bool = True
    """Whether the training has one, so that it may be large unless something makes it small."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of a method."""
    device: str = "cpu"
    """Where generators, and what is built for them, are."""


def check_all(entries: Sequence[Registration], registry: Registry, given: Given) -> Iterator[tuple[str, list[Line]]]:
    """Check several parts; the file that a training's check leaves is the weights of the encoder of its name.

    Args:
        entries: What is checked; trainings come first.
        registry: Where they and the generators stand.
        given: Weights, data and settings.

    Yields:
        Kind and name, and what became of every check.
    """
    trained: dict[str, Path] = {}
    with tempfile.TemporaryDirectory() as place:
        for entry in sorted(entries, key=lambda entry: entry.kind != "trainable"):
            own = given
            if entry.kind == "trainable":
                own = replace(
                    given,
                    config=given.config or small_training(entry),
                    trained=Path(place) / entry.name,
                    has_configuration=f"training/{entry.name}" in config_names(),
                )
            elif entry.kind in ("encoder", "method") and given.weights is None:
                own = replace(given, weights=trained.get(entry.name))
            yield f"{entry.kind.replace('_', ' ')} {entry.name}", check_registered(entry, registry, own)
            if own.trained is not None and (own.trained / WEIGHTS_FILE).is_file():
                trained[entry.name] = own.trained / WEIGHTS_FILE


def small_training(entry: Registration) -> Path | None:
    """The configuration `training/NAME-check` of a plugin, a training of a few steps; None where there is none."""
    name = f"training/{entry.name}-check"
    return config_path(name) if name in config_names() else None


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
    return [Line("loads", "passed"), *_CHECKS[entry.kind](factory, registry, given)]


def _generators(registry: Registry, given: Given) -> Iterator[tuple[str, Generator]]:
    yield "spherical", build_spherical(device=given.device)
    for name in given.generators:
        try:
            yield name, registry.load("generator", name)(None, given.device)
        except ToolkitError:
            continue


def _on_generators(registry: Registry, given: Given, run: Callable[[Generator], None], what: str) -> Iterator[Line]:
    for name, generator in _generators(registry, given):
        yield _line(f"{what} on {name}", lambda model=generator: run(model))  # type: ignore[misc]  # a default binds it


def _named_checks(
    registry: Registry, given: Given, probe: Callable[[Generator], Any], checks: Mapping[str, Callable[[Any], None]]
) -> Iterator[Line]:
    """Every check on every generator; where a part cannot be built, one line says so."""
    for name, generator in _generators(registry, given):
        made: list[Any] = []
        first = _line(f"builds for {name}", lambda model=generator, made=made: made.append(probe(model)))  # type: ignore[misc]  # as above
        yield first
        for check, run in checks.items() if made else ():
            line = _line(f"{check} on {name}", lambda run=run, made=made: run(made[0]))  # type: ignore[misc]  # as above
            yield line
            if line.verdict == "not checked":
                break  # what the first check could not do, the others cannot either


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
    first = _line("builds", lambda: built.append(factory(given.weights, given.device)))
    if not built:
        return [first]
    probe = conformance.GeneratorProbe(built[0])
    checks = conformance.generator_checks(built[0])
    return [first, *(_line(name, lambda check=check: check(probe)) for name, check in checks.items())]  # type: ignore[misc]  # as above


def _encoder(factory: Any, registry: Registry, given: Given) -> list[Line]:
    def probe(generator: Generator) -> EncoderProbe:
        return EncoderProbe(factory(generator, given.weights), generator)

    return list(_named_checks(registry, given, probe, ENCODER_CHECKS))


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
    def probe(generator: Generator) -> MethodProbe:
        return MethodProbe(factory(generator, given.weights, dict(given.options)), generator)

    return list(_named_checks(registry, given, probe, METHOD_CHECKS))


def _training(factory: Any, registry: Registry, given: Given) -> list[Line]:
    if given.has_configuration and not given.overrides and given.config is None:
        reason = "name settings that make it small (--set images.steps=3), or ship configs/training/NAME-check.yaml"
        return [Line("trains", "not checked", reason)]

    def run() -> None:
        with tempfile.TemporaryDirectory() as unnamed:
            folder = given.trained or Path(unnamed)
            folder.mkdir(exist_ok=True)
            check_training(lambda: factory(given.config, given.overrides, given.device), folder)

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
    opener: Callable[[Path], Any] = cast(Any, factory)
    if given.data is not None:
        return [_line("reads", lambda: check_dataset(factory(given.data)))]
    if isinstance(factory, WritesSample):
        owner: WritesSample = factory

        def sample(folder: Path) -> None:
            check_sample(owner, opener, folder)

        return [_line("writes a sample and reads it", lambda: _in_folder(sample))]
    if not isinstance(factory, Makeable):
        return [_in_folder(lambda folder: _reads_nothing(opener, folder))]
    maker: Makeable = factory

    def run(folder: Path) -> None:
        request = MakeRequest(folder / "set", 2, "val", 0, "clean", ("front", "back"), 48)
        check_dataset(opener(maker.make(request)))

    return [_line("makes and reads itself", lambda: _in_folder(run))]


def _reads_nothing(opener: Callable[[Path], Any], folder: Path) -> Line:
    """A data set that needs no files is read without any."""
    try:
        dataset = opener(folder)
        count = len(dataset)
    except Exception:  # it needs files, and says so in its own way
        count = 0
    if not count:
        reason = "name a data set in its layout with --data; a reader with write_sample needs none"
        return Line("reads", "not checked", reason)
    return _line("reads", lambda: check_dataset(dataset))


def _in_folder(run: Callable[[Path], _Found]) -> _Found:
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder))


def _loss(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [_line("compares", lambda: check_loss(factory()))]


def _perceptual(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [_line("measures", lambda: check_perceptual(factory(given.weights)))]


def _pose_estimator(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [_line("estimates", lambda: check_pose_estimator(factory(), build_spherical()))]


def _matting(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [_line("cuts out", lambda: check_matting(factory()))]


def _architecture(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [_line("recognises its own", lambda: check_architecture(factory()))]


def _method_file(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [_line("names its networks", lambda: check_method_file(factory()))]


def _protocol(factory: Any, registry: Registry, given: Given) -> list[Line]:
    return [_line("has what it needs", lambda: check_protocol(factory))]


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
    "loss": _loss,
    "pose_estimator": _pose_estimator,
    "matting": _matting,
    "face_embedder": _face_embedder,
    "architecture": _architecture,
    "method_file": _method_file,
    "protocol": _protocol,
}
