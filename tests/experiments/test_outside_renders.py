"""The sample of renders that were made elsewhere is judged, and stands on a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolkit.bench import run
from toolkit.bench.subjects.outside_check import check_outside

SAMPLE = Path(__file__).parents[2] / "experiments" / "outside_renders"


def test_the_sample_has_no_faults(tmp_path: Path) -> None:
    renders = json.loads((SAMPLE / "renders.json").read_text())["renders"]
    wanted = tmp_path / "wanted.json"
    wanted.write_text(json.dumps({"renders": [[source, label] for source, _, label in renders]}))
    report = check_outside(SAMPLE, wanted)
    assert (report.method, report.inputs, report.renders, report.sizes) == ("psp-elsewhere", 2, 2, {256: 2})
    assert (report.faults, report.missing) == ([], 0)


def test_a_view_that_the_sample_lacks_is_named(tmp_path: Path) -> None:
    from toolkit.camera import Camera

    wanted = tmp_path / "wanted.json"
    wanted.write_text(json.dumps({"renders": [["00001/yaw_0.png", Camera.orbit(1.0).label[0].tolist()]]}))
    report = check_outside(SAMPLE, wanted)
    assert report.missing == 1
    assert report.faults == ["renders.json lacks 1 wanted renders of 00001/yaw_0.png"]


@pytest.mark.slow
def test_the_sample_stands_beside_a_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    results = run(
        methods=["mean"], data="heads360", out=tmp_path / "out", protocol="reconstruction", limit=2, outside=[SAMPLE]
    )
    found = {row.method: row.value for row in results.rows if row.metric == "lpips_lite"}
    assert results.failures == []
    assert found["psp-elsewhere"] is not None and found["mean"] is not None
    assert found["psp-elsewhere"] < found["mean"]
