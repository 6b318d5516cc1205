"""Two methods on the same heads beside the same random heads: their difference, and when it is significant."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, run_suite
from toolkit.bench.protocols import paired_distances as module
from toolkit.bench.protocols.features import distance_of
from toolkit.bench.protocols.paired_distances import MethodFeatures, PairedDistances
from toolkit.bench.protocols.scoring import OpenMetrics
from toolkit.bench.report.compare import compare_runs
from toolkit.errors import InputError
from toolkit.metrics import DistributionMetric, FrechetMetric, KernelMetric
from toolkit.registry import Registry
from toolkit.testing.spherical import SphericalGenerator

COUNT, SIZE, DRAWS = 60, 24, 5
SPECTRUM = torch.linspace(1, 0.1, SIZE)


class Network:
    name, size = "net", SIZE

    def features(self, images: Tensor) -> Tensor:
        raise NotImplementedError


KINDS: dict[str, type[DistributionMetric]] = {"fd_lite": FrechetMetric, "kd_lite": KernelMetric}


def open_kind(name: str) -> DistributionMetric:
    return KINDS[name](Network(), name, "embedded")


FACTORIES = {name: functools.partial(open_kind, name) for name in KINDS}
METRICS = OpenMetrics(FACTORIES, {name: open_kind(name) for name in KINDS}, {})  # type: ignore[arg-type]


class World:
    """Random heads, and two methods with the same pictures: one spreads them, one draws them together."""

    def __init__(self, seed: int, widths: tuple[float, float] = (1.5, 0.6), shift: float = 0.1) -> None:
        source = torch.Generator().manual_seed(seed)

        def noise() -> Tensor:
            return torch.randn(COUNT, SIZE, generator=source)

        self.draws = [{"net": noise() * SPECTRUM} for _ in range(DRAWS)]
        pictures = noise() * SPECTRUM
        wide, narrow = pictures * widths[0] + 0.3 * noise(), pictures * widths[1] + 0.1 * noise() + shift
        places = list(range(COUNT))
        self.made = {"wide": MethodFeatures(places, {"net": wide}), "narrow": MethodFeatures(places, {"net": narrow})}

    def paired(self, name: str, subjects: Sequence[str] | None = None, **others: MethodFeatures) -> PairedDistances:
        names = subjects or [str(place) for place in range(COUNT)]
        return PairedDistances(METRICS, name, self.draws, {**self.made, **others}, names, 0)


EVERYTHING = range(COUNT)


@pytest.mark.parametrize("name", KINDS)
def test_the_difference_is_that_of_the_distances_themselves(name: str):
    world = World(0)
    found = world.paired(name).difference("wide", "narrow", EVERYTHING)
    values = [
        math.fsum(distance_of(METRICS, name, draw, world.made[method].features) for draw in world.draws) / DRAWS
        for method in ("wide", "narrow")
    ]
    assert found is not None
    assert found.difference == pytest.approx(values[0] - values[1])
    assert found.low < found.difference < found.high
    assert found.n == COUNT
    turned = world.paired(name).difference("narrow", "wide", EVERYTHING)
    assert turned is not None
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    same = world.paired(name).difference("wide", "wide", EVERYTHING)
    assert same == (0.0, 0.0, 0.0, COUNT)


@pytest.mark.parametrize("name", KINDS)
def test_the_interval_holds_the_true_difference_although_one_method_varies_more(
    name: str, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    """Without its shift, that of FID misses in one of five worlds; with copies compared, that of KID in nine of ten."""
    monkeypatch.setattr(module, "RESAMPLES", 60)
    differences = []
    for seed in range(200):
        world = World(1000 + seed)
        values = [distance_of(METRICS, name, world.draws[0], made.features) for made in world.made.values()]
        differences.append(values[0] - values[1])
    truth = math.fsum(differences) / len(differences)
    found = [World(seed).paired(name).difference("wide", "narrow", EVERYTHING) for seed in range(50)]
    holding = sum(each.low <= truth <= each.high for each in found if each is not None)
    assert holding >= 47


def test_what_cancels_in_a_pair_hides_nothing():
    """Two methods whose own distances spread more than they differ."""
    world = World(3, widths=(1.0, 1.0), shift=0.0)
    base = world.made["wide"].features["net"]
    better = MethodFeatures(world.made["wide"].places, {"net": base * 0.97})
    found = world.paired("fd_lite", better=better).difference("better", "wide", EVERYTHING)
    values = [distance_of(METRICS, "fd_lite", draw, {"net": base}) for draw in world.draws]
    assert found is not None
    assert found.high < 0
    assert max(values) - min(values) > abs(found.difference)


def test_only_common_pictures_with_finite_features_are_compared():
    world = World(4)
    features = world.made["wide"].features["net"].clone()
    features[7] = math.nan
    some = MethodFeatures(list(range(5, 45)), {"net": features[5:45]})
    found = world.paired("fd_lite", some=some).difference("some", "narrow", range(0, 40, 2))
    assert found is not None
    assert found.n == len(range(6, 40, 2))
    world.draws[2]["net"][8] = math.inf
    found = world.paired("fd_lite", some=some).difference("some", "narrow", range(0, 40, 2))
    assert found is not None and found.n == len(range(6, 40, 2)) - 1
    assert world.paired("fd_lite", some=some).difference("some", "narrow", range(5)) is None
    nothing = MethodFeatures([], {"net": torch.zeros(0, 0)})
    assert world.paired("fd_lite", nothing=nothing).difference("nothing", "narrow", EVERYTHING) is None


def test_a_subject_s_pictures_are_drawn_together():
    world = World(5)
    few = [str(place // 10) for place in range(COUNT)]
    together = world.paired("kd_lite", few).difference("wide", "narrow", EVERYTHING)
    alone = world.paired("kd_lite").difference("wide", "narrow", EVERYTHING)
    assert together is not None and alone is not None
    assert together.difference == alone.difference
    assert (together.low, together.high) != (alone.low, alone.high)


def test_what_would_take_hours_is_left_to_kid(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LARGEST", SIZE - 1)
    world = World(6)
    assert world.paired("fd_lite").difference("wide", "narrow", EVERYTHING) is None
    assert world.paired("kd_lite").difference("wide", "narrow", EVERYTHING) is not None


def test_a_run_compares_methods_whole_and_by_band(
    registry: Registry, spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path,
    method: Callable[..., ComparedMethod], protocol: Callable[..., ProtocolSettings],
):  # fmt: skip
    request = BenchRequest(protocol("fid360", "stripes-e", random_sides=3), str(heads_folder), tmp_path)
    results = run_suite([request], spherical, [method("one head", 0), method("broken", 0, fails_on=1),
                                             method("random", None)])  # fmt: skip
    pairs = {(pair.metric, pair.first, pair.second): pair for pair in results.comparisons}
    methods = [("one head", "broken"), ("one head", "random"), ("broken", "random")]
    labels = ["stripes-e", "stripes-e@front", "stripes-e@side", "stripes-e@back"]
    assert list(pairs) == [(label, *pair) for label in labels for pair in methods]
    rows = {(row.metric, row.method): row.value for row in results.rows}
    whole = pairs["stripes-e", "one head", "random"]
    assert whole.difference == pytest.approx(rows["stripes-e", "one head"] - rows["stripes-e", "random"])
    assert (whole.protocol, whole.data, whole.n) == ("fid360", heads_folder.name, 12)
    assert pairs["stripes-e", "one head", "broken"].n == 11
    run = results.runs[f"fid360 on {heads_folder.name}"]
    assert f"{module.RESAMPLES} times" in run.comparison
    assert run.comparison.split(";")[0] in (tmp_path / "report.html").read_text()


def test_methods_of_two_runs_are_compared_as_those_of_one(
    registry: Registry, spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path,
    method: Callable[..., ComparedMethod], protocol: Callable[..., ProtocolSettings],
):  # fmt: skip
    both = [method("one head", 0), method("random", None)]
    runs = {"one": both, "a": both[:1], "b": both[1:]}
    wanted = protocol("fid360", "stripes-e", random_sides=3)
    found = {
        name: run_suite([BenchRequest(wanted, str(heads_folder), tmp_path / name)], spherical, methods)
        for name, methods in runs.items()
    }
    folders = (tmp_path / "a", tmp_path / "b")
    (pair,) = compare_runs(found["a"], found["b"], folders).comparisons
    assert pair.as_json() == found["one"].comparisons[0].as_json() | {"direction": "lower"}
    with pytest.raises(InputError, match="no method of either has a value per picture"):
        compare_runs(found["a"], found["b"])
    row = next(row for row in found["b"].rows if (row.method, row.metric) == ("random", "stripes-e"))
    changed = found["b"].model_copy(update={"rows": [row.model_copy(update={"value": row.value + 1})]})
    with pytest.raises(InputError, match="not those of their results"):
        compare_runs(found["a"], changed, folders)
    for file in (tmp_path / "a" / "features").glob("random-*"):
        file.unlink()
    with pytest.raises(InputError, match="share no 12 random heads"):
        compare_runs(found["a"], found["b"], folders)


def test_what_lost_its_features_is_refused(
    registry: Registry, spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path,
    method: Callable[..., ComparedMethod], protocol: Callable[..., ProtocolSettings],
):  # fmt: skip
    request = BenchRequest(protocol("fid360", "stripes-e", random_sides=2), str(heads_folder), tmp_path)
    found = run_suite([request], spherical, [method("m", 0)])
    (pair,) = compare_runs(found, found, (tmp_path, tmp_path)).comparisons
    assert (pair.difference, pair.low, pair.high) == (0, 0, 0)
    next((tmp_path / "features").glob("*-of-12.safetensors")).unlink()
    with pytest.raises(InputError, match=r"fid360 on .*safetensors"):
        compare_runs(found, found, (tmp_path, tmp_path))
