"""Face data sets in the forms that they are published in; none of them is shipped."""

from __future__ import annotations

from toolkit import hookimpl
from toolkit.registry import Register

_LAYOUTS = "toolkit_plugins.face_datasets.layouts"
_RIGS = "toolkit_plugins.face_datasets.rigs"


@hookimpl
def register_datasets(register: Register) -> None:
    """Offer the readers, and MEAD's raw videos, Cafca and H3DS to `toolkit data prepare`."""
    register("ffhq", f"{_LAYOUTS}:Faces", summary="FFHQ as EG3D or PanoHead crop it (folder or zip)", interface=1)
    register("lpff", f"{_LAYOUTS}:Lpff", summary="LPFF, alone or with FFHQ (folder or zip)", interface=1)
    register("celeba-hq", f"{_LAYOUTS}:Faces", summary="CelebA-HQ crops with labels (folder or zip)", interface=1)
    register("mead", "toolkit_plugins.face_datasets.mead:Mead", summary="MEAD: seven views of actors", interface=1)
    register("cafca", f"{_RIGS}:Cafca", summary="Cafca: synthetic people from 30 sides", interface=1)
    register("h3ds", f"{_RIGS}:H3ds", summary="H3DS: scanned people from all around", interface=1)
