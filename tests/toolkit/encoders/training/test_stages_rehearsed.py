"""A dry run of an encoder's training takes steps of every stage."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from encoder_training import CLASSES, STAGES, tiny_job

from toolkit.encoders.training import StageSettings
from toolkit.encoders.training.job import kinds_of_steps
from toolkit.testing.spherical import SphericalGenerator
from toolkit.training import rehearse


@pytest.mark.parametrize("kind", CLASSES)
def test_every_stage_is_rehearsed(
    kind: str, photo_folder: Path, spherical: SphericalGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    outcome = rehearse(tiny_job(kind, photo_folder, spherical, steps=3))
    names = [name.replace(".", "/") for name in STAGES[kind]]
    assert [kind.stage for kind, _ in outcome.step_kinds] == names
    assert [kind.example for kind, _ in outcome.step_kinds] == [3 * index + 2 for index in range(len(names))]
    assert all(seconds > 0 for _, seconds in outcome.step_kinds)
    assert all(any(loss.startswith(f"{name}/") for loss in outcome.losses) for name in names)
    assert "projected total" in outcome.lines()[-1]


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({"steps": 7}, [("", 7, 6)]),
        ({"steps": 7, "windows": (1.0, 0.5)}, [("window 1", 4, 6), ("window 0.5", 3, 5)]),
        ({"steps": 1, "windows": (1.0, 0.5)}, [("", 1, 0)]),
        (
            {"steps": 9, "windows": (1.0, 0.5), "mirror": 1.0, "mirror_every": 4},
            [("window 1 and mirrored", 3, 8), ("window 0.5", 4, 7), ("window 1", 2, 6)],
        ),
        ({"steps": 4, "mirror": 1.0}, [("", 4, 3)]),
    ],
)
def test_steps_that_look_at_other_parts_are_kinds_of_their_own(settings: dict[str, Any], kinds: list[Any]) -> None:
    assert kinds_of_steps(StageSettings(**settings)) == kinds
