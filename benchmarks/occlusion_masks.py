"""Measure occlusion masks: how long they take, and what each way of stitching does to the view in and to the others.

Usage:
    python benchmarks/occlusion_masks.py --heads 4
    python benchmarks/occlusion_masks.py --resolution 128 --free-space 0 2 4 8 --stitcher hard feathered blurred

Pairs of the generator's own heads are exact ground truth: the first is what encoder 1 would find, the second what
encoder 2 would. Joined by the first one's mask, the input view should show the first head (PSNR `in`, against its own
render) and the opposite view the second (`back`); `stray` is the mean opacity that the joined head shows from the input
view where neither head shows any: floaters.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

import toolkit
from toolkit.camera import Camera
from toolkit.interfaces import Generator, Render
from toolkit.registry import default_registry
from toolkit.rendering.occlusion import occlusion_mask
from toolkit.rendering.views import around
from toolkit_plugins.dual_encoder.stitching import stitch_planes

SIDES = (0.0, 0.6, -0.9)
"""Yaws of the input views in radians, one pair of heads after the other."""


class Pair(NamedTuple):
    """Two heads, and what they look like on their own."""

    planes: Tensor
    """[2, *planes_shape]."""
    ws: Tensor
    """[2, num_ws, w_dim]."""
    cameras: Camera
    """Input view, and the opposite one."""
    views: tuple[Render, Render]
    """Both heads from each camera."""


def main() -> None:
    """Print one line per mask and stitcher."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generator", default=toolkit.DEFAULT_GENERATOR)
    parser.add_argument("--heads", type=int, default=3, help="pairs of heads")
    parser.add_argument("--resolution", type=int, nargs="+", default=[128])
    parser.add_argument("--free-space", type=int, nargs="+", default=[0, 4])
    parser.add_argument("--stitcher", nargs="+", default=["hard", "feathered"])
    parser.add_argument("--columns", action="store_true", help="also whole columns")
    arguments = parser.parse_args()
    generator = toolkit.load_generator(arguments.generator)
    pairs = list(draw_pairs(generator, arguments.heads))
    print("resolution  slots    free  visible  mask s  stitcher   in dB  back dB  stray")
    for resolution in arguments.resolution:
        for per_slot in (True, False) if arguments.columns else (True,):
            for free_space in arguments.free_space:
                compare(generator, pairs, resolution, per_slot, free_space, arguments.stitcher)


@torch.no_grad()
def draw_pairs(generator: Generator, count: int) -> Iterator[Pair]:
    """Random pairs of heads with their own views."""
    spec = generator.spec
    z = torch.randn(2 * count, spec.latents.z_dim, generator=torch.Generator().manual_seed(0))
    ws = generator.mapping(z, spec.front_camera.expand(2 * count), spec.truncation)
    for index in range(count):
        two = ws[2 * index : 2 * index + 2]
        yaw = SIDES[index % len(SIDES)]
        cameras = around(spec, torch.tensor([yaw, yaw + torch.pi]))
        planes = generator.planes(two)
        first, second = (generator.render(planes, two, camera) for camera in cameras)
        yield Pair(planes, two, cameras, (first, second))


@torch.no_grad()
def compare(
    generator: Generator, pairs: list[Pair], resolution: int, per_slot: bool, free_space: int, stitchers: list[str]
) -> None:
    """Print a line per stitcher for one kind of mask."""
    started = time.process_time()
    masks = [
        occlusion_mask(
            generator, pair.planes[:1], pair.cameras[0], resolution, per_slot=per_slot, free_space=free_space
        )
        for pair in pairs
    ]
    seconds = (time.process_time() - started) / len(pairs)
    visible = 1 - float(torch.stack(masks).mean())
    for name in stitchers:
        stitcher = default_registry().load("stitcher", name)()
        rows = []
        for pair, mask in zip(pairs, masks, strict=True):
            joined = stitch_planes(stitcher, generator, pair.planes[:1], pair.planes[1:], mask)
            front, back = (generator.render(joined, pair.ws[:1], camera) for camera in pair.cameras)
            empty = pair.views[0].mask.amax(0, keepdim=True) < 0.02
            stray = float(front.mask[empty].clamp(min=0).mean())
            rows.append((psnr(front.image, pair.views[0].image[:1]), psnr(back.image, pair.views[1].image[1:]), stray))
        shown, behind, stray = (sum(column) / len(rows) for column in zip(*rows, strict=True))
        slots = "apart" if per_slot else "columns"
        print(
            f"{resolution:>10}  {slots:<7} {free_space:>5}  {visible:7.3f} {seconds:7.2f}  {name:<9} {shown:6.2f}"
            f"  {behind:7.2f}  {stray:.4f}",
            flush=True,
        )


def psnr(image: Tensor, target: Tensor) -> float:
    """In dB, of images in [-1, 1]."""
    return float(10 * torch.log10(4 / (image.clamp(-1, 1) - target.clamp(-1, 1)).square().mean()))


if __name__ == "__main__":
    main()
