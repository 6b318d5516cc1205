"""Pose estimators of strangers: what is no rotation is refused by their name, and landmarks stay as they are."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from toolkit.errors import PluginError
from toolkit.faces.photo import _rotation
from toolkit.interfaces import Pose
from toolkit.registry import Registration, default_registry
from toolkit.testing.spherical import SphericalGenerator

FRONT = np.diag([1.0, -1.0, -1.0])
POINTS = np.array([[18, 20], [30, 20], [24, 26], [19, 32], [29, 32]], float)


@pytest.fixture
def estimator(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[np.ndarray], Any]], None]:
    """Register a stranger's estimator that answers as a function does."""

    def register(answer: Callable[[np.ndarray], Any]) -> None:
        module = types.ModuleType("odd_poses")
        module.Odd = type("Odd", (), {"estimate": lambda self, points, spec: answer(points)})  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "odd_poses", module)
        entry = Registration("pose_estimator", "odd", "odd_poses:Odd", "s", 1, "sx")
        monkeypatch.setitem(default_registry().registrations, ("pose_estimator", "odd"), entry)

    return register


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda points: None, "failed: AttributeError"),
        (lambda points: Pose(FRONT * np.nan, "odd"), "told no rotation"),
        (lambda points: Pose(FRONT * 1000, "odd"), "told no rotation"),
        (lambda points: Pose(np.eye(2), "odd"), "told no rotation"),
        (lambda points: Pose(-np.eye(3), "odd"), "told a mirrored rotation"),
        (lambda points: Pose(np.diag([-1.0, 1.0, 1.0]), "odd"), "told a mirrored rotation"),
        (lambda points: Pose(torch.tensor(FRONT, requires_grad=True), "odd"), "failed: "),
        (lambda points: os._exit(0), "tried to end the program"),
    ],
)
def test_what_is_no_rotation_is_refused_by_name(
    estimator: Callable[..., None], spherical: SphericalGenerator, answer: Callable[[np.ndarray], Any], told: str
):
    estimator(answer)
    with pytest.raises(PluginError, match=f"^pose estimator 'odd' of plugin 'sx'.*{told}"):
        _rotation("odd", POINTS.copy(), spherical.spec)


def test_landmarks_are_copies(estimator: Callable[..., None], spherical: SphericalGenerator):
    estimator(lambda points: (points.fill(0), Pose(FRONT, "odd"))[1])
    points = POINTS.copy()
    assert np.array_equal(_rotation("odd", points, spherical.spec), FRONT) and np.array_equal(points, POINTS)
