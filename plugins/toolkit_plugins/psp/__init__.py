"""pSp (Richardson et al., CVPR 2021): an image to a W+ code in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register

_ARCHITECTURES = (
    ("psp_gradual_encoder", "GradualArchitecture", "pSp's encoder into W+"),
    ("psp_gradual_encoder_18styles", "Gradual18Architecture", "pSp's encoder into W+ of a 1024 px generator"),
    ("psp_last_layer_w", "LastLayerWArchitecture", "pSp's single-vector encoder into W (also e4e's)"),
    ("psp_last_layer_wplus", "LastLayerWPlusArchitecture", "pSp's encoder into W+ from the last layer"),
)


@hookimpl
def register_architectures(register: Register) -> None:
    """Offer the readers of official pSp weights."""
    for name, attribute, summary in _ARCHITECTURES:
        register(name, f"toolkit_plugins.psp.architecture:{attribute}", summary=summary, interface=1)


@hookimpl
def register_methods(register: Register) -> None:
    """Offer the method `psp`."""
    here = "toolkit_plugins.psp.method:open_psp"
    register("psp", here, summary="an encoder into W+, one pass", interface=1, headline=True)


@hookimpl
def register_encoders(register: Register) -> None:
    """Offer the encoder itself."""
    here = "toolkit_plugins.psp.method:open_encoder"
    register("psp", here, summary="pSp's, into W+", interface=1)


@hookimpl
def register_trainables(register: Register) -> None:
    """Offer the encoder's training."""
    here = "toolkit_plugins.psp.training:make_job"
    register("psp", here, summary="pSp's encoder for any generator", interface=1)


@hookimpl
def register_method_files(register: Register) -> None:
    """Offer the reader of its official checkpoint."""
    here = "toolkit_plugins.psp.official:PspFile"
    register("psp", here, summary="official checkpoint of psp", interface=1)
