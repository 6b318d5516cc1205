"""z to a picture of 512 pixels at the released sizes: the whole forward pass, its stages, and a view of kept planes.

    python benchmarks/speed/forward.py [--json FILE]

The twin's stages must stand in the proportions that were measured with the official code, within 20 %.
"""

from __future__ import annotations

import full_size
import official_arithmetic as official
import torch
from measuring import Measured, Repetition, Stages, compare, report

import toolkit.generators.generator as family

OFFICIAL_SECONDS = {"backbone": 1.54, "rendering": 1.55, "background": 0.28, "super_resolution": 4.4}
"""Of the official code on another machine: only their proportions count."""


def ours() -> Repetition:
    model, stages = full_size.generator(), Stages()
    z = full_size.latent(model)
    stages.watch(model, "planes", "backbone")
    stages.watch(family, "march", "rendering")
    stages.watch(model, "background", "background")
    stages.watch(model.superresolution, "forward", "super_resolution")

    def once() -> dict[str, float]:
        with torch.no_grad():
            ws = model.mapping(z, full_size.CAMERA)
            model.render(model.planes(ws), ws, full_size.CAMERA)
        return stages.taken()

    return once


def twin() -> Repetition:
    model, stages = full_size.generator(), Stages()
    z = full_size.latent(model)
    stages.watch(official, "planes_of", "backbone")
    stages.watch(official, "raw_features", "rendering")
    stages.watch(official, "background", "background")
    stages.watch(official, "enlarged", "super_resolution")

    def once() -> dict[str, float]:
        with torch.no_grad():
            ws = model.mapping(z, full_size.CAMERA)
            official.render(model, official.planes_of(model, ws), ws, full_size.CAMERA)
        return stages.taken()

    return once


def largest_difference() -> float:
    """Between the two pictures, whose values reach from -1 to 1."""
    model = full_size.generator()
    with torch.no_grad():
        ws = full_size.code(model)
        slow = official.render(model, official.planes_of(model, ws), ws, full_size.CAMERA).image
        return float((model.render(model.planes(ws), ws, full_size.CAMERA).image - slow).abs().max())


def proportions(found: Measured) -> dict[str, float]:
    """Each stage's share of the twin's seconds over its share of the official code's."""
    whole, official_whole = sum(found.said.values()), sum(OFFICIAL_SECONDS.values())
    return {
        stage: round(found.said[stage] / whole / (seconds / official_whole), 2)
        for stage, seconds in OFFICIAL_SECONDS.items()
    }


def main() -> None:
    found = compare({"ours": ours, "official": twin})
    report("forward z to 512 px", found, difference=largest_difference(), proportions=proportions(found["official"]))
    for stage in OFFICIAL_SECONDS:
        report(f"  {stage}", {side: _of(one, stage) for side, one in found.items()})
    kept = {side: _of(one, "rendering", "background", "super_resolution") for side, one in found.items()}
    report("  further view, planes kept", kept)


def _of(one: Measured, *stages: str) -> Measured:
    seconds = sum(one.said[stage] for stage in stages)
    return Measured(seconds, seconds, None, 0.0)


if __name__ == "__main__":
    main()
