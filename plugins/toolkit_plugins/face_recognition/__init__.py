"""Face recognisers, from official weights: ArcFace (for losses) and CurricularFace (for the identity metric)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register


@hookimpl
def register_architectures(register: Register) -> None:
    """Offer the readers of official recognisers."""
    here = "toolkit_plugins.face_recognition.architecture"
    register(
        "irse50_arcface", f"{here}:ArcFaceArchitecture", summary="ArcFace on the 50-layer IR-SE trunk", interface=1
    )
    register(
        "curricularface_ir101",
        f"{here}:CurricularFaceArchitecture",
        summary="CurricularFace on the 100-layer IR trunk",
        interface=1,
    )


@hookimpl
def register_face_embedders(register: Register) -> None:
    """Offer the recognisers, which need weights that the user brings, and one without, for dry runs."""
    here = "toolkit_plugins.face_recognition.embedders"
    register("arcface", f"{here}:open_arcface", summary="ArcFace, 112 px (needs model_ir_se50)", interface=1)
    register(
        "curricularface",
        f"{here}:open_curricularface",
        summary="CurricularFace, 112 px (needs CurricularFace_Backbone)",
        interface=1,
    )
    register(
        "arcface-untrained",
        f"{here}:open_untrained",
        summary="ArcFace's network with random weights, for dry runs and timings",
        interface=1,
        world="untrained",
    )
