"""Pictures that a method was trained on are counted and said, and spoil every comparison with the literature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, run_suite
from toolkit.data import ImageFolder
from toolkit.data.prints import checked_prints, print_of, prints_as_text, prints_from_text
from toolkit.interfaces import KnowsItsPictures
from toolkit.testing.spherical import SphericalGenerator

FRONTS = (0, 4, 8)
"""Where the fronts of the three subjects are in the data set."""


def prints(folder: Path, *indices: int) -> Tensor:
    data = ImageFolder(folder)
    return torch.cat([print_of(data[index].image[None]) for index in indices])


@pytest.mark.parametrize("kind", ["reconstruction", "gt360", "speed"])
@pytest.mark.parametrize(("seen", "mirrored"), [((), False), ((0,), False), ((0, 8), True), ((1, 2, 5), False)])
def test_seen_inputs_are_counted_in_every_protocol(
    kind: str,
    seen: tuple[int, ...],
    mirrored: bool,
    heads_folder: Path,
    spherical: SphericalGenerator,
    protocol: Callable[..., ProtocolSettings],
    method: Callable[..., ComparedMethod],
    tmp_path: Path,
):
    known = prints(heads_folder, *seen) if seen else torch.zeros(0, 64, dtype=torch.uint8)
    known = known.reshape(-1, 8, 8).flip(2).flatten(1) if mirrored else known
    metric = "seconds" if kind == "speed" else "l2"
    settings = protocol(kind, metric, input_yaws=(0.0,), yaw_tolerance=20.0)
    methods = [method("trained", 0), method("silent", 1)]
    methods[0].inverter.trained_on = known
    results = run_suite([BenchRequest(settings, str(heads_folder), tmp_path)], spherical, methods)
    (run,) = results.runs.values()
    count = len(set(seen) & set(FRONTS))
    assert run.methods["trained"].seen == count and run.methods["silent"].seen is None
    told = [warning.text for warning in results.warnings if warning.method == "trained"]
    assert told == ([f"trained on {count} of the 3 inputs"] if count else [])
    again = run_suite([BenchRequest(settings, str(heads_folder), tmp_path)], spherical, methods)
    assert next(iter(again.runs.values())).methods["trained"].seen == count
    assert ("trained on" in (tmp_path / "report.html").read_text()) == bool(count)


@pytest.mark.parametrize("wrong", [None, 3, "text", torch.zeros(3, 64), torch.zeros(3, 63, dtype=torch.uint8)])
def test_what_is_no_table_of_prints_counts_as_unknown(wrong: object, method: Callable[..., ComparedMethod]):
    assert checked_prints(wrong) is None and prints_as_text(wrong) is None
    odd = method("odd", 0)
    odd.inverter.trained_on = wrong
    assert isinstance(odd.inverter, KnowsItsPictures) and odd.trained_on is None


@pytest.mark.parametrize("text", [None, 3, "", "not base64!", "YWJj"])
def test_prints_of_another_process_are_read_or_unknown(text: object):
    table = torch.arange(128, dtype=torch.uint8).reshape(2, 64)
    assert torch.equal(prints_from_text(prints_as_text(table)), table)
    assert prints_from_text(text) is None
