"""The embedded miniature: a view of kept planes, a step that fits planes, and all products of one head on all cores.

    python benchmarks/speed/miniature.py [--json FILE]

The twin of a kept view and of a step is the official arithmetic at the miniature's sizes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import official_arithmetic as official
import torch
from full_size import average_code
from measuring import Repetition, compare, report
from torch import Tensor

import toolkit
from toolkit.camera import Camera
from toolkit.export.products import write_products
from toolkit.inversion import Inversion
from toolkit.rendering.views import around, iterate_views
from toolkit_plugins.panohead.generator import PanoHead

VIEWS = 12


def _kept() -> tuple[PanoHead, Camera, Tensor, Tensor]:
    """The miniature, cameras around it, and the average head's code and planes."""
    model = cast(PanoHead, toolkit.load_generator("panohead-mini"))
    with torch.no_grad():
        ws = average_code(model)
        planes = model.planes(ws)
    return model, around(model.spec, torch.arange(VIEWS) * (2 * torch.pi / VIEWS)), ws, planes


def ours() -> Repetition:
    model, cameras, ws, planes = _kept()

    def once() -> dict[str, float]:
        seen = torch.cat([part.image for part in iterate_views(model, planes, ws, cameras)])
        return {"mean": float(seen.mean())}

    return once


def twin() -> Repetition:
    model, cameras, ws, planes = _kept()

    def once() -> dict[str, float]:
        with torch.no_grad():
            seen = torch.cat([official.render(model, planes, ws, cameras[index : index + 1]).image
                              for index in range(VIEWS)])  # fmt: skip
        return {"mean": float(seen.mean())}

    return once


def fitting_step() -> Repetition:
    model, cameras, ws, planes = _kept()
    return lambda: _asked_of_planes(planes, lambda: model.render(planes, ws, cameras[:1]).image)


def fitting_twin() -> Repetition:
    model, cameras, ws, planes = _kept()
    return lambda: _asked_of_planes(planes, lambda: official.render(model, planes, ws, cameras[:1]).image)


def _asked_of_planes(planes: Tensor, look: Callable[[], Tensor]) -> dict[str, float]:
    planes.requires_grad_()
    (gradient,) = torch.autograd.grad(look().square().mean(), planes)
    return {"gradient_norm": float(gradient.norm())}


def products() -> Repetition:
    model = toolkit.load_generator("panohead-mini")
    with torch.no_grad():
        ws = average_code(model)
        inversion = Inversion(ws=ws, planes=model.planes(ws), camera=model.spec.front_camera, method="mean",
                              generator=model.spec.name, fingerprint=model.spec.fingerprint)  # fmt: skip

    def once() -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_products(Path(folder), inversion, model, None, note=print)

    return once


def main() -> None:
    found = compare({"ours": ours, "official": twin}, repetitions=2)
    difference = abs(found["ours"].said["mean"] - found["official"].said["mean"])
    report(f"{VIEWS} views of the miniature, planes kept", found, means_differ_by=difference)
    found = compare({"ours": fitting_step, "official": fitting_twin})
    one, other = (found[side].said["gradient_norm"] for side in ("ours", "official"))
    report("a step that fits planes of the miniature", found, gradient_norms_differ_by=abs(one / other - 1))
    for threads in (1, 2):
        found = compare({"ours": products}, repetitions=1, threads=threads, warm_up=False)
        report(f"all products of one head, {threads} threads", found, wall_seconds=found["ours"].wall)


if __name__ == "__main__":
    main()
