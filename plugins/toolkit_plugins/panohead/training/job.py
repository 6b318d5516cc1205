"""`toolkit train panohead-mini`: the miniature generator, learnt from procedural heads.

    toolkit train panohead-mini --out runs/mini
    toolkit train panohead-mini --out runs/mini --resume --set heads.heads=4000

z is the head's own latent, so the mapping learns what the parameters mean; colours come from rays with known depth, and
super-resolution from patches rendered as at test time.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import Adam, Optimizer

from toolkit.cache import cache_folder
from toolkit.camera import Camera
from toolkit.configuration import config_path, load_config
from toolkit.nn.dense import Dense
from toolkit.registry import default_registry
from toolkit.rendering.rays import rays_through
from toolkit.training.averaging import WeightAverage
from toolkit.training.distribution import average_gradients, own_rows, rank_and_world
from toolkit.training.job import TrainingJob
from toolkit_plugins.panohead.generator import PanoHead
from toolkit_plugins.panohead.loading import build, load, save
from toolkit_plugins.panohead.training.evaluation import HeldOut, sheet_of
from toolkit_plugins.panohead.training.objective import (
    PatchBatch,
    RayBatch,
    patch_losses,
    ray_losses,
    total,
)
from toolkit_plugins.panohead.training.rays import HeadRays, prepare_rays
from toolkit_plugins.panohead.training.settings import MiniSettings

CONFIG = "training/panohead-mini"
FOG = 8.0
"""Raw density to begin with."""


def make_job(config: Path | None, overrides: Sequence[str], device: str) -> MiniJob:
    """Build the job from a YAML file (None: the shipped one) and `a.b=c` overrides."""
    return MiniJob(load_config(MiniSettings, config or config_path(CONFIG), overrides), device)


class MiniJob(TrainingJob):
    """The training of one miniature."""

    name = "panohead-mini"

    def __init__(self, settings: MiniSettings, device: str = "cpu") -> None:
        """Make the rays that are missing, then the networks."""
        self.settings, self.device = settings, torch.device(device)
        self.seed, self.steps, self.cadence = settings.seed, settings.steps, settings.cadence
        # where the rays are kept and who makes them changes nothing that is learnt
        self.config: Mapping[str, Any] = settings.model_dump(mode="json", exclude={"heads": {"folder", "workers"}})
        self.heads = default_registry().load("dataset", settings.heads.dataset).procedural()
        plan = settings.ray_plan()
        folder = cache_folder("rays") if settings.heads.folder is None else Path(settings.heads.folder)
        self.rays: HeadRays = prepare_rays(plan, folder, settings.heads.workers)
        mean_face = self.heads.landmarks(torch.zeros(self.heads.latent_dim))
        points = tuple((float(x), float(y), float(z)) for x, y, z in mean_face)
        torch.manual_seed(settings.seed)
        self.generator = self._started(build(settings.generator_config(self.heads.latent_dim, points)))
        if settings.start is not None:
            self.generator.load_state_dict(load(Path(settings.start).expanduser()).state_dict())
        self.average = WeightAverage(self.generator)
        self.optimiser = self._optimiser()
        self.held_out = HeldOut(self.heads, settings.evaluation_heads, settings.network.image_size, folder)

    def _started(self, generator: PanoHead) -> PanoHead:
        """Start from white space with a thin fog that a surface can condense from, and a still camera."""
        with torch.no_grad():
            last = generator.decoder.net[2]
            assert isinstance(last, Dense)  # for the type checker: nn.Sequential hides it
            assert last.bias is not None
            last.bias[0] = FOG / generator.decoder.density_scale
            for name, parameter in generator.backbone.synthesis.named_parameters():
                if name.endswith("torgb.weight"):
                    parameter.mul_(0.3)  # the mean head comes first, differences grow into it
            for parameter in generator.t_mapping.parameters():
                parameter.zero_()
        generator.t_mapping.requires_grad_(False)
        return generator.to(self.device)

    def _optimiser(self) -> Adam:
        settings, groups = self.settings.optimiser, []
        factors = {
            "backbone.mapping.fc": settings.mapping_factor,
            "decoder.": settings.decoder_factor,
            "plane_offset": settings.offset_factor,
        }
        for name, parameter in self.generator.named_parameters():
            if parameter.requires_grad and "noise_strength" not in name:
                factor = next((value for start, value in factors.items() if name.startswith(start)), 1.0)
                groups.append({"params": [parameter], "lr": settings.rate * factor, "factor": factor})
        return Adam(groups, betas=settings.betas)

    def modules(self) -> Mapping[str, Module]:
        """The generator."""
        return {"generator": self.generator}

    def optimisers(self) -> Mapping[str, Optimizer]:
        """Adam."""
        return {"adam": self.optimiser}

    def state(self) -> Mapping[str, Any]:
        """The averaged weights."""
        return {"average": dict(self.average.state())}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take the averaged weights back."""
        self.average.load_state(state["average"])

    def learning_rate(self, step: int) -> float:
        """Warm-up, then one cosine to zero."""
        settings = self.settings.optimiser
        warm = min(1.0, (step + 1) / max(1, settings.warmup))
        return settings.rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / self.steps))

    def batch(self, step: int) -> tuple[Tensor, RayBatch, PatchBatch | None]:
        """Latents [B, z], single rays, and (later in the run) a patch of each head."""
        rank, world = rank_and_world()
        count = self.settings.batch * world
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, step, 11])))
        heads = random.choice(len(self.rays), count, replace=len(self.rays) < count)[own_rows(self.settings.batch)]
        random = random.spawn(world)[rank]
        rays = self.ray_batch(heads, random)
        late = step >= self.settings.patches_from * self.steps
        patch = self.patch_batch(heads[: self.settings.patch_heads], random) if late else None
        return self.rays.latents[heads].to(self.device), rays, patch

    def ray_batch(self, heads: np.ndarray, random: np.random.Generator) -> RayBatch:
        """Random rays of some heads [B], by their numbers."""
        data = self.rays
        _, cameras, rays, _ = data.places.shape
        chosen = random.integers(cameras * rays, size=(len(heads), self.settings.rays))
        picks = torch.from_numpy(self._more_of_the_face(heads, chosen, random))
        owner, camera = torch.from_numpy(heads)[:, None], picks // rays
        places = data.places[owner, camera, picks % rays]
        labels = data.cameras[owner, camera].flatten(0, 1)
        bundle = rays_through(Camera(labels), places.flatten(0, 1)[:, None])
        shape = (len(heads), self.settings.rays, 3)
        colours = data.colours[owner, camera, picks % rays].float() / 127.5 - 1
        return RayBatch(*(part.to(self.device) for part in (
            bundle.origins.reshape(shape), bundle.directions.reshape(shape), places, colours,
            data.depths[owner, camera, picks % rays],
        )))  # fmt: skip

    def _more_of_the_face(self, heads: np.ndarray, picks: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Ray numbers [B, R] whose first `face_share` point into the face box, where people look first."""
        rays = self.rays.places.shape[2]
        count, face_rays = int(self.settings.face_share * picks.shape[1]), self.rays.face_rays
        if count and face_rays:
            for row, head in enumerate(heads):
                facing = np.flatnonzero(self.rays.facing[head])
                chosen = random.integers(len(facing) * face_rays, size=count)
                picks[row, :count] = facing[chosen // face_rays] * rays + chosen % face_rays
        return picks

    def patch_batch(self, heads: np.ndarray, random: np.random.Generator) -> PatchBatch:
        """A random patch of each of some heads [B], by their numbers."""
        data, side, scale = (
            self.rays,
            self.settings.patch_side,
            self.settings.network.image_size // self.settings.raw_size,
        )
        owner = torch.from_numpy(heads)
        pick = torch.from_numpy(random.integers(data.patch_corners.shape[1], size=len(heads)))
        row, column = (int(value) for value in random.integers(self.settings.heads.patch - side + 1, size=2))
        corners = data.patch_corners[owner, pick].float() + torch.tensor([row, column])
        steps = torch.arange(side) + 0.5
        rows = ((corners[:, 0, None] + steps) / self.settings.raw_size)[:, :, None].expand(-1, -1, side)
        columns = ((corners[:, 1, None] + steps) / self.settings.raw_size)[:, None, :].expand(-1, side, -1)
        places = torch.stack([columns, rows], -1)
        rows_seen, columns_seen = (slice(start * scale, (start + side) * scale) for start in (row, column))
        picture = data.patch_images[owner, pick][:, :, rows_seen, columns_seen].float()
        rays = rays_through(Camera(data.patch_cameras[owner, pick]), places.flatten(1, 2))
        rays = type(rays)(rays.origins.to(self.device), rays.directions.to(self.device))
        picture = picture.to(self.device)
        return PatchBatch(rays, places.to(self.device), picture[:, :3] / 127.5 - 1, picture[:, 3:] / 255)

    def training_step(self, batch: tuple[Tensor, RayBatch, PatchBatch | None], step: int) -> Mapping[str, float]:
        """One step of Adam on all losses of the batch."""
        latents, rays, patch = batch
        rank, world = rank_and_world()
        source = torch.Generator(device=self.device).manual_seed(self.seed * 1_000_003 + step * world + rank)
        rate = self.learning_rate(step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        ws = self.generator.mapping(latents, self.generator_front)
        planes = self.generator.planes(ws, noise="none")
        losses = ray_losses(self.generator, planes, ws, rays, self.settings.losses, source)
        if patch is not None:
            some, samples, every = len(patch.image), self.settings.patch_samples, self.settings.frame_every
            frame = float(every) if step % every == 0 else 0.0
            joint = step >= self.settings.joint_from * self.steps
            losses |= patch_losses(
                self.generator, planes[:some], ws[:some], patch, self.settings.losses, samples, source, frame, joint
            )
        self.optimiser.zero_grad(set_to_none=True)
        total(losses).backward()
        average_gradients(self.generator.parameters())
        self.optimiser.step()
        self.average.update(self.generator, min(self.settings.optimiser.average, (step + 1) / (step + 10)))
        return {name: float(loss.detach()) for name, loss in losses.items()}

    @property
    def generator_front(self) -> Camera:
        """The camera that conditions the mapping (which is blind to it)."""
        return Camera.orbit().to(self.device)

    def evaluate(self, step: int) -> Mapping[str, float]:
        """PSNR on held-out heads, whole image and inside the head's mask, from their own latents."""
        return self.held_out.score(self.average.module)

    def sheet(self, step: int) -> np.ndarray:
        """Truth above, generator below."""
        return sheet_of(self.held_out, self.average.module)

    @torch.no_grad()
    def export(self, path: Path) -> None:
        """Write the averaged weights in 16 bits, with the mean latent that truncation and W+ start from."""
        generator = copy.deepcopy(self.average.module)
        ws = generator.mapping(self.rays.latents.to(self.device), self.generator_front)
        generator.backbone.mapping.w_avg.copy_(ws[:, 0].mean(0))
        scores = {f"held_out_{name}": f"{value:.3f}" for name, value in self.held_out.score(generator).items()}
        about = {"licence": "Apache-2.0", "training": "toolkit train panohead-mini", **scores}
        save(generator, path, about | {"settings": self.settings.model_dump_json()}, dtype=torch.float16)
