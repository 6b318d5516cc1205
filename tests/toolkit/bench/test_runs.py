from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit.bench import (
    BenchRequest,
    ComparedMethod,
    ProtocolSettings,
    open_protocol,
    protocol_names,
    read_results,
    run_suite,
)
from toolkit.bench.protocols.fid360 import spread_yaws
from toolkit.bench.records.schema import Results, Row
from toolkit.errors import ConfigError, InputError
from toolkit.registry import Registry
from toolkit.testing.spherical import SphericalGenerator

Make = Callable[..., ComparedMethod]
MakeProtocol = Callable[..., ProtocolSettings]


def by_name(results: Results, method: str) -> dict[str, Row]:
    return {row.metric: row for row in results.rows if row.method == method}


def test_the_shipped_protocols_are_sound(registry: Registry):
    assert {"reconstruction", "gt360", "fid360"} <= set(protocol_names())
    for name in protocol_names():
        protocol = open_protocol(name)
        assert protocol.title == name
        assert protocol.metrics
        assert {("metric", metric) for metric in protocol.metrics} <= set(registry.registrations)
    with pytest.raises(ConfigError, match="did you mean 'gt360'"):
        open_protocol("gt36")
    assert open_protocol("gt360", ["input_yaws=[0, 90]"]).input_yaws == (0.0, 90.0)


def test_reconstruction_ranks_the_right_head_first_and_reuses_inversions(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make, protocol: MakeProtocol
):
    request = BenchRequest(protocol("reconstruction", "l2", "psnr", "ssim", "seconds", "peak_memory"),
                           str(heads_folder), tmp_path, limit=4)  # fmt: skip
    right, wrong = method("right", 0), method("wrong", 7)
    results = run_suite([request], spherical, [right, wrong])
    good, bad = by_name(results, "right"), by_name(results, "wrong")
    assert good["l2"].value < 1e-4 < bad["l2"].value  # the first four pictures are subject 0's
    assert good["psnr"].value > bad["psnr"].value
    assert good["l2@head"].n == good["l2"].n == 4
    assert (good["seconds"].n, good["peak_memory"].n) == (3, 4)  # the first is not warm
    assert good["l2"].world == "embedded"
    assert good["l2"].direction == "lower"
    assert json.loads((tmp_path / "results.json").read_text()) == results.as_json()
    assert "| right " in (tmp_path / "table.md").read_text()
    again = run_suite([request], spherical, [right, wrong])
    assert again == results
    assert (right.inverter.calls, wrong.inverter.calls) == (4, 4)
    other = BenchRequest(protocol("reconstruction", "l2", "ssim"), str(heads_folder), tmp_path, limit=4)
    run_suite([other], spherical, [right, wrong])
    assert right.inverter.calls == 4  # other metrics, same inversions


def test_a_killed_run_goes_on_to_the_same_results(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make, protocol: MakeProtocol
):
    wanted = protocol("reconstruction", "l2", "psnr")
    whole = run_suite([BenchRequest(wanted, str(heads_folder), tmp_path / "a", 5)], spherical, [method("m", None)])
    request = BenchRequest(wanted, str(heads_folder), tmp_path / "b", 5)
    with pytest.raises(KeyboardInterrupt):
        run_suite([request], spherical, [method("m", None, dies_on=4)])
    with open(tmp_path / "b" / "cells.jsonl", "ab") as file:
        file.write(b'{"key": "torn')
    going_on = method("m", None)
    resumed = run_suite([request], spherical, [going_on])
    assert going_on.inverter.calls == 2
    assert resumed.rows == whole.rows
    assert len({row.value for row in resumed.rows}) == len(resumed.rows)


def test_failures_cost_their_cell_and_are_listed(
    spherical: SphericalGenerator,
    heads_folder: Path,
    own_heads: Path,
    tmp_path: Path,
    method: Make,
    protocol: MakeProtocol,
):
    (own_heads / "00000" / "yaw_90.png").write_bytes(b"no picture")
    request = BenchRequest(protocol("reconstruction", "l2"), str(own_heads), tmp_path / "out", limit=4)
    results = run_suite([request], spherical, [method("fragile", 0, fails_on=2), method("solid", 0)])
    stages = {(entry.method, entry.item): entry.stage for entry in results.failures}
    assert stages == {
        ("fragile", "00000/yaw_90.png"): "read",
        ("fragile", "00000/yaw_180.png"): "invert",
        ("solid", "00000/yaw_90.png"): "read",
    }
    assert (by_name(results, "fragile")["l2"].n, by_name(results, "fragile")["l2"].failed) == (2, 2)
    assert (by_name(results, "solid")["l2"].n, by_name(results, "solid")["l2"].failed) == (3, 1)
    shutil.copy(heads_folder / "00000" / "yaw_90.png", own_heads / "00000" / "yaw_90.png")
    with pytest.raises(InputError, match="holds results of fragile"):
        run_suite([request], spherical, [method("solid", 0)])  # of a picture that has changed
    mended = run_suite([request], spherical, [method("fragile", 0), method("solid", 0)])
    assert {(entry.method, entry.stage) for entry in mended.failures} == {("fragile", "invert")}
    retried = BenchRequest(request.settings, request.data, request.out, limit=4, retry_failed=True)
    assert run_suite([retried], spherical, [method("fragile", 0)]).failures == []


