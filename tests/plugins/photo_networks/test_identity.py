from __future__ import annotations

import importlib.metadata
import math
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("dlib")

from toolkit.camera import Camera
from toolkit.data.transforms import resize
from toolkit.errors import MissingDependencyError
from toolkit.faces.detection import detect_faces
from toolkit.registry import default_registry
from toolkit.testing import conformance
from toolkit_plugins.photo_networks.identity import DescriptorDistance, described_pixels, open_id_dlib
from toolkit_plugins.photo_networks.recogniser import SAME_PERSON, Box, Recogniser, open_recogniser

FRONT, ASIDE = Camera.orbit(0.0), Camera.orbit(math.radians(60))


@pytest.fixture
def metric() -> DescriptorDistance:
    return open_id_dlib()


def test_it_is_a_registered_metric_where_lower_is_nearer():
    metric = default_registry().load("metric", "id_dlib")()
    assert (metric.name, metric.direction, metric.takes) == ("id_dlib", "lower", "faces")
    assert len(metric.networks) == 2  # results name the files


def test_it_keeps_the_contract_of_metrics(astronaut: Tensor, admiral: Tensor):
    conformance.check_metric(open_id_dlib, [(astronaut, admiral, FRONT), (admiral, admiral, FRONT)])


def test_a_person_is_nearer_to_a_poor_picture_of_herself_than_to_somebody_else(
    metric: DescriptorDistance, astronaut: Tensor, admiral: Tensor
):
    noise = torch.randn(astronaut.shape, generator=torch.Generator().manual_seed(0))
    poor = (resize(resize(astronaut, 128), 256) + 0.05 * noise).clamp(-1, 1)
    assert float(metric.score(astronaut, astronaut)) == 0
    assert float(metric.score(poor, astronaut)) < 0.4
    assert float(metric.score(admiral, astronaut)) > SAME_PERSON
    assert float(metric.score(admiral, astronaut)) == float(metric.score(astronaut, admiral))


def test_scores_do_not_depend_on_what_was_scored_before(astronaut: Tensor, admiral: Tensor):
    first, second = (DescriptorDistance(Recogniser(), np.zeros((5, 3))) for _ in range(2))
    alone = float(first.score(admiral, astronaut))
    second.score(astronaut, admiral)
    second.score(admiral.flip(-1), astronaut)
    assert float(second.score(admiral, astronaut)) == alone


def test_a_target_without_a_face_is_counted(metric: DescriptorDistance, astronaut: Tensor):
    metric.update(torch.cat([astronaut, astronaut]), torch.cat([astronaut, torch.zeros_like(astronaut)]))
    assert metric.compute() == (0.0, 1, 1)


def test_where_the_detector_finds_no_target_the_camera_says_where_the_face_is(
    metric: DescriptorDistance, astronaut: Tensor
):
    empty = torch.zeros_like(astronaut[0])
    seen = metric.compare(astronaut[0], empty, FRONT)
    assert math.isfinite(seen.distance) and not seen.target_found and seen.image_found
    assert math.isnan(metric.compare(astronaut[0], empty, ASIDE).distance)  # from there no front is seen


def test_a_ruined_face_is_scored_and_not_left_out(metric: DescriptorDistance, astronaut: Tensor):
    ruined = torch.zeros_like(astronaut)
    found = metric.compare(ruined[0], astronaut[0])
    assert found.target_found and not found.image_found
    assert found.distance > SAME_PERSON
    metric.update(ruined, astronaut)
    assert (metric.compute().used, metric.compute().failed) == (1, 0)


def test_the_descriptor_is_dlibs(astronaut: Tensor):
    import dlib

    recogniser, pixels = open_recogniser(), described_pixels(astronaut[0])
    box = recogniser.find(pixels)
    assert box is not None
    network = dlib.face_recognition_model_v1(str(recogniser.files[0]))
    points = dlib.shape_predictor(str(recogniser.files[1]))
    (found,) = dlib.get_frontal_face_detector()(pixels, 0)
    faces = points(pixels, found)
    chip = dlib.get_face_chip(pixels, faces)
    both = np.array(network.compute_face_descriptor([chip, np.ascontiguousarray(chip[:, ::-1])]))
    np.testing.assert_allclose(both[0], np.array(network.compute_face_descriptor(pixels, faces)), atol=1e-6)
    np.testing.assert_allclose(recogniser.describe(pixels, box), both.mean(0), atol=1e-6)


def test_landmarks_give_the_box_that_dlib_would_draw(astronaut: Tensor, admiral: Tensor):
    for picture in (astronaut, admiral):
        pixels = described_pixels(picture[0])
        found, made = open_recogniser().find(pixels), Box.around(detect_faces(pixels)[0].landmarks)
        assert found is not None
        assert made.side == pytest.approx(found.side, rel=0.15)
        assert made.left == pytest.approx(found.left, abs=0.15 * found.side)
        assert made.top == pytest.approx(found.top, abs=0.15 * found.side)


def test_the_package_with_the_files_is_not_run_and_the_68_points_are_not_read(monkeypatch: pytest.MonkeyPatch):
    import dlib

    read: list[str] = []
    real: Any = dlib.shape_predictor
    monkeypatch.setattr(dlib, "shape_predictor", lambda path: read.append(path) or real(path))
    Recogniser()
    assert [path.rsplit("/", 1)[1] for path in read] == ["shape_predictor_5_face_landmarks.dat"]
    assert "face_recognition_models" not in sys.modules


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    def nothing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", nothing)
    with pytest.raises(MissingDependencyError, match=r"^id_dlib needs .* pip install 'toolkit\[identity\]'$"):
        Recogniser()
