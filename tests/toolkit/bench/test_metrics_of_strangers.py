"""Metrics of plugins: what they write into, change, raise or return costs their own number only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit import strangers
from toolkit.bench import BenchRequest, ComparedMethod, run_suite
from toolkit.bench.protocols.scoring import MetricInputs, OpenMetrics, open_metrics, score
from toolkit.camera import Camera
from toolkit.registry import Registration, Registry
from toolkit.testing.spherical import SphericalGenerator

MODULE = """
import os, random, time, torch
class Odd:
    name, direction, unit, backend = "odd", "lower", "", "none"
    def __init__(self, takes="pair", update=lambda *a: None, value=(1.0, 1, 0)):
        self.takes, self._update, self._value = takes, update, value
    def update(self, *arguments): self._update(*arguments)
    def compute(self): return self._value
    def merge(self, other): pass
def raises(error):
    def update(*arguments): raise error
    return update
def paint(image, target, camera=None):
    image.fill_(9.0)
    target.zero_()
    if camera is not None: camera.label.zero_()
def spoil(*arguments):
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
class Strange(BaseException): pass
sound = lambda: Odd()
paints = lambda: Odd("pair", paint)
paints_faces = lambda: Odd("faces", paint)
paints_regions = lambda: Odd("images", lambda i, t, r=None: paint(i, t) or (r is None or r.zero_()))
changes = lambda: Odd("pair", spoil)
leaves = lambda: Odd("pair", lambda *a: os._exit(0))
fails = lambda: Odd("pair", raises(ZeroDivisionError("boom")))
strange = lambda: Odd("pair", raises(Strange("x")))
waits = lambda: Odd("pair", lambda *a: time.sleep(60))
nothing = lambda: Odd(value=None)
table = lambda: Odd(value={"v": 1})
word = lambda: Odd(value=("good", 1, 0))
several = lambda: Odd(value=(torch.ones(2), 1, 0))
huge = lambda: Odd(value=(10**400, 1, 0))
nan = lambda: Odd(value=(float("nan"), 1, 0))
endless = lambda: Odd(value=(torch.tensor(float("inf")), 1, 0))
no_face = lambda: Odd(value=(float("nan"), 0, 1))
counts = lambda: Odd(value=(1.0, -5, 0))
def sideways():
    made = Odd()
    made.direction = "sideways"
    return made
def broken(): raise ZeroDivisionError("bo\\nom")
def ends(): os._exit(0)
"""


@pytest.fixture
def odd(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Register one of MODULE's metrics as `odd`."""
    (tmp_path / "odd_metrics.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(strangers, "_changes", {})
    sys.modules.pop("odd_metrics", None)

    def register(attribute: str) -> None:
        entry = Registration("metric", "odd", f"odd_metrics:{attribute}", "s", 1, "sx")
        registry.registrations["metric", "odd"] = entry

    return register


def opened(*names: str) -> OpenMetrics:
    return open_metrics(names, "none", "embedded", 48)


def inputs() -> MetricInputs:
    image, target = torch.rand(2, 1, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return MetricInputs(image, target, Camera.orbit(0.2), {"head": torch.ones(1, 1, 48, 48)})


@pytest.mark.parametrize("attribute", ["paints", "paints_faces", "paints_regions", "changes"])
def test_what_a_metric_writes_into_or_changes_touches_no_other_metric(
    odd: Callable[[str], None], attribute: str
) -> None:
    odd(attribute)
    given = inputs()
    before, label = [given.image.clone(), given.target.clone()], given.camera.label.clone()
    wanted = {each.metric: each.value for each in score(opened("psnr", "l2"), given)}
    found = {each.metric: each.value for each in score(opened("odd", "psnr", "l2"), given)}
    assert found["odd"] == 1.0 and {name: found[name] for name in wanted} == wanted
    assert torch.equal(given.image, before[0]) and torch.equal(given.target, before[1])
    assert torch.equal(given.camera.label, label) and given.regions["head"].all()
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    named = {"sx": ["torch's default dtype", "whether torch records gradients"]} if attribute == "changes" else {}
    assert strangers.changes() == named


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ("fails", "ZeroDivisionError: boom"),
        ("strange", "raised Strange: x"),
        ("leaves", "tried to end the program"),
        ("nothing", "TypeError"),
        ("table", "ValueError"),
        ("word", "ValueError"),
        ("several", "ValueError: only one element"),
        ("huge", "OverflowError"),
        ("counts", "ValidationError"),
    ],
)
def test_however_a_metric_fails_it_costs_its_own_number_and_is_named(
    odd: Callable[[str], None], attribute: str, told: str
) -> None:
    odd(attribute)
    found = {each.metric: each for each in score(opened("odd", "psnr"), inputs())}
    assert (found["odd"].value, found["odd"].failed) == (None, 1) and found["psnr"].value is not None
    assert (found["odd"].error or "").startswith("metric 'odd' of plugin 'sx' failed: ")
    assert told in (found["odd"].error or "")


def test_a_metric_that_takes_for_ever_ends_at_the_limit_and_costs_its_own_number(odd: Callable[[str], None]) -> None:
    odd("waits")
    with strangers.time_limit(0.2):
        found = {each.metric: each for each in score(opened("odd", "psnr"), inputs())}
    assert (found["odd"].value, found["odd"].failed) == (None, 1) and found["psnr"].value is not None
    assert "took longer than 0.2 s (--time-limit)" in (found["odd"].error or "")


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ("sideways", "its direction is neither lower nor higher"),
        ("broken", "ZeroDivisionError: bo"),
        ("ends", "tried to end"),
    ],
)
def test_a_metric_that_cannot_be_built_is_unavailable(odd: Callable[[str], None], attribute: str, told: str) -> None:
    odd(attribute)
    metrics = opened("odd", "psnr")
    assert list(metrics.samples) == ["psnr"] and told in metrics.unavailable["odd"]
    assert os.getpid()


@pytest.mark.parametrize("attribute", ["nan", "endless", "no_face"])
def test_a_metric_without_a_number_counts_as_failed(odd: Callable[[str], None], attribute: str) -> None:
    odd(attribute)
    (found,) = score(opened("odd"), inputs())
    assert (found.value, found.used, found.failed, found.error) == (None, 0, 1, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ("nan", "metric 'odd' of plugin 'sx' gave NaN or infinity instead of a number in 3 of 3 comparisons"),
        ("fails", "metric 'odd' of plugin 'sx' failed: ZeroDivisionError: boom (3 times)"),
    ],
)
def test_results_name_a_metric_that_failed(
    odd: Callable[[str], None], spherical: SphericalGenerator, own_heads: Path, tmp_path: Path,
    protocol: Callable[..., Any], method: Callable[..., ComparedMethod], attribute: str, told: str,
) -> None:  # fmt: skip
    odd(attribute)
    asked = protocol("reconstruction", "odd", "psnr", input_yaws=(0.0,))
    request = BenchRequest(asked, str(own_heads), tmp_path / "out", backend="none")
    results = run_suite([request], spherical, [method("m", 0)])
    rows = {row.metric: row for row in results.rows}
    assert (rows["odd"].value, rows["odd"].failed) == (None, 3) and rows["psnr"].n == 3
    (warning,) = results.warnings
    assert warning.text == told
    assert not results.failures
