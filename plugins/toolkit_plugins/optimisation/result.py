"""From a found code (and weight delta) to the inversion that a method returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import Module

from toolkit.camera import Camera
from toolkit.devices import seconds_on
from toolkit.interfaces import Generator
from toolkit.inversion import Inversion, identity_of, run_provenance
from toolkit_plugins.optimisation.settings import ProjectorSettings


def as_inversion(
    method: str,
    settings: ProjectorSettings,
    generator: Generator,
    ws: Tensor,
    camera: Camera,
    tuned: dict[str, Tensor],
    timings: Mapping[str, float],
    **facts: Any,
) -> Inversion:
    """Make the inversion, its planes included.

    Args:
        method: Name of the method.
        settings: How it was run.
        generator: The caller's, untuned.
        ws: [1, num_ws, w_dim].
        camera: The camera actually used.
        tuned: Weight delta; empty where the generator stayed the same.
        timings: Seconds by stage so far.
        facts: What else provenance should hold.
    """
    started = seconds_on(generator.device)
    spec = generator.spec
    inversion = Inversion(
        ws=ws,
        planes=ws.new_zeros(1, *spec.planes_shape),
        camera=camera,
        method=method,
        options=settings.model_dump(mode="json"),
        tuned=tuned or None,
        provenance=run_provenance(seed=settings.seed, device=str(generator.device), near=spec.near, **facts),
        **identity_of(spec),
    )
    with torch.no_grad():
        inversion.planes = inversion.tuned_generator(generator).planes(ws)
    seconds = seconds_on(generator.device) - started
    inversion.timings = {**timings, "planes": seconds, "total": sum(timings.values()) + seconds}
    return inversion


def as_delta(generator: Generator, changed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Changed minus original for each named entry of the generator's state, those without change left out."""
    original = cast(Module, generator).state_dict()
    deltas = {name: value.detach() - original[name].to(value) for name, value in changed.items()}
    return {name: delta for name, delta in deltas.items() if bool(delta.any())}
