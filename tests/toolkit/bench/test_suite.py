"""Several protocols in one run: what they share, what is left out, and what a kill costs."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, run_suite
from toolkit.bench.records.schema import Results
from toolkit.bench.records.views import HeadViews, ViewFiles
from toolkit.bench.report.compare import compare_runs
from toolkit.errors import InputError
from toolkit.forecast import duration
from toolkit.registry import Registry
from toolkit.testing.spherical import SphericalGenerator

Make = Callable[..., ComparedMethod]
MakeProtocol = Callable[..., ProtocolSettings]


class Heard:
    """What a run says."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[str, int, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def step(self, name: str, done: int, total: int, item: str, error: str | None) -> None:
        self.steps.append((name, done, total))


@pytest.fixture
def requests(registry: Registry, heads_folder: Path, protocol: MakeProtocol) -> Callable[..., list[BenchRequest]]:
    """All five protocols on the heads, the front in, the turned views as targets."""
    front = {"input_yaws": (0.0,), "yaw_tolerance": 20.0}
    protocols = [
        protocol("reconstruction", "l2", **front),
        protocol("gt360", "l2", "mask_iou", **front),
        protocol("multiview", "ssim", "stripes-e", target_yaws=(-90.0, 90.0), **front),
        protocol("fid360", "stripes-e", random_sides=2, **front),
        protocol("speed", "seconds", "peak_memory", **front),
    ]

    def make(out: Path, data: Path = heads_folder, limit: int | None = None) -> list[BenchRequest]:
        return [BenchRequest(each, str(data), out, limit) for each in protocols]

    return make


def test_all_protocols_share_one_inversion_per_picture(
    spherical: SphericalGenerator, requests: Callable[..., list[BenchRequest]], tmp_path: Path, method: Make
):
    method, heard = method("m", 0), Heard()
    results = run_suite(requests(tmp_path), spherical, [method], heard)
    assert method.inverter.calls == 3
    rows = {(row.protocol, row.metric): row for row in results.rows if row.method == "m"}
    assert rows["reconstruction", "l2"].n == 3
    assert rows["gt360", "l2"].n == 12
    assert rows["multiview", "ssim@yaw_90"].n == rows["multiview", "stripes-e@yaw_90"].n == 6
    assert rows["multiview", "stripes-e@yaw_90"].low is None
    assert rows["fid360", "stripes-e"].n == 3
    assert rows["speed", "seconds"].n == 2  # the first is not warm
    assert rows["speed", "seconds@render"].value > 0
    assert ("m", 15, 15) in heard.steps
    assert heard.steps[-1] == ("random heads", 2, 2)
    told = next(note for note in heard.notes if " to do, about" in note)
    assert told.startswith("11 pieces of work to do") and "random heads" in told
    assert {head.method for head in results.heads} == {"m", None}
    for name in ("report.html", "table.md", "table.tex", "table.csv", "wanted.json"):
        assert (tmp_path / name).stat().st_size > 0


def test_extreme_views_have_rows_of_their_own(
    spherical: SphericalGenerator, requests: Callable[..., list[BenchRequest]], tmp_path: Path, method: Make
):
    """Of four views around, those at 90, 180 and -90 degrees are extreme."""
    results = run_suite(requests(tmp_path)[1:2], spherical, [method("m", None)])
    rows = {row.metric: row for row in results.rows}
    assert (rows["l2"].n, rows["l2@extreme"].n) == (12, 9)
    curve = {point.yaw: point.value for point in results.curves if point.metric == "l2"}
    extreme = [value for yaw, value in curve.items() if yaw and value is not None]
    assert rows["l2@extreme"].value == pytest.approx(sum(extreme) / 3)
    assert not any("@extreme" in point.metric for point in results.curves)


def test_a_crashed_item_counts_its_extreme_views(
    spherical: SphericalGenerator, requests: Callable[..., list[BenchRequest]], tmp_path: Path, method: Make
):
    broken = method("m", 0, fails_on=2)
    rows = {row.metric: row for row in run_suite(requests(tmp_path)[1:2], spherical, [broken]).rows}
    assert (rows["l2@extreme"].n, rows["l2@extreme"].failed) == (6, 3)


def test_a_larger_limit_keeps_what_is_known(
    spherical: SphericalGenerator, requests: Callable[..., list[BenchRequest]], tmp_path: Path, method: Make
):
    small = requests(tmp_path / "a", limit=2)[:2]
    run_suite(small, spherical, [method("m", None)])
    more = method("m", None)
    grown = run_suite(requests(tmp_path / "a")[:2], spherical, [more])
    assert more.inverter.calls == 1
    assert grown.rows == run_suite(requests(tmp_path / "b")[:2], spherical, [method("m", None)]).rows


