"""TriPlaneNet (Bhattarai et al., WACV 2024): pSp first, then a network that corrects the planes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register

_ARCHITECTURES = (
    ("triplanenet_v1_encoder", "V1Architecture", "second stage of TriPlaneNet v1"),
    ("triplanenet_v2_encoder", "V2Architecture", "second stage of TriPlaneNet v2"),
    ("triplanenet_v2_encoder_pixelshuffle", "V2ShuffleArchitecture", "the same, growing by pixel shuffle"),
)


@hookimpl
def register_architectures(register: Register) -> None:
    """Offer the readers of official TriPlaneNet weights (the first stage is `psp_gradual_encoder`)."""
    for name, attribute, summary in _ARCHITECTURES:
        register(name, f"toolkit_plugins.triplanenet.architecture:{attribute}", summary=summary, interface=1)


@hookimpl
def register_methods(register: Register) -> None:
    """Offer the method `triplanenet`."""
    here = "toolkit_plugins.triplanenet.method:open_triplanenet"
    register("triplanenet", here, summary="TriPlaneNet v2: W+, then mended planes", interface=1, headline=True)


@hookimpl
def register_encoders(register: Register) -> None:
    """Offer the encoder itself."""
    here = "toolkit_plugins.triplanenet.method:open_encoder"
    register("triplanenet", here, summary="TriPlaneNet v2's, both stages", interface=1)


@hookimpl
def register_trainables(register: Register) -> None:
    """Offer the training of both stages."""
    here = "toolkit_plugins.triplanenet.training:make_job"
    register("triplanenet", here, summary="TriPlaneNet v2 for any generator with planes as images", interface=1)


@hookimpl
def register_method_files(register: Register) -> None:
    """Offer the reader of its official checkpoint."""
    here = "toolkit_plugins.triplanenet.official:TriPlaneNetFile"
    register("triplanenet", here, summary="official checkpoint of triplanenet", interface=1)
