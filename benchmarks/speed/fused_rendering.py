"""Rendering the released sizes in fused kernels beside plain PyTorch, on an NVIDIA GPU: numbers, seconds and memory.

python benchmarks/speed/fused_rendering.py [--heads 3] [--side 64] [--tf32]

One step renders one view of each head and takes gradients of planes and decoder. Planes and weights are random;
`--density` is a factor on raw densities, which decide how opaque the heads are. Exit code 1: the numbers differ.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

import full_size
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.devices import choose_arithmetic
from toolkit.rendering.rays import camera_rays
from toolkit.rendering.sampling import FIXED_DRAWS
from toolkit_plugins.panohead.generator import PanoHead

REPETITIONS = 10
MIB = 1 << 20
MOST = 1e-3
"""Largest difference, relative to the largest number, that counts as equal; not asked of TF32."""


def with_matter(model: PanoHead, planes: Tensor, factor: float) -> PanoHead:
    """The model with raw densities so many times as large, and half of space dense, whatever its weights are."""
    model.decoder.density_scale = factor
    points = torch.rand(1, 1 << 12, 3, device=planes.device) - 0.5
    with torch.no_grad():
        model.decoder.net[2].bias[0] -= model.density(planes[:1], points).median() / factor
    return model


def step(model: PanoHead, planes: Tensor, cameras: Camera, side: int) -> list[Tensor]:
    """Features, depth and opacity along rays, and the gradients of planes and decoder."""
    marched = model._marched(model.volumes(planes), camera_rays(cameras, side), FIXED_DRAWS, None)
    assert marched.features is not None
    loss = marched.features.square().mean() + marched.depth.mean() + marched.opacity.mean()
    return [*(each.detach() for each in marched), *torch.autograd.grad(loss, [planes, *model.decoder.parameters()])]


def measured(model: PanoHead, planes: Tensor, cameras: Camera, side: int) -> tuple[list[Tensor], float, float]:
    """Results, median milliseconds of a step, and MiB that it needs beside what is there before."""
    found = step(model, planes, cameras, side)  # compiles
    seconds = []
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    for _ in range(REPETITIONS):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        step(model, planes, cameras, side)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begun)
    return found, 1000 * statistics.median(seconds), (torch.cuda.max_memory_allocated() - before) / MIB


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--side", type=int, default=64, help="rays per row")
    parser.add_argument("--density", type=float, default=100.0)
    parser.add_argument("--tf32", action="store_true")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        parser.error("there is no NVIDIA GPU here")
    model = full_size.generator().to("cuda")
    torch.manual_seed(1)
    planes = torch.randn(options.heads, *model.config.planes_shape, device="cuda", requires_grad=True)
    model = with_matter(model, planes, options.density)
    cameras = Camera.orbit(torch.linspace(-1.0, 1.0, options.heads), 0.1).to("cuda")
    rounded = ["tf32"] if options.tf32 else []
    sides = []
    for name, chosen in (("plain", rounded), ("fused", [*rounded, "fused-rendering"])):
        choose_arithmetic(chosen)
        sides.append(measured(model, planes, cameras, options.side))
        print(f"{name}: {sides[-1][1]:.2f} ms, {sides[-1][2]:.0f} MiB", flush=True)
    pairs = zip(sides[0][0], sides[1][0], strict=True)
    differences = [float((b - a).abs().max() / a.abs().max().clamp(min=1e-30)) for a, b in pairs]
    print("largest relative differences:", " ".join(f"{each:.1e}" for each in differences))
    return int(not options.tf32 and max(differences) > MOST)


if __name__ == "__main__":
    sys.exit(main())
