"""Checks what a method returns: it must be an inversion into the generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.errors import InputError, PluginError
from toolkit.inversion import Inversion
from toolkit.isolation.watch import listed
from toolkit.registry import method_and_plugin

if TYPE_CHECKING:
    from toolkit.interfaces import Generator


def checked_inversion(found: object, method: str, generator: Generator) -> Inversion:
    """What a method returned, if it is an inversion into this generator.

    Raises:
        PluginError: It is something else, does not fit, or carries gradients; the message names the method, and whose
            plugin it is.
    """
    who = method_and_plugin(method)
    if not isinstance(found, Inversion):
        raise PluginError(f"{who} returned no Inversion, but {type(found).__name__}")
    _check_types(found, who)
    latents, planes = generator.spec.latents, tuple(generator.spec.planes_shape)
    expected = (1, latents.num_ws, latents.w_dim)
    if tuple(found.ws.shape) != expected or tuple(found.planes.shape) != (1, *planes) or len(found.camera) != 1:
        raise PluginError(
            f"{who} returned ws {list(found.ws.shape)}, planes {list(found.planes.shape)} and {len(found.camera)} "
            f"camera(s), generator {generator.spec.name!r} has {list(expected)} and {[1, *planes]}, and one camera"
        )
    if found.method != method:
        raise PluginError(f"{who} returned an inversion of the method {found.method!r}")
    try:
        found.check_generator(generator)
        found.check_savable()
    except InputError as error:
        raise PluginError(f"{who} returned what does not fit: {error}") from error
    if carrying := found.with_gradients():
        raise PluginError(
            f"{who} returned tensors with gradients ({listed(carrying)}): invert under torch.no_grad(), or return "
            "`tensor.detach()`"
        )
    return Inversion(  # a plain one, whose tensors nobody else holds
        ws=found.ws.float().clone(),
        planes=found.planes.float().clone(),
        camera=Camera.from_label(found.camera.label.clone()),
        generator=found.generator,
        fingerprint=found.fingerprint,
        method=found.method,
        world=found.world,
        options=dict(found.options),
        timings=dict(found.timings),
        tuned=None if found.tuned is None else _cloned(found.tuned),
        extra=_cloned(found.extra),
        provenance=dict(found.provenance),
    )


def _cloned(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}


def _check_types(found: Inversion, who: str) -> None:
    for name, value in (("ws", found.ws), ("planes", found.planes)):
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.layout != torch.strided:
            kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise PluginError(f"{who} returned {name} of {kind}, not a dense floating-point tensor")
    groups = {"tuned": {} if found.tuned is None else found.tuned, "extra": found.extra}
    for name, group in groups.items():
        if not isinstance(group, dict) or not all(
            isinstance(key, str) and isinstance(value, Tensor) for key, value in group.items()
        ):
            raise PluginError(f"{who} returned {name} that is no dictionary of tensors")
    for name, told in (("options", found.options), ("timings", found.timings), ("provenance", found.provenance)):
        if not isinstance(told, dict):
            raise PluginError(f"{who} returned {name} that is no dictionary, but {type(told).__name__}")
    if not isinstance(found.camera, Camera):
        raise PluginError(f"{who} returned a camera that is none, but {type(found.camera).__name__}")
