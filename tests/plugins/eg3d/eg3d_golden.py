"""Golden arrays of the official EG3D, and the generators that they belong to."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from volume_golden import Golden

from toolkit_plugins.eg3d.architecture import EG3DArchitecture
from toolkit_plugins.eg3d.config import EG3DConfig
from toolkit_plugins.eg3d.generator import EG3D


@cache
def load(name: str) -> Golden:
    return Golden("eg3d", name)


@cache
def generator(name: str, plane_axes: str = "original") -> EG3D:
    golden = load(name)
    config = replace(EG3DConfig.from_any(golden.config), plane_axes=plane_axes)
    built = EG3DArchitecture().build(golden.state_dict(), config.to_dict())
    built.load_state_dict(golden.state_dict())
    return built.eval()
