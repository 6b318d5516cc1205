from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import bootstrap

from toolkit.bench.protocols.rows import RowOrigin, mean_interval, paired_rows
from toolkit.bench.records.store import Store, file_name, key_of
from toolkit.bench.records.units import CellRecord
from toolkit.bench.subjects.inputs import BenchItem
from toolkit.errors import InputError
from toolkit.metrics import L2

ORIGIN = RowOrigin("reconstruction", "embedded", "heads", 0)


def record(item: str, value: float) -> CellRecord:
    return CellRecord(protocol="p", method="m", item=item, error=None, took=value)


def test_records_are_there_after_reopening_and_the_last_of_a_key_counts(tmp_path: Path):
    store = Store(tmp_path / "deep" / "cells.jsonl", CellRecord)
    store.append("a", record("1", math.nan))
    store.append("b", record("2", 2.0))
    store.append("a", record("3", 3.0))
    again = Store(store.path, CellRecord)
    found = again.get("a")
    assert found is not None and (found.key, found.item, found.took) == ("a", "3", 3.0)
    assert store.get("b") == again.get("b")
    assert (len(again), again.get("c")) == (2, None)


@pytest.mark.parametrize("torn", [b'{"key": "c", "val', b'{"key": "c"}', b"\xff\xfe"])
def test_a_torn_last_line_is_dropped_and_the_file_goes_on(tmp_path: Path, torn: bytes):
    path = tmp_path / "cells.jsonl"
    Store(path, CellRecord).append("a", record("1", 1.0))
    with open(path, "ab") as file:
        file.write(torn)
    store = Store(path, CellRecord)
    assert len(store) == 1
    store.append("b", record("2", 2.0))
    assert [each.key for each in Store(path, CellRecord)] == ["a", "b"]


@pytest.mark.parametrize("damage", ["nonsense", "{}", "[]", '{"key": "a"}', "", '{"key": 1}'])
def test_damage_elsewhere_is_named(tmp_path: Path, damage: str):
    path = tmp_path / "cells.jsonl"
    store = Store(path, CellRecord)
    store.append("a", record("1", 1.0))
    path.write_text(path.read_text() + damage + "\n" + path.read_text())
    with pytest.raises(InputError, match="line 2"):
        Store(path, CellRecord)


def test_records_of_earlier_versions_are_read(tmp_path: Path):
    path = tmp_path / "cells.jsonl"
    path.write_text(
        '{"key": "a", "protocol": "fid360", "method": null, "item": "draw 0", "groundwork": "random heads", '
        '"size": 24, "error": null, "took": 3.5}\n'
        '{"key": "b", "protocol": "multiview", "method": "m", "item": "x", "error": null, "scores": [{"metric": "l2", '
        '"value": 1, "used": 1, "failed": 0}, {"metric": null, "features": "f.safetensors", "group": "yaw_30"}]}\n'
    )
    old, new = Store(path, CellRecord)
    assert (old.precompute, old.size, old.took) == ("random heads", 24, 3.5)
    assert [score.metric for score in new.measured] == ["l2"]
    assert [each.group for each in new.features] == ["yaw_30"]


@pytest.mark.parametrize("odd", ["\ud800", "caf\udce9.png", "a\0b", "\n", "\u2028"])
def test_an_error_that_quotes_what_is_no_text_is_written_down(odd: str, tmp_path: Path):
    store = Store(tmp_path / "cells.jsonl", CellRecord)
    store.append("k", CellRecord(protocol="p", method="m", item="a.png", error=f"no file {odd}"))
    (read,) = Store(tmp_path / "cells.jsonl", CellRecord)
    assert read.key == "k" and (read.error or "").startswith("no file ")


@pytest.mark.parametrize("text", ["x" * 300, "é" * 200, "a/b/" * 90 + "front.png", "../../x", "...", "", "[b]\n"])
def test_a_folder_of_an_inversion_has_a_name_that_every_disk_takes(text: str, tmp_path: Path):
    for name in (file_name(text), file_name(text, "0123456789")):
        (tmp_path / name).mkdir()
        assert (tmp_path / name).resolve().parent == tmp_path.resolve() and name.isascii() and "\n" not in name
    assert file_name("00000/front.png", "0123456789") == "00000_front.png-01234567"


def test_keys_differ_when_any_part_does():
    assert key_of("a", {"b": 1, "c": 2}) == key_of("a", {"c": 2, "b": 1})
    assert len({key_of("a", 1), key_of("a", 2), key_of("b", 1), key_of(["a", 1])}) == 4


def test_the_interval_is_that_of_scipy():
    values = np.random.default_rng(0).normal(3, 1, 60).tolist()
    low, high = mean_interval(values, [str(index) for index in range(60)], 0)
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=0).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.06)
    assert mean_interval(values, [str(index) for index in range(60)], 0) == (low, high)


def test_a_subjects_pictures_are_drawn_together():
    values = [0.0] * 10 + [1.0] * 10
    together = mean_interval(values, ["a"] * 10 + ["b"] * 10, 0)
    alone = mean_interval(values, [str(index) for index in range(20)], 0)
    assert together == (0.0, 1.0)
    assert alone[1] - alone[0] < 0.6
    assert mean_interval([2.0, 4.0], ["a", "a"], 0) == (3.0, 3.0)


def test_rows_count_what_entered_and_what_did_not():
    items = [BenchItem("a", "1", 2), BenchItem("b", "2", 2), BenchItem("c", "3", 2)]
    said, base = {"metric": "l2", "used": 1, "failed": 0}, {"protocol": "p", "method": "m"}
    records = [
        CellRecord(**base, item="a", error=None, scores=[{**said, "value": 1.0}, {**said, "value": 3.0}]),
        CellRecord(**base, item="b", error=None, scores=[{**said, "value": 4.0},
                   {"metric": "l2", "value": None, "used": 0, "failed": 1}]),
        CellRecord(**base, item="c", error="crashed", stage="invert"),
    ]  # fmt: skip
    (row,) = paired_rows(ORIGIN, "mean", items, records, {"l2": L2()})
    assert row.value == 3.0
    assert (row.n, row.failed) == (3, 3)
    assert row.low <= row.value <= row.high
    assert {"method", "protocol", "metric", "direction", "backend", "world"} <= row.as_json().keys()
    (empty,) = paired_rows(ORIGIN, "mean", items, records[2:], {"l2": L2()})
    assert (empty.value, empty.n, empty.failed) == (None, 0, 2)
    assert empty.as_json()["low"] is None
