from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from toolkit.bench.protocols.comparisons import compare_all, paired_difference, value_tables
from toolkit.bench.protocols.rows import RowOrigin
from toolkit.bench.records.schema import EngineEntry, Environment, Machine, Results
from toolkit.bench.records.units import CellRecord
from toolkit.bench.report.compare import as_text, compare_runs
from toolkit.bench.subjects.inputs import BenchItem
from toolkit.errors import InputError
from toolkit.metrics import L2

ORIGIN = RowOrigin("reconstruction", "embedded", "heads", 0)
ITEMS = [f"item {index}" for index in range(40)]
HARD = {item: float(value) for item, value in zip(ITEMS, np.random.default_rng(0).uniform(0, 10, 40), strict=True)}


def test_pairing_tells_what_the_spread_over_pictures_hides():
    better = {item: value - 0.1 + 0.02 * math.sin(index) for index, (item, value) in enumerate(HARD.items())}
    found = paired_difference(better, HARD, {item: item for item in ITEMS}, 0)
    assert found is not None
    assert found.difference == pytest.approx(-0.1, abs=0.01)
    assert found.low < found.difference < found.high < 0
    assert found.n == 40
    assert paired_difference({"a": 1.0}, {"b": 1.0}, {}, 0) is None


def test_a_methods_difference_from_itself_is_nothing():
    found = paired_difference(HARD, HARD, {}, 0)
    assert found == (0.0, 0.0, 0.0, 40)


def record(item: str, value: float | None) -> CellRecord:
    score = {"metric": "l2", "value": value, "used": 1, "failed": 0}
    return CellRecord(protocol="reconstruction", method="m", item=item, error=None, scores=[score])


def test_every_two_methods_are_compared_on_what_both_did():
    records = {
        "a": [record("1", 1.0), record("2", 2.0), record("3", None)],
        "b": [record("1", 2.0), record("2", 4.0), record("3", 9.0)],
        "c": [CellRecord(protocol="reconstruction", method="c", item="1", error="crashed", stage="invert")],
    }
    tables = value_tables(ORIGIN, records, {"l2": L2()})
    assert [(table.method, table.values) for table in tables] == [
        ("a", {"1": 1.0, "2": 2.0}),
        ("b", {"1": 2.0, "2": 4.0, "3": 9.0}),
    ]
    (pair,) = compare_all(ORIGIN, [BenchItem(item, item) for item in "123"], tables)
    assert (pair.first, pair.second, pair.difference, pair.n) == ("a", "b", -1.5, 2)


def results(offset: float) -> Results:
    origin = {"protocol": "reconstruction", "data": "heads"}
    row = {**origin, "method": "m", "metric": "l2", "value": 1.0, "low": 1.0, "high": 1.0, "n": 40, "failed": 0}
    row |= {"direction": "lower", "unit": "", "backend": "none", "world": "embedded"}
    run = {**origin, "settings": {"digest": "1", "seed": 0}, "pictures": {"cells": 40}, "image_size": 128}
    values = {item: value + offset for item, value in HARD.items()}
    return Results.model_validate(
        {
            "generator": {"name": "mini", "fingerprint": "", "world": "embedded"},
            "runs": {"reconstruction on heads": run},
            "rows": [row],
            "cells": [{**origin, "item": item, "subject": item, "pictures": item} for item in ITEMS],
            "values": [{**origin, "method": "m", "metric": "l2", "values": values}],
        }
    )


def test_two_runs_are_compared_picture_by_picture():
    found = compare_runs(results(0.0), results(0.5))
    (entry,) = found.comparisons
    assert entry.difference == pytest.approx(-0.5)
    assert "first" in as_text(found).splitlines()[-1].split()[-1]
    assert "cannot be told" in as_text(compare_runs(results(0.0), results(0.0)))


def with_effort(offset: float) -> Results:
    """Results with seconds beside L2."""
    found = results(offset)
    found.rows.append(found.rows[0].model_copy(update={"metric": "seconds"}))
    found.values.append(found.values[0].model_copy(update={"metric": "seconds"}))
    run = found.runs["reconstruction on heads"]
    run.machine = Machine(device="cpu", processor="any", cores=2)
    run.environment, run.engine = Environment(threads=1), EngineEntry(name="local", workers=1)
    return found


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("machine", {"cores": 64}, "another number of cores: 2 and 64"),
        ("machine", {"device": "H200"}, "another device"),
        ("environment", {"threads": 8}, "another number of threads"),
        ("engine", {"workers": 2}, "another number of workers"),
    ],
)
def test_seconds_are_compared_on_one_kind_of_machine_only(part: str, change: dict[str, object], words: str):
    assert {entry.metric for entry in compare_runs(with_effort(0), with_effort(1)).comparisons} == {"l2", "seconds"}
    other = with_effort(1).as_json()
    other["runs"]["reconstruction on heads"][part].update(change)
    found = compare_runs(with_effort(0), Results.model_validate(other))
    assert {entry.metric for entry in found.comparisons} == {"l2"}
    (sentence,) = found.refused
    assert "seconds was taken with" in sentence and words in sentence


def test_metrics_of_other_networks_are_refused_by_name():
    one, other = with_effort(0), with_effort(1)
    for found, digest in ((one, "a"), (other, "b")):
        found.runs["reconstruction on heads"].networks = {"l2": {"net.pth": digest}}
    found = compare_runs(one, other)
    assert {entry.metric for entry in found.comparisons} == {"seconds"}
    assert found.refused == ["reconstruction on heads: l2 was computed by another network (net.pth differs)"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda other: other["runs"]["reconstruction on heads"]["settings"].update(digest="2"), "protocols differ"),
        (lambda other: other["runs"]["reconstruction on heads"].update(image_size=512), "128 and 512 px"),
        (lambda other: other["rows"][0].update(world="full"), "another world"),
        (lambda other: other["rows"][0].update(backend="reference"), "another backend"),
        (lambda other: other["cells"].clear(), "no picture in common"),
        (lambda other: other["cells"][1].update(pictures="replaced"), "of the same name differ"),
        (lambda other: other.update(values=[]), "no method of either has a value per picture"),
        (lambda other: other.update(runs={}), "nothing that may be compared"),
    ],
)
def test_apples_are_not_compared_with_oranges(change: Callable[[dict[str, Any]], None], words: str):
    other = results(0.5).as_json()
    change(other)
    with pytest.raises(InputError, match=words):
        compare_runs(results(0.0), Results.model_validate(other))
