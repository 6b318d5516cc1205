"""Which pictures a limit takes, and heads on white: what the protocols at full scale need."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from toolkit.bench import BenchRequest, ComparedMethod, ProtocolSettings, open_protocol, run_suite
from toolkit.bench.protocols.fid360 import on_white
from toolkit.bench.subjects.heads import Views
from toolkit.bench.subjects.inputs import chosen_of
from toolkit.bench.subjects.methods import UnitError
from toolkit.registry import Registry
from toolkit.testing.spherical import SphericalGenerator


def test_a_limit_draws_pictures_and_a_larger_one_keeps_them():
    names = [f"{index:05d}" for index in range(200)]
    drawn = {limit: chosen_of(names, limit, 0) for limit in (5, 20, 100)}
    assert drawn[5] != names[:5] and len(set(drawn[100])) == 100
    assert set(drawn[5]) < set(drawn[20]) < set(drawn[100])
    assert all(found == sorted(found) for found in drawn.values())
    assert chosen_of(names, 20, 1) != drawn[20] == chosen_of(names, 20, 0)
    assert chosen_of(names, 20, None) == names[:20]
    assert chosen_of(names, None, 0) == chosen_of(names, 500, 0) == names
    places = [int(name) for seed in range(50) for name in chosen_of(names, 20, seed)]
    assert 85 < sum(places) / len(places) < 115  # no part of the set is preferred


@pytest.mark.parametrize(("kind", "expected"), [("reconstruction", "all of flat"), ("gt360", "none of flat")])
def test_joined_pictures_without_subjects_are_inputs_where_no_other_view_is_needed(
    kind: str, expected: str, spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path,
    method: Callable[..., ComparedMethod], protocol: Callable[..., ProtocolSettings],
):  # fmt: skip
    flat = tmp_path / "flat"
    shutil.copytree(heads_folder, flat)
    (flat / "subjects.json").unlink()
    source = f"{heads_folder},{flat}"
    asked = BenchRequest(protocol(kind, "l2", input_yaws=(0.0,)), source, tmp_path / "out", None)
    results = run_suite([asked], spherical, [method("m", 0)])
    found = [cell.item for cell in results.cells]
    named = {item for item in found if item.startswith(f"{heads_folder.name}/")}
    pictures = {f"flat/{path.relative_to(flat)}" for path in flat.glob("0*/*.png")}
    assert named and pictures and len(named) < len(pictures)
    assert set(found) - named == (pictures if expected == "all of flat" else set())


def test_new_settings_leave_the_digests_of_earlier_runs_as_they_were():
    for name, digest in DIGESTS.items():
        assert open_protocol(name).digest == digest == open_protocol(name, ["subset=first"]).digest
    assert open_protocol("fid360", ["foreground=true"]).digest != DIGESTS["fid360"]


DIGESTS = {
    "reconstruction": "c7cd105fea4c",
    "gt360": "c92ac0918536",
    "multiview": "07f3c98cc4a0",
    "fid360": "3f219f2ad5fe",
    "speed": "501911f70637",
}
"""Of runs before these settings existed."""


def test_all_protocols_of_a_run_draw_the_same_subjects(
    spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path, method: Callable[..., ComparedMethod],
    protocol: Callable[..., ProtocolSettings],
):  # fmt: skip
    asked = [
        BenchRequest(protocol(kind, "l2", input_yaws=(0.0,), subset="random", seed=5), str(heads_folder), tmp_path, 2)
        for kind in ("reconstruction", "gt360")
    ]
    results = run_suite(asked, spherical, [method("m", 0)])
    drawn = {run: {cell.item for cell in results.cells if cell.protocol == run} for run in ("reconstruction", "gt360")}
    assert drawn["reconstruction"] == drawn["gt360"] and len(drawn["gt360"]) == 2


def test_white_is_where_nothing_is_seen():
    image = torch.full((1, 3, 8, 8), -0.5)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1.001  # as PanoHead's affine leaves it
    shown = on_white(Views(image, mask=mask))
    assert torch.allclose(shown[..., :4], image[..., :4]) and torch.allclose(shown[..., 4:], torch.ones(1))
    with pytest.raises(UnitError, match="opacity"):
        on_white(Views(image))


def test_foreground_alone_compares_both_sides_on_white(
    registry: Registry, spherical: SphericalGenerator, heads_folder: Path, tmp_path: Path,
    method: Callable[..., ComparedMethod], protocol: Callable[..., ProtocolSettings],
):  # fmt: skip
    found = {}
    for foreground in (False, True):
        settings = protocol("fid360", "stripes-e", random_sides=2, input_yaws=(0.0,), foreground=foreground)
        results = run_suite([BenchRequest(settings, str(heads_folder), tmp_path)], spherical, [method("m", 0)])
        found[foreground] = {row.method: row.value for row in results.rows if row.metric == "stripes-e"}
        (run,) = results.runs.values()
        assert run.choices["backgrounds"].startswith("white") == foreground
    assert found[True].keys() == found[False].keys() == {"floor", "m"}
    assert all(found[True][name] != found[False][name] for name in found[True])
