"""e4e (Tov et al., SIGGRAPH 2021): pSp's encoder, kept near W so that codes can be edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register

_ARCHITECTURES = (
    ("e4e_encoder", "E4eArchitecture", "e4e's encoder"),
    ("e4e_encoder_18styles", "E4e18Architecture", "e4e's encoder for a 1024 px generator"),
    ("e4e_latent_discriminator", "LatentDiscriminatorArchitecture", "e4e's discriminator of w"),
)


@hookimpl
def register_architectures(register: Register) -> None:
    """Offer the readers of official e4e weights."""
    for name, attribute, summary in _ARCHITECTURES:
        register(name, f"toolkit_plugins.e4e.architecture:{attribute}", summary=summary, interface=1)


@hookimpl
def register_methods(register: Register) -> None:
    """Offer the method `e4e`."""
    here = "toolkit_plugins.e4e.method:open_e4e"
    register("e4e", here, summary="an encoder whose codes stay near W, one pass", interface=1, headline=True)


@hookimpl
def register_encoders(register: Register) -> None:
    """Offer the encoder itself."""
    here = "toolkit_plugins.e4e.method:open_encoder"
    register("e4e", here, summary="e4e's, near W", interface=1)


@hookimpl
def register_trainables(register: Register) -> None:
    """Offer the encoder's training."""
    here = "toolkit_plugins.e4e.training:make_job"
    register("e4e", here, summary="e4e's encoder for any generator", interface=1)


@hookimpl
def register_method_files(register: Register) -> None:
    """Offer the reader of its official checkpoint."""
    here = "toolkit_plugins.e4e.official:E4eFile"
    register("e4e", here, summary="official checkpoint of e4e", interface=1)
