"""Can the tri-grid, the decoder and super-resolution of `panohead-mini` hold an eye? Free tri-grids for a few heads.

Usage:
    python benchmarks/representation_gate.py --sheet gate.png
    python benchmarks/representation_gate.py --set heads.seed=51 --sheet gate.png

No mapping and no backbone: one tri-grid per head and one decoder for all, fitted through the training's own losses to
the training's own rays. What comes out is the ceiling of everything that a backbone can learn. PSNR of images in
[-1, 1] on views that were not fitted: of the whole picture, and in the boxes round eyes and mouth in front views.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from toolkit.camera import Camera
from toolkit.configuration import config_path, load_config
from toolkit.files import atomic_write
from toolkit.interfaces import ProceduralHeads
from toolkit.rates import falling
from toolkit_plugins.panohead.training.batches import MiniBatch
from toolkit_plugins.panohead.training.evaluation import view
from toolkit_plugins.panohead.training.job import CONFIG, MiniJob
from toolkit_plugins.panohead.training.objective import PatchLook, draw, patch_losses, ray_losses, total
from toolkit_plugins.panohead.training.rays import prepare_rays
from toolkit_plugins.panohead.training.settings import MiniSettings

YAWS = (5, 30, 180)
BOXES = {"eyes": (0, 1), "mouth": (3, 4)}
"""Landmarks (of the five points) that a box is drawn round."""


def main() -> None:
    """Fit, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rate", type=float, default=0.08, help="of Adam")
    parser.add_argument("--sheet", type=Path, help="picture: truth above, fitted below")
    parser.add_argument("--config", default=CONFIG, help="the training whose networks and losses are tried")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="change one of its settings")
    arguments = parser.parse_args()
    heads = arguments.heads
    folder = Path(tempfile.mkdtemp(prefix="gate-"))
    overrides = [f"heads.heads={heads}", f"batch={heads}", f"patch_heads={heads}", "evaluation_heads=1"]
    # far more rays than a training has of each head: this one sees few heads, often
    overrides += ["heads.rays_per_camera=2000", "heads.patches=12", "heads.more_latents=16", f"heads.folder={folder}"]
    settings = load_config(MiniSettings, config_path(arguments.config), [*overrides, *arguments.set])
    prepare_rays(settings.ray_plan(), folder, workers=1, shard=heads)
    job = MiniJob(settings)
    began = time.process_time()
    planes = fit(job, heads, arguments.steps, arguments.rate)
    seconds = time.process_time() - began
    scores, rows = judge(job, planes)
    print(f"{heads} heads, {arguments.steps} steps, {seconds:.0f} cpu-s:", scores)
    if arguments.sheet:
        with atomic_write(arguments.sheet) as temporary:
            Image.fromarray(np.concatenate(rows)).save(temporary, format="PNG")


def fit(job: MiniJob, heads: int, steps: int, rate: float) -> Tensor:
    """Tri-grids [H, 3, C D, S, S] by Adam, the decoder and super-resolution with them."""
    generator = job.generator
    ws = neutral_ws(job, heads)
    grids = pyramid(heads, generator.spec.planes_shape)
    groups = [(grids, 1.0), (generator.decoder.parameters(), 0.5), (generator.superresolution.parameters(), 0.15)]
    optimiser = torch.optim.Adam(
        [{"params": list(some), "factor": factor} for some, factor in groups], lr=rate, betas=(0.9, 0.99)
    )
    random = np.random.default_rng(0)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * group["factor"] * falling(step / steps)
        source = torch.Generator().manual_seed(step)
        numbers, look = np.arange(heads), PatchLook(job.settings.patch_samples)
        rays, patch = job.batches.ray_batch(numbers, random), job.batches.patch_batch(numbers, random)
        drawn = draw(
            generator,
            MiniBatch(torch.from_numpy(numbers), job.rays.latents[numbers], rays, patch),
            look.samples,
            source,
            guided_patches=step % job.settings.march_every != 0,
        )
        volumes = generator.volumes(total_of(grids))
        losses = ray_losses(generator, volumes, ws, drawn.heads, drawn.counts, job.settings.losses)
        if step > steps // 4 and drawn.patches is not None:
            losses |= patch_losses(generator, volumes, ws, drawn.patches, job.settings.losses, look, job.perceptual)
        optimiser.zero_grad(set_to_none=True)
        total(losses).backward()
        optimiser.step()
    return total_of(grids).detach()


def pyramid(heads: int, shape: tuple[int, ...]) -> list[Tensor]:
    """Grids of full, half, ... size whose sum is the tri-grid, as a backbone adds block to block."""
    levels = [(*shape[:-2], shape[-2] >> level, shape[-1] >> level) for level in range(4)]
    return [torch.zeros(heads, *level).normal_(std=0.05).requires_grad_(True) for level in levels]


def total_of(grids: list[Tensor]) -> Tensor:
    """The tri-grid [H, 3, C D, S, S] that a pyramid adds up to."""
    size = grids[0].shape[-2:]
    enlarged = [F.interpolate(grid.flatten(0, 1), size=size, mode="bilinear") for grid in grids]
    return torch.stack(enlarged).sum(0).unflatten(0, grids[0].shape[:2])


def neutral_ws(job: MiniJob, heads: int) -> Tensor:
    """Styles that change nothing, for the layers that take some."""
    latents = job.generator.spec.latents
    return torch.zeros(heads, latents.num_ws, latents.w_dim)


@torch.no_grad()
def judge(job: MiniJob, planes: Tensor) -> tuple[dict[str, float], list[np.ndarray]]:
    """Scores by region, and a row of pictures per head: truth and fit, view by view."""
    generator, heads = job.generator, job.heads
    errors: dict[str, list[float]] = {"whole": [], **{name: [] for name in BOXES}}
    rows = []
    for head, own in enumerate(planes):
        latent, pictures = heads.latent("train", job.settings.heads.seed, head), []
        for yaw in YAWS:
            camera = Camera.orbit(math.radians(yaw))
            truth = view(heads, latent, camera, generator.spec.image_size)[:3]
            made = generator.render(own[None], neutral_ws(job, 1), camera).image[0].clamp(-1, 1)
            wrong = (made - truth).square()
            errors["whole"].append(psnr(wrong))
            if abs(yaw) < 90:
                for name, (top, left, bottom, right) in boxes(heads, latent, camera, truth.shape[-1]).items():
                    errors[name].append(psnr(wrong[:, top:bottom, left:right]))
            pictures += [truth, made]
        rows.append(((torch.cat(pictures, dim=2) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())
    return {name: round(float(np.mean(values)), 2) for name, values in errors.items()}, rows


def boxes(heads: ProceduralHeads, latent: Tensor, camera: Camera, size: int) -> dict[str, tuple[int, int, int, int]]:
    """Top, left, bottom, right in pixels of the boxes round eyes and mouth."""
    points = camera.project(heads.landmarks(latent))[0] * size
    found = {}
    for name, numbers in BOXES.items():
        some = points[list(numbers)]
        (left, top), (right, bottom) = some.amin(0).tolist(), some.amax(0).tolist()
        reach = 0.35 * (right - left) + 2
        found[name] = (round(top - reach), round(left - reach), round(bottom + reach), round(right + reach))
    return found


def psnr(error: Tensor) -> float:
    """PSNR in dB of a squared error, peak to peak 2."""
    return float(10 * torch.log10(4 / error.mean()))


if __name__ == "__main__":
    main()
