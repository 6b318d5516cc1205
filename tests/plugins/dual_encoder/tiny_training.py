"""The dual encoder at its smallest, on the spherical generator's own pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from toolkit.configuration import load_config
from toolkit.encoders.training import EncoderTraining
from toolkit.interfaces import Generator
from toolkit.rendering.views import around
from toolkit_plugins.dual_encoder.training.job import dual_training
from toolkit_plugins.dual_encoder.training.settings import DualSettings

STAGE = ("steps=2", "batch=2", "rate=1e-3", "optimiser=adam", "resolution=8", "images.identity=0")
TINY = (
    "generator=spherical",
    "samples=16",
    "view_resolution=8",
    "photos.held_out_subjects=1",
    "network.image_size=32",
    "network.width=4",
    "network.units=[1,1,1,1]",
    "network.block_width=4",
    "refiner.width=4",
    "refiner.units=[1,1,1,1]",
    "refiner.head_width=4",
    *(f"{encoder}.joint.{each}" for encoder in ("encoder1", "encoder2") for each in STAGE),
    "adversary.options.occlusion-planes.width=4",
    "adversary.options.occlusion-images.width=4",
    "adversary.optimiser=adam",
    "adversary.rate=1e-3",
    "adversary.mask.resolution=12",
    "evaluation_mask.resolution=12",
)


def write_photos(generator: Generator, folder: Path, heads: int = 4) -> Path:
    """Write renders of random heads as a data set folder."""
    spec = generator.spec
    source = torch.Generator().manual_seed(5)
    cameras = around(spec, torch.linspace(-0.6, 0.6, heads))
    with torch.no_grad():
        ws = generator.mapping(
            torch.randn(heads, spec.latents.z_dim, generator=source), spec.front_camera.expand(heads)
        )
        images = generator.render(generator.planes(ws), ws, cameras).image
    folder.mkdir()
    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    labels = []
    for index in range(heads):
        Image.fromarray(np.ascontiguousarray(pixels[index])).save(folder / f"{index}.png")
        labels.append([f"{index}.png", cameras.label[index].tolist()])
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


def tiny_settings(photos: Path, *overrides: str, config: Path | None = None) -> DualSettings:
    """The smallest settings, on pictures in a folder."""
    settings: DualSettings = load_config(DualSettings, config, [*TINY, f"photos.sources=[{photos}]", *overrides])
    return settings


def run(job: EncoderTraining, steps: int | None = None, start: int = 0) -> list[dict[str, Any]]:
    """Take a job's steps, as the loop does."""
    return [
        dict(job.training_step(job.batch(step), step)) for step in range(start, job.steps if steps is None else steps)
    ]


def export_two(generator: Generator, photos: Path, path: Path) -> Path:
    """Write what an untrained dual encoder exports; its two encoders differ."""
    job = dual_training(tiny_settings(photos), "cpu", generator)
    with torch.no_grad():
        for index, parameter in enumerate(job.average.module.parameters()):
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(index)))
    job.export(path)
    return path
