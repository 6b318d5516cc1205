"""Golden arrays of the official PanoHead, and the generators that they belong to."""

from __future__ import annotations

from functools import cache

from volume_golden import Golden

from toolkit_plugins.panohead.architecture import PanoHeadArchitecture
from toolkit_plugins.panohead.generator import PanoHead

OUTPUTS = ("image", "image_raw", "image_depth", "image_mask")


@cache
def load(name: str) -> Golden:
    return Golden("panohead", name)


@cache
def generator(name: str) -> PanoHead:
    golden = load(name)
    built = PanoHeadArchitecture().build(golden.state_dict(), golden.config)
    built.load_state_dict(golden.state_dict())
    return built.eval()
