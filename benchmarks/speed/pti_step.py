"""One step of pivotal tuning at the released sizes, without its perceptual loss.

From a fixed code to a picture, and back to all weights.

    python benchmarks/speed/pti_step.py [--json FILE]
"""

from __future__ import annotations

import full_size
import official_arithmetic as official
import torch
from measuring import Repetition, compare, report
from torch import Tensor
from torch.nn import Parameter


def ours() -> Repetition:
    model = full_size.generator()
    ws = full_size.code(model)
    weights = [weight for _, weight in model.tunable_parameters()]
    return lambda: _back(model.render(model.planes(ws), ws, full_size.CAMERA).image, weights)


def twin() -> Repetition:
    model = full_size.generator()
    ws = full_size.code(model)
    weights = [weight for _, weight in model.tunable_parameters()]
    return lambda: _back(official.render(model, official.planes_of(model, ws), ws, full_size.CAMERA).image, weights)


def _back(image: Tensor, weights: list[Parameter]) -> dict[str, float]:
    gradients = torch.autograd.grad(image.square().mean(), weights, allow_unused=True)
    return {"gradient_norm": sum(float(one.square().sum()) for one in gradients if one is not None) ** 0.5}


def main() -> None:
    found = compare({"ours": ours, "official": twin}, repetitions=2)
    one, other = (found[side].said["gradient_norm"] for side in ("ours", "official"))
    report("PTI step", found, gradient_norms_differ_by=abs(one / other - 1))


if __name__ == "__main__":
    main()
