"""A face in a picture speaks for or against a camera label."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from toolkit.camera import Camera
from toolkit.faces import agreement
from toolkit.faces.detection import Face
from toolkit.faces.template import PANOHEAD_SCALE, PANOHEAD_SHIFT, STANDARD_FACE

SIDE = 256


def degrees(yaw: float) -> Camera:
    return Camera.orbit(math.radians(yaw))


def said(monkeypatch: pytest.MonkeyPatch, seen_from: float, label: float) -> str | None:
    """What is said of a face that looks as if it was seen from one yaw, in a picture labelled with another."""
    points = torch.from_numpy(PANOHEAD_SCALE * STANDARD_FACE + PANOHEAD_SHIFT).float()
    landmarks = degrees(seen_from).project(points)[0].double().numpy() * SIDE
    face = Face(landmarks, (0.0, 0.0, float(SIDE), float(SIDE)), 1.0)
    monkeypatch.setattr(agreement, "detect_faces", lambda image: [face])
    return agreement.face_disagreement(np.zeros((SIDE, SIDE, 3), np.uint8), degrees(label))


@pytest.mark.parametrize(("seen_from", "label"), [(0, 0), (25, 0), (-60, -75), (-51, -98), (50, 90), (75, 110)])
def test_a_face_that_agrees_as_far_as_five_points_tell_is_no_fault(
    seen_from: float, label: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(monkeypatch, seen_from, label) is None


@pytest.mark.parametrize(
    ("seen_from", "label", "says"),
    [
        (50, 0, "the label says 0 degrees"),
        (0, 90, "the label says 90 degrees"),
        (-10, 98, "the label says 98 degrees"),
        (30, -30, "left and right are swapped"),
        (60, -95, "the label says -95 degrees"),
        (0, 180, "front and back are swapped"),
    ],
)
def test_a_face_that_contradicts_the_label_is_told(
    seen_from: float, label: float, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert says in (said(monkeypatch, seen_from, label) or "")