def test_ground_truth_all_around_is_split_into_what_the_input_sees_and_what_not(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make, protocol: MakeProtocol
):
    wanted = protocol("gt360", "l2", "depth_error", "mask_iou", input_yaws=(0.0, 90.0))
    request = BenchRequest(wanted, str(heads_folder), tmp_path, limit=2)
    results = run_suite([request], spherical, [method("first head", 0)])
    rows = by_name(results, "first head")
    assert {"l2", "l2@visible", "l2@occluded", "depth_error", "depth_error@occluded", "mask_iou"} <= rows.keys()
    assert rows["l2"].n == 2 * 2 * 4
    assert rows["depth_error"].value < 0.05
    assert rows["mask_iou"].value > 0.9
    points = {(point.input_yaw, point.yaw): point for point in results.curves if point.metric == "l2"}
    assert points.keys() == {(start, yaw) for start in (0.0, 90.0) for yaw in (0.0, 90.0, 180.0, -90.0)}
    seen = {(point.input_yaw, point.yaw) for point in results.curves if point.metric == "l2@visible"}
    hidden = {(point.input_yaw, point.yaw) for point in results.curves if point.metric == "l2@occluded"}
    assert (0.0, 0.0) in seen
    assert (0.0, 180.0) in hidden
    whole = json.loads((tmp_path / "cells.jsonl").read_text().splitlines()[0])
    assert max(s["value"] for s in whole["scores"] if s["metric"] == "l2") < 1e-4  # subject 0 is the first head


def test_ground_truth_needs_subjects_and_an_input_view(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make, protocol: MakeProtocol
):
    request = BenchRequest(protocol("gt360", "l2", input_yaws=(45.0,)), str(heads_folder), tmp_path)
    with pytest.raises(InputError, match="within 5 degrees of yaw 45"):
        run_suite([request], spherical, [method("m")])


def test_fid360_has_a_floor_and_the_generators_own_heads_are_near_it(
    registry: Registry, spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make,
    protocol: MakeProtocol,
):  # fmt: skip
    request = BenchRequest(protocol("fid360", "stripes-e", "fid", random_sides=3), str(heads_folder), tmp_path, 8)
    results = run_suite([request], spherical, [method("random", None), method("one head", 0)])
    values = {method: by_name(results, method)["stripes-e"] for method in ("floor", "random", "one head")}
    assert values["floor"].value < values["one head"].value
    assert all(row.low <= row.value <= row.high and row.n == 8 for row in values.values())
    assert {row.backend for row in values.values()} == {"embedded"}
    left_out = {entry.metric: entry.reason for entry in results.unavailable}
    assert left_out == {"fid": "is not of this run's backend (embedded); --backend reference computes it"}
    (run,) = results.runs.values()
    assert "truncation" in run.choices["random_heads"] and run.choices["cameras"]["pitch"] == 0.0
    assert run.engine.as_json() == {"name": "local", "workers": 1}
    shutil.rmtree(tmp_path / "features")
    again = method("one head", 0)
    assert run_suite([request], spherical, [method("random", None), again]) == results
    assert again.inverter.calls == 0  # only features are computed again


@pytest.mark.parametrize(
    ("kind", "settings"), [("fid360", {"random_sides": 2}), ("multiview", {"target_yaws": (-90.0, 90.0)})]
)
def test_features_of_other_weights_are_never_taken_for_these(
    registry: Registry, spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make,
    protocol: MakeProtocol, monkeypatch: pytest.MonkeyPatch, kind: str, settings: dict[str, Any],
):  # fmt: skip
    def run(folder: str) -> list[Row]:
        request = BenchRequest(protocol(kind, "stripes-e", **settings), str(heads_folder), tmp_path / folder, 4)
        return run_suite([request], spherical, [method("one head", 0)]).rows

    first, network = run("a"), type(registry.build("metric", "stripes-e").extractor)
    with monkeypatch.context() as changed:
        features = network.features
        changed.setattr(network, "name", "stripes-2")
        changed.setattr(network, "features", lambda self, images: 3 * features(self, images))
        second = run("a")
        assert second == run("b")
    assert first[-1].value < second[-1].value
    assert run("a") == first


def test_fid360_without_a_network_is_one_sentence_before_any_work(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make, protocol: MakeProtocol,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setenv("TOOLKIT_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    wanted = protocol("fid360", "fid", "kid", "l2")
    for backend, words in (("reference", "pt_inception"), ("none", "fid, kid: is not of this run.s backend")):
        request = BenchRequest(wanted, str(heads_folder), tmp_path / "out", backend=backend)
        with pytest.raises(InputError, match=words):
            run_suite([request], spherical, [method("m")])
    assert not (tmp_path / "out").exists()


def test_yaws_cover_the_circle_evenly_and_repeat_themselves():
    yaws = spread_yaws(12, 0)
    assert torch.equal(yaws, spread_yaws(12, 0))
    assert not torch.equal(yaws, spread_yaws(12, 1))
    steps = torch.rad2deg(yaws.sort().values).diff()
    assert torch.allclose(steps, torch.full((11,), 30.0), atol=1e-3)


def test_results_of_another_protocol_stay_in_the_folder(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Make, protocol: MakeProtocol
):
    for kind in ("reconstruction", "gt360"):
        run_suite([BenchRequest(protocol(kind, "l2"), str(heads_folder), tmp_path, 2)], spherical, [method("m")])
    results = read_results(str(tmp_path))
    assert {row.protocol for row in results.rows} == {"reconstruction", "gt360"}
    assert len(list((tmp_path / "inversions" / "m").iterdir())) == 3  # subject 0's front serves both
    assert set(results.runs) == {f"{kind} on {heads_folder.name}" for kind in ("reconstruction", "gt360")}
