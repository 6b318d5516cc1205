"""A few held-out heads, made once for all tests of the embedded networks."""

from __future__ import annotations

import pytest

from toolkit_plugins.embedded_networks.orderings import Scene
from toolkit_plugins.embedded_networks.training.evaluation import scene_of
from toolkit_plugins.embedded_networks.training.pictures import PicturePlan, Pictures, prepare_pictures


@pytest.fixture(scope="session")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """Twelve heads of the test split, which neither training nor its evaluation looks at."""
    return prepare_pictures(PicturePlan(split="test", heads=12), tmp_path_factory.mktemp("held-out"))


@pytest.fixture(scope="session")
def scene(held_out: Pictures) -> Scene:
    """Three of them with their partners."""
    return scene_of(held_out)
