"""EG3D (Chan et al., CVPR 2022): heads and objects as three planes, seen from the front half."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register


@hookimpl
def register_generators(register: Register) -> None:
    """Offer the full model."""
    register(
        "eg3d",
        "toolkit_plugins.eg3d.loading:load_eg3d",
        summary="EG3D, front views, needs a released weights file",
        interface=1,
        world="full",
    )


@hookimpl
def register_architectures(register: Register) -> None:
    """Offer the reader of official EG3D weights."""
    register(
        "eg3d",
        "toolkit_plugins.eg3d.architecture:EG3DArchitecture",
        summary="generator of EG3D",
        interface=1,
    )