def test_a_replaced_picture_is_measured_anew(
    spherical: SphericalGenerator,
    requests: Callable[..., list[BenchRequest]],
    own_heads: Path,
    tmp_path: Path,
    method: Make,
):
    wanted = requests(tmp_path / "out", own_heads)[:2]
    before = run_suite(wanted, spherical, [method("m", 0)])
    shutil.copy(own_heads / "00002" / "yaw_180.png", own_heads / "00001" / "yaw_180.png")
    again = run_suite(wanted, spherical, [method("m", 0)])
    changed = {
        (old.protocol, item)
        for old, new in zip(before.values, again.values, strict=True)
        for item in old.values
        if old.values[item] != new.values[item]
    }
    assert changed == {("gt360", "00001/yaw_0.png")}
    old, new = truths(before, tmp_path / "out"), truths(again, tmp_path / "out")
    assert [item for item in old if old[item] != new[item]] == ["00001/yaw_0.png"]
    old_views, new_views = (each["00001/yaw_0.png"].pictures for each in (old, new))
    assert [one == other for one, other in zip(old_views, new_views, strict=True)] == [False, True, True, True]
    with pytest.raises(InputError, match="pictures of the same name differ"):
        runs = {title: run for title, run in before.runs.items() if "gt360" in title}
        compare_runs(before.model_copy(update={"runs": runs}), again)


def truths(results: Results, out: Path) -> dict[str, HeadViews]:
    """The true views that the report shows, by item; yaws rise: -180, -90, 0, 90."""
    found = {head.item: ViewFiles(out / "frames").read(head.frames) for head in results.heads
             if head.method is None}  # fmt: skip
    return {item: frames for item, frames in found.items() if frames is not None}


def test_true_views_that_are_gone_are_kept_again_although_nothing_is_measured(
    spherical: SphericalGenerator, requests: Callable[..., list[BenchRequest]], tmp_path: Path, method: Make
):
    wanted = requests(tmp_path)[:2]
    before = truths(run_suite(wanted, spherical, [method("m", 0)]), tmp_path)
    assert all(len(frames.yaws) == 4 for frames in before.values())
    shutil.rmtree(tmp_path / "frames")
    again = method("m", 0)
    assert truths(run_suite(wanted, spherical, [again]), tmp_path) == before
    assert again.inverter.calls == 0


def test_heads_that_a_protocol_saw_from_one_side_are_seen_from_all_around_in_the_report(
    spherical: SphericalGenerator, requests: Callable[..., list[BenchRequest]], tmp_path: Path, method: Make
):
    inputs = requests(tmp_path)[0]
    seen = run_suite([inputs], spherical, [method("m", 0)])
    head = next(head for head in seen.heads if head.method == "m")
    files = ViewFiles(tmp_path / "frames")
    files.write(head.frames, [-20.0, 0.0, 20.0], torch.zeros(3, 3, 8, 8))
    assert not files.goes_around(head.frames)
    run_suite([inputs], spherical, [method("m", 0)])
    assert files.goes_around(head.frames) and files.count(head) == 12


def test_a_protocol_that_uses_fewer_pictures_does_not_narrow_the_truth_of_another(
    spherical: SphericalGenerator, requests: Callable[..., list[BenchRequest]], tmp_path: Path, method: Make
):
    narrow, wide = requests(tmp_path)[:2]
    before = truths(run_suite([wide], spherical, [method("m", 0)]), tmp_path)
    assert all(len(frames.yaws) == 4 for frames in before.values())
    assert truths(run_suite([narrow], spherical, [method("m", 0)]), tmp_path) == before


def test_order_and_company_change_no_number(
    spherical: SphericalGenerator, requests: Callable[..., list[BenchRequest]], tmp_path: Path, method: Make
):
    wanted = requests(tmp_path / "a")[:2]
    first = run_suite(wanted, spherical, [method("x", None), method("y", None)])
    other = run_suite(requests(tmp_path / "b")[1::-1], spherical, [method("y", None)])
    mine = {(row.protocol, row.metric): row for row in first.rows if row.method == "y"}
    assert {(row.protocol, row.metric): row for row in other.rows} == mine


