"""Behind the profile, a detector still finds faces; what they seem to say about the camera is not believed."""

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
FROM_BEHIND = {
    -110: [[164.5, 128.5], [182.4, 127.6], [178.8, 153.4], [161.5, 174.2], [173.9, 175.0]],
    -120: [[160.8, 120.1], [179.5, 122.5], [171.3, 144.6], [154.8, 166.9], [167.9, 168.8]],
}
"""What MTCNN finds (p > 0.98) on a rendered man whose face looks away from the camera at these yaws in degrees."""


def said(monkeypatch: pytest.MonkeyPatch, landmarks: np.ndarray, label: float) -> str | None:
    face = Face(np.asarray(landmarks), (0.0, 0.0, float(SIDE), float(SIDE)), 1.0)
    monkeypatch.setattr(agreement, "detect_faces", lambda image: [face])
    return agreement.face_disagreement(np.zeros((SIDE, SIDE, 3), np.uint8), Camera.orbit(math.radians(label)))


def seen_from(yaw: float) -> np.ndarray:
    points = torch.from_numpy(PANOHEAD_SCALE * STANDARD_FACE + PANOHEAD_SHIFT).float()
    return Camera.orbit(math.radians(yaw)).project(points)[0].double().numpy() * SIDE


@pytest.mark.parametrize("yaw", FROM_BEHIND)
def test_a_face_behind_its_profile_contradicts_no_camera(yaw: int, monkeypatch: pytest.MonkeyPatch):
    assert said(monkeypatch, np.array(FROM_BEHIND[yaw]), yaw) is None


@pytest.mark.parametrize("label", [-120, 120, 180])
@pytest.mark.parametrize("yaw", [0, 30, -60])
def test_a_face_that_is_turned_to_the_camera_contradicts_a_label_of_the_back(
    yaw: int, label: int, monkeypatch: pytest.MonkeyPatch
):
    assert "the back of the head" in (said(monkeypatch, seen_from(yaw), label) or "")
