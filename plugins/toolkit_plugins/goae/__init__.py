"""GOAE (ICCV 2023): a code from a transformer, features aligned to the photo, and an occlusion-aware mix of planes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.hookspecs import hookimpl

if TYPE_CHECKING:
    from toolkit.registry import Register


@hookimpl
def register_architectures(register: Register) -> None:
    """Offer the readers of the two official files."""
    here = "toolkit_plugins.goae.architecture"
    register("goae_encoder", f"{here}:EncoderArchitecture", summary="GOAE's image to W+ encoder", interface=1)
    register("goae_afa", f"{here}:AlignmentArchitecture", summary="GOAE's adaptive feature alignment", interface=1)


@hookimpl
def register_methods(register: Register) -> None:
    """Offer the method `goae`."""
    here = "toolkit_plugins.goae.method:open_goae"
    register("goae", here, summary="GOAE: W+, aligned features, planes mixed by visibility", interface=1, headline=True)


@hookimpl
def register_encoders(register: Register) -> None:
    """Offer the encoder itself."""
    here = "toolkit_plugins.goae.method:open_encoder"
    register("goae", here, summary="GOAE's, code and aligned planes", interface=1)


@hookimpl
def register_trainables(register: Register) -> None:
    """Offer the training of both networks."""
    here = "toolkit_plugins.goae.training:make_job"
    register("goae", here, summary="GOAE for any generator whose synthesis resumes", interface=1)


@hookimpl
def register_method_files(register: Register) -> None:
    """Offer the reader of its official checkpoint."""
    here = "toolkit_plugins.goae.official:GoaeFile"
    register("goae", here, summary="official checkpoint of goae", interface=1)