def test_what_the_data_does_not_permit_is_left_out_with_its_reason(
    spherical: SphericalGenerator,
    requests: Callable[..., list[BenchRequest]],
    own_heads: Path,
    tmp_path: Path,
    method: Make,
):
    (own_heads / "subjects.json").unlink()
    results = run_suite(requests(tmp_path / "out", own_heads, 2), spherical, [method("m", 0)])
    left = {entry.protocol: entry.reason for entry in results.left_out}
    assert left.keys() == {"gt360", "multiview"}
    assert "subjects.json" in left["gt360"]
    assert {row.protocol for row in results.rows} == {"reconstruction", "fid360", "speed"}
    with pytest.raises(InputError, match="no protocol can be run"):
        run_suite(requests(tmp_path / "out", own_heads, 2)[1:3], spherical, [method("m", 0)])


def test_asked_yaws_without_a_picture_count_as_failed(
    spherical: SphericalGenerator, requests: Callable[..., list[BenchRequest]], own_heads: Path, tmp_path: Path,
    method: Make,
):  # fmt: skip
    listed = json.loads((own_heads / "dataset.json").read_text())["labels"]
    gone = ("00001/yaw_90.png", "00002/yaw_90.png", "00002/yaw_-90.png")
    (own_heads / "dataset.json").write_text(json.dumps({"labels": [each for each in listed if each[0] not in gone]}))
    results = run_suite(requests(tmp_path / "out", own_heads)[2:3], spherical, [method("m", 0)])
    for metric in ("ssim@yaw_90", "stripes-e@yaw_90"):
        row = next(row for row in results.rows if row.metric == metric)
        assert (row.n, row.failed) == (3, 3)


def test_a_protocol_without_a_metric_is_left_out(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make, protocol: MakeProtocol
):
    wanted = [
        BenchRequest(protocol(kind, *metrics), str(heads_folder), tmp_path, 1)
        for kind, metrics in (("reconstruction", ["l2"]), ("multiview", ["lpips_alex"]))
    ]
    (left,) = run_suite(wanted, spherical, [method("m", 0)]).left_out
    assert left.reason.startswith("multiview has no metric that can be computed")


def test_an_unreadable_target_costs_itself_only_and_is_tried_again(
    spherical: SphericalGenerator,
    requests: Callable[..., list[BenchRequest]],
    heads_folder: Path,
    own_heads: Path,
    tmp_path: Path,
    method: Make,
):
    (own_heads / "00001" / "yaw_180.png").write_bytes(b"no picture")
    wanted = requests(tmp_path / "out", own_heads)[1:2]
    results = run_suite(wanted, spherical, [method("m", 0)])
    (failure,) = results.failures
    assert (failure.item, failure.target, failure.stage) == ("00001/yaw_0.png", "00001/yaw_180.png", "read")
    row = next(row for row in results.rows if row.metric == "l2")
    assert (row.n, row.failed) == (11, 1)
    shutil.copy(heads_folder / "00001" / "yaw_180.png", own_heads / "00001" / "yaw_180.png")
    again = method("m", 0)
    mended = run_suite(wanted, spherical, [again])
    assert mended.failures == []
    assert again.inverter.calls == 0


def test_a_run_killed_at_random_instants_ends_with_the_same_results(
    spherical: SphericalGenerator, requests: Callable[..., list[BenchRequest]], tmp_path: Path, method: Make
):
    """Real processes, killed by the kernel; each is given a little more time than the one before."""

    def run(out: Path) -> Results:
        return run_suite(requests(out)[:4], spherical, [method("x", None), method("y", 0)])

    whole = run(tmp_path / "whole")
    instants, kills, patience = random.Random(0), 0, 0.02
    while not (tmp_path / "killed" / "results.json").exists():
        child = os.fork()
        if child == 0:
            try:
                run(tmp_path / "killed")
            finally:
                os._exit(0)
        time.sleep(instants.uniform(0, patience))
        os.kill(child, signal.SIGKILL)
        kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        patience *= 1.25
    killed = run(tmp_path / "killed")
    assert kills >= 5
    for document in (whole, killed):
        for entry in document.runs.values():
            entry.command = ""
    assert killed == whole
    lines = (tmp_path / "killed" / "cells.jsonl").read_text().splitlines()
    keys = [json.loads(line)["key"] for line in lines]
    assert len(keys) == len(set(keys)) == 2 * (3 + 3 + 3 + 3) + 2  # nothing was done twice


def test_durations_are_said_in_words():
    assert [duration(seconds) for seconds in (12.3, 89, 200, 4000)] == ["12 s", "89 s", "3 min", "1 h 7 min"]
