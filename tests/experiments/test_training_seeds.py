"""Intervals over pictures and trainings contain what each training gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from toolkit.bench.records.schema import FORMAT, SCHEMA_VERSION, Results
from toolkit.errors import InputError
from training_seeds import as_markdown, drawn_means


def results(values: dict[str, list[float]]) -> Results:
    origin = {"protocol": "gt360", "data": "heads", "metric": "l2"}
    row: dict[str, Any] = {
        "n": 3,
        "failed": 0,
        "direction": "lower",
        "unit": "",
        "backend": "none",
        "world": "embedded",
    }
    return Results.model_validate({
        "format": FORMAT, "schema_version": SCHEMA_VERSION,
        "generator": {"name": "mini", "fingerprint": "", "world": "embedded"}, "runs": {},
        "rows": [{**origin, **row, "method": name, "value": float(np.mean(each)), "low": 0.0, "high": 1.0}
                 for name, each in values.items()],
        "values": [{**origin, "method": name, "values": {str(index): each for index, each in enumerate(list_)}}
                   for name, list_ in values.items()],
    })  # fmt: skip


def test_trainings_that_differ_widen_the_interval():
    pictures = np.linspace(0.2, 0.4, 50)
    alike = drawn_means([np.stack([pictures] * 3)])
    unlike = drawn_means([np.stack([pictures - 0.1, pictures, pictures + 0.1])])
    assert unlike.std() > 3 * alike.std()
    low, high = np.percentile(unlike, (2.5, 97.5))
    assert low < 0.3 - 0.09 < 0.3 + 0.09 < high


def test_differences_are_paired_by_picture():
    pictures = np.linspace(0.0, 1.0, 20)[None]
    means = drawn_means([pictures, pictures + 0.01])
    assert np.allclose(means[:, 1] - means[:, 0], 0.01)


def test_a_table_names_each_training_and_the_difference():
    found = results({"a": [0.1, 0.2, 0.3], "a1": [0.2, 0.3, 0.4], "b": [0.5, 0.6, 0.7]})
    lines = as_markdown(found, {"mine": ["a", "a1"], "other": ["b"]}, ["gt360:l2"]).splitlines()
    assert lines[2].startswith("| gt360:l2 | mine | 0.2, 0.3 | 0.25 [")
    assert lines[3].startswith("| gt360:l2 | other | 0.6 | 0.6 [")
    assert lines[4].startswith("| gt360:l2 | mine - other | | -0.35 [-0.4, -0.3]")


def test_a_row_that_was_not_measured_is_named():
    with pytest.raises(InputError, match="no gt360:l2 of c"):
        as_markdown(results({"a": [0.1]}), {"mine": ["a", "c"]}, ["gt360:l2"])
