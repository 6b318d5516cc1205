"""Several runs in one folder: what an earlier one found stays, or the new one is refused before any work."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, read_results, rehearse_suite, run_suite
from toolkit.bench.records.schema import Results
from toolkit.errors import InputError
from toolkit.registry import Registry
from toolkit.testing.spherical import SphericalGenerator

Make = Callable[..., ComparedMethod]
Requests = Callable[..., list[BenchRequest]]


@pytest.fixture
def requests(
    registry: Registry, heads_folder: Path, tmp_path: Path, protocol: Callable[..., ProtocolSettings]
) -> Requests:
    def make(folder: str = "out", limit: int | None = None, metrics: tuple[str, ...] = ("l2",)) -> list[BenchRequest]:
        settings = [
            protocol("reconstruction", *metrics, input_yaws=(0.0,)),
            protocol("fid360", "stripes-e", random_sides=2, input_yaws=(0.0,)),
        ]
        return [
            BenchRequest(each, str(heads_folder), tmp_path / folder, limit, command=f"bench {folder}")
            for each in settings
        ]

    return make


def numbers(results: Results) -> dict[tuple[str, str, str], float | None]:
    return {(row.method, row.protocol, row.metric): row.value for row in results.rows}


def pairs(results: Results) -> set[tuple[str, frozenset[str]]]:
    return {(each.protocol, frozenset((each.first, each.second))) for each in results.comparisons}


def test_a_second_run_with_other_methods_keeps_the_first_ones_rows_and_compares_them(
    spherical: SphericalGenerator, requests: Requests, method: Make, tmp_path: Path
):
    first = run_suite(requests(), spherical, [method("a", 0), method("b", 1)])
    again = method("a", 0)
    second = run_suite(requests(), spherical, [method("c", 2)])
    whole = run_suite(requests("whole"), spherical, [again, method("b", 1), method("c", 2)])
    assert numbers(second) == numbers(whole)
    assert numbers(first).items() <= numbers(second).items()
    assert pairs(second) == pairs(whole) and len(pairs(whole)) == 2 * 3
    assert sorted(second.comparisons, key=str) == sorted(whole.comparisons, key=str)
    assert second.values == whole.values
    assert {head.method for head in second.heads} == {"a", "b", "c", None}
    assert read_results(tmp_path / "out").as_json() == second.as_json()
    for run in second.runs.values():
        assert list(run.methods) == ["a", "b", "c"]
        assert [entry.command for entry in run.methods.values()] == ["bench out", "bench out", ""]


def test_a_method_that_is_named_again_replaces_its_own_rows_only(
    spherical: SphericalGenerator, requests: Requests, method: Make
):
    first = run_suite(requests(), spherical, [method("a", 0), method("b", 1)])
    changed = ComparedMethod("b", method("b", 5).inverter, {"seed": 5})
    second = run_suite(requests(), spherical, [changed])
    before, after = numbers(first), numbers(second)
    assert before.keys() == after.keys()
    assert {key[0] for key in before if before[key] != after[key]} == {"b"}


def test_failures_and_unfinished_methods_of_an_earlier_run_are_carried_along(
    spherical: SphericalGenerator, requests: Requests, method: Make
):
    first = run_suite(requests(), spherical, [method("fragile", 0, fails_on=2)])
    second = run_suite(requests(), spherical, [method("solid", 0)])
    assert [each for each in second.failures if each.method == "fragile"] == first.failures
    assert first.failures


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"limit": 2}, "of 3 items, this run is of 2"),
        ({"metrics": ("l2", "ssim")}, "with other settings, pictures or metrics"),
        ({"metrics": ("psnr",)}, "with other settings, pictures or metrics"),
    ],
)
def test_a_run_whose_numbers_would_not_belong_beside_the_earlier_ones_is_refused_before_any_work(
    spherical: SphericalGenerator, requests: Requests, method: Make, tmp_path: Path, others: dict, words: str
):
    run_suite(requests(), spherical, [method("a", 0)])
    before = (tmp_path / "out" / "results.json").read_bytes()
    new = method("c", 2)
    for attempt in (run_suite, rehearse_suite):
        with pytest.raises(InputError, match=words) as caught:
            attempt(requests(**others), spherical, [new])
        assert "holds results of a" in str(caught.value) and "--out" in str(caught.value)
    assert new.inverter.calls == 0
    assert (tmp_path / "out" / "results.json").read_bytes() == before
    both = run_suite(requests(**others), spherical, [method("a", 0), new])  # as the sentence says
    assert {row.method for row in both.rows} == {"a", "c", "floor"}


def test_replaced_pictures_and_lost_features_are_refused_too(
    spherical: SphericalGenerator, requests: Requests, method: Make, own_heads: Path, tmp_path: Path
):
    def own() -> list[BenchRequest]:
        return [BenchRequest(each.settings, str(own_heads), each.out) for each in requests()]

    run_suite(own(), spherical, [method("a", 0)])
    shutil.rmtree(tmp_path / "out" / "features")
    with pytest.raises(InputError, match=r"results of a \(fid360\)"):
        run_suite(own(), spherical, [method("c", 2)])
    shutil.copy(own_heads / "00002" / "yaw_0.png", own_heads / "00001" / "yaw_0.png")
    with pytest.raises(InputError, match=r"results of a \(reconstruction\) with other settings, pictures"):
        run_suite(own(), spherical, [method("c", 2)])


def test_seconds_of_another_place_never_stand_beside_these(
    spherical: SphericalGenerator, requests: Requests, method: Make, tmp_path: Path
):
    asked = requests(metrics=("l2", "seconds"))[:1]
    found = run_suite(asked, spherical, [method("a", 0)])
    for run in found.runs.values():
        run.machine.cores = 999
    (tmp_path / "out" / "results.json").write_text(found.model_dump_json(exclude_unset=True))
    with pytest.raises(InputError, match="seconds were taken with another number of cores: 999"):
        run_suite(asked, spherical, [method("c", 2)])


def test_results_that_cannot_be_read_are_never_dropped(
    spherical: SphericalGenerator, requests: Requests, method: Make, tmp_path: Path
):
    run_suite(requests()[:1], spherical, [method("a", 0)])
    path = tmp_path / "out" / "results.json"
    path.write_text(path.read_text()[:-9])
    with pytest.raises(InputError, match="no results of toolkit bench"):
        run_suite(requests()[:1], spherical, [method("c", 2)])
    assert path.read_text()


def bent(path: Path, change: Callable[[dict], object]) -> bytes:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path.read_bytes()


@pytest.fixture
def ran(
    spherical: SphericalGenerator,
    requests: Requests,
    method: Make,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """`results.json` of a folder that holds what a run of `a` by both protocols found; it is run once."""
    kept = tmp_path_factory.getbasetemp() / "ran"
    if not kept.exists():
        run_suite(requests(), spherical, [method("a", 0)])
        shutil.copytree(tmp_path / "out", kept)
    return shutil.copytree(kept, tmp_path / "out", dirs_exist_ok=True) / "results.json"


def test_a_smaller_limit_never_narrows_the_rows_of_other_methods(
    spherical: SphericalGenerator, requests: Requests, method: Make, ran: Path
):
    before, new = (ran.read_bytes(), ran.with_name("wanted.json").read_bytes()), method("c", 2)
    for limit in (1, 2):
        with pytest.raises(InputError, match=f"results of a .* of 3 items, this run is of {limit}: name these"):
            run_suite(requests(limit=limit)[:1], spherical, [new])
    assert new.inverter.calls == 0 and (ran.read_bytes(), ran.with_name("wanted.json").read_bytes()) == before


@pytest.mark.parametrize("empties", [("rows",), ("rows", "values", "cells", "comparisons", "heads")])
def test_rows_that_were_taken_out_of_results_come_back_from_the_records(
    spherical: SphericalGenerator, requests: Requests, method: Make, ran: Path, empties: tuple[str, ...]
):
    first = read_results(ran)
    bent(ran, lambda document: document.update({key: [] for key in empties}))
    second = run_suite(requests()[:1], spherical, [method("c", 2)])
    measured = {key: value for key, value in numbers(first).items() if key[1] == "reconstruction"}
    assert measured and measured.items() <= numbers(second).items()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda document: document.update(rows=[]), "with other settings"),
        (lambda document: document.update(runs={}), "without saying how they were run"),
        (lambda document: [run.update(methods={}) for run in document["runs"].values()], "without saying how"),
        (lambda document: document["generator"].update(name="another"), "with generator 'another'"),
        (lambda document: document["generator"].update(fingerprint="another"), "with other weights of generator"),
    ],
)
def test_results_that_cannot_be_carried_along_are_not_replaced(
    spherical: SphericalGenerator, requests: Requests, method: Make, ran: Path, change: Callable, words: str
):
    ran.with_name("cells.jsonl").unlink()
    before, new = bent(ran, change), method("c", 2)
    for attempt in (run_suite, rehearse_suite):
        with pytest.raises(InputError, match=f"holds results of a .*{words}"):
            attempt(requests()[:1], spherical, [new])
    assert new.inverter.calls == 0 and ran.read_bytes() == before


def test_rows_of_a_protocol_that_this_run_cannot_measure_are_not_dropped(
    spherical: SphericalGenerator, requests: Requests, method: Make, ran: Path
):
    before = ran.read_bytes()
    with pytest.raises(InputError, match=r"results of a \(fid360\) which this run cannot measure \(.*two pictures"):
        run_suite(requests(limit=1), spherical, [method("a", 0)])
    assert ran.read_bytes() == before


def test_results_that_another_process_wrote_meanwhile_are_not_dropped(
    spherical: SphericalGenerator, requests: Requests, method: Make, ran: Path
):
    theirs, mine = ran.read_bytes(), method("c", 2)
    ran.unlink()
    invert = mine.inverter.invert

    def slowly(*arguments: object) -> object:
        ran.write_bytes(theirs)
        return invert(*arguments)

    mine.inverter.invert = slowly
    with pytest.raises(InputError, match=r"another process has written results of a .*run this command again"):
        run_suite(requests()[:1], spherical, [mine])
    assert ran.read_bytes() == theirs
    both = run_suite(requests()[:1], spherical, [method("c", 2)])
    assert {row.method for row in both.rows if row.protocol == "reconstruction"} == {"a", "c"}
