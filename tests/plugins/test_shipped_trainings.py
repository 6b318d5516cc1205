"""Two hundred steps of each encoder's own training, at the sizes that ship: every stage brings something."""

from __future__ import annotations

import importlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.interfaces import MakeRequest
from toolkit.registry import default_registry
from toolkit.training import train

STEPS = {
    "psp": {"codes": 150, "images": 50},
    "e4e": {"codes": 165, "images": 35},
    "triplanenet": {"codes": 120, "images": 40, "planes": 40},
    "goae": {"codes": 120, "images": 40, "alignment": 40},
}
REFINING = {"planes", "alignment"}
"""Stages whose losses fall too little in forty steps to be told from chance: held-out pictures tell."""
WINDOW = 3
"""Lines of ten steps that are averaged at both ends."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "heads"
    default_registry().load("dataset", "heads360").make(MakeRequest(folder, 12, "train", 3, "wild", ("front",), 128))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", STEPS)
def test_two_hundred_steps_bring_the_losses_down(
    kind: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    settings = [
        "start=null", f"photos.sources=['{photos}']", "photos.held_out_subjects=2", "pairs.count=160", "samples=500",
        "cadence.log_every=10", "cadence.sheet_every=1000", "cadence.evaluate_every=40",
    ]  # fmt: skip
    settings += [f"{stage}.steps={count}" for stage, count in STEPS[kind].items()]
    job = importlib.import_module(f"toolkit_plugins.{kind}.training").make_job(None, settings, "cpu")
    begun = job.evaluate(0)["psnr"]
    run = train(job, tmp_path / "run")
    lines = [json.loads(line) for line in (run.out / "metrics.jsonl").read_text().splitlines()]
    assert fell(lines, "codes/codes", WINDOW) < 0.95
    assert fell(lines, "images/l2", 1) < 0.9
    scores = {line["step"]: line["evaluation"]["psnr"] for line in lines if "evaluation" in line}
    assert scores[max(scores)] > begun + 1
    ends = dict(zip(STEPS[kind], itertools.accumulate(STEPS[kind].values()), strict=True))
    for stage in REFINING & set(ends):
        assert scores[ends[stage]] > scores[ends["images"]] + 0.02, (stage, scores)


def fell(lines: list[dict[str, Any]], name: str, window: int) -> float:
    """A loss at the end, in units of what it was at first: means of so many lines."""
    values = [line["losses"][name] for line in lines if name in line.get("losses", {})]
    return sum(values[-window:]) / sum(values[:window])
