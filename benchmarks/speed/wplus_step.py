"""One step of W+ optimisation at the released sizes, without its perceptual loss: code to picture and back.

python benchmarks/speed/wplus_step.py [--json FILE]
"""

from __future__ import annotations

import full_size
import official_arithmetic as official
import torch
from measuring import Repetition, compare, report
from torch import Tensor


def ours() -> Repetition:
    model = full_size.generator().requires_grad_(False)
    ws = full_size.code(model).requires_grad_()

    def once() -> dict[str, float]:
        code = ws.clone()  # what counts operations wants no leaf as a module's input
        image = model.render(model.planes(code), code, full_size.CAMERA).image
        return _gradient_norm(image, ws)

    return once


def twin() -> Repetition:
    model = full_size.generator().requires_grad_(False)
    ws = full_size.code(model).requires_grad_()

    def once() -> dict[str, float]:
        code = ws.clone()
        image = official.render(model, official.planes_of(model, code), code, full_size.CAMERA).image
        return _gradient_norm(image, ws)

    return once


def _gradient_norm(image: Tensor, ws: Tensor) -> dict[str, float]:
    (gradient,) = torch.autograd.grad(image.square().mean(), ws)
    return {"gradient_norm": float(gradient.norm())}


def main() -> None:
    found = compare({"ours": ours, "official": twin}, repetitions=1)
    one, other = (found[side].said["gradient_norm"] for side in ("ours", "official"))
    report("W+ step", found, gradient_norms_differ_by=abs(one / other - 1))


if __name__ == "__main__":
    main()
