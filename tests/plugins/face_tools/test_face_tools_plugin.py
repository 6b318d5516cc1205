from __future__ import annotations

import pytest

from toolkit.interfaces import Matting, PoseEstimator
from toolkit.registry import Registry
from toolkit_plugins import face_tools


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.add_plugin("face-tools", face_tools)
    return registry


def test_the_plugin_is_taken_in_whole(registry: Registry):
    assert registry.broken == []
    assert [entry.name for entry in registry.of_kind("pose_estimator")] == ["five_point"]
    assert [entry.name for entry in registry.of_kind("matting")] == ["grabcut", "white"]


def test_everything_it_offers_can_be_built(registry: Registry):
    assert isinstance(registry.load("pose_estimator", "five_point")(), PoseEstimator)
    for name in ("grabcut", "white"):
        assert isinstance(registry.load("matting", name)(), Matting)
