"""The batch of a step of `panohead-mini`: single rays of some heads, patches of the first; of seed and step alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.rendering.rays import Rays, rays_through
from toolkit.training.distribution import own_rows, rank_and_world
from toolkit_plugins.panohead.training.rays import HeadRays
from toolkit_plugins.panohead.training.settings import MiniSettings

_Tree = TypeVar("_Tree")


class RayBatch(NamedTuple):
    """Single rays of a batch of heads."""

    origins: Tensor
    """[B, R, 3]."""
    directions: Tensor
    """[B, R, 3]."""
    places: Tensor
    """[B, R, 2] image coordinates 0..1."""
    colours: Tensor
    """[B, R, 3] in [-1, 1]."""
    depths: Tensor
    """[B, R], 0 for a miss."""


class PatchBatch(NamedTuple):
    """One patch of each head."""

    rays: Rays
    """[B, P*P] rays."""
    places: Tensor
    """[B, P, P, 2] image coordinates 0..1."""
    image: Tensor
    """[B, 3, uP, uP] in [-1, 1]."""
    mask: Tensor
    """[B, 1, uP, uP] in [0, 1]."""
    depths: Tensor | None = None
    """[B, P*P], 0 for a miss."""


class MiniBatch(NamedTuple):
    """What a step looks at."""

    heads: Tensor
    """[B], their numbers."""
    latents: Tensor
    """[B, z]."""
    rays: RayBatch
    patch: PatchBatch | None
    """Of the first heads; None early in the run."""


@dataclass(frozen=True)
class MiniBatches:
    """Makes the batches; picklable, without the networks."""

    settings: MiniSettings
    rays: HeadRays

    def __call__(self, step: int) -> MiniBatch:
        """This process's rows of the batch of a step, on the CPU."""
        settings, (rank, world) = self.settings, rank_and_world()
        count = settings.batch * world
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([settings.seed, step, 11])))
        heads = random.choice(len(self.rays), count, replace=len(self.rays) < count)[own_rows(settings.batch)]
        random = random.spawn(world)[rank]
        rays = self.ray_batch(heads, random)
        late = step >= settings.patches_from * settings.steps
        coarse = settings.coarse_every is not None and step % settings.coarse_every == 0
        patch = self.patch_batch(heads[: settings.patch_heads], random, coarse=coarse) if late else None
        return MiniBatch(torch.from_numpy(heads), self.rays.latents[heads], rays, patch)

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
        return RayBatch(
            bundle.origins.reshape(shape), bundle.directions.reshape(shape), places, colours,
            data.depths[owner, camera, picks % rays],
        )  # fmt: skip

    def _more_of_the_face(self, heads: np.ndarray, picks: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Ray numbers [B, R] whose first `face_share` point into the face box, where people look first.

        A head that no camera sees from the front keeps its numbers.
        """
        rays = self.rays.places.shape[2]
        count, face_rays = int(self.settings.face_share * picks.shape[1]), self.rays.face_rays
        if count and face_rays:
            for row, head in enumerate(heads):
                facing = np.flatnonzero(self.rays.facing[head])
                if not len(facing):  # one or two cameras may all stand behind a head
                    continue
                chosen = random.integers(len(facing) * face_rays, size=count)
                picks[row, :count] = facing[chosen // face_rays] * rays + chosen % face_rays
        return picks

    def patch_batch(self, heads: np.ndarray, random: np.random.Generator, *, coarse: bool = False) -> PatchBatch:
        """A random patch of each of some heads [B], by their numbers; half as many rays a side where it is coarse."""
        data, side = self.rays, self.settings.patch_side
        scale = self.settings.network.image_size // self.settings.raw_size
        owner = torch.from_numpy(heads)
        pick = torch.from_numpy(random.integers(data.patch_corners.shape[1], size=len(heads)))
        row, column = (int(value) for value in random.integers(self.settings.heads.patch - side + 1, size=2))
        corners = data.patch_corners[owner, pick].float() + torch.tensor([row, column])
        steps = torch.arange(1, side, 2) if coarse else torch.arange(side) + 0.5
        rows = ((corners[:, 0, None] + steps) / self.settings.raw_size)[:, :, None].expand(-1, -1, len(steps))
        columns = ((corners[:, 1, None] + steps) / self.settings.raw_size)[:, None, :].expand(-1, len(steps), -1)
        places = torch.stack([columns, rows], -1)
        rows_seen, columns_seen = (slice(start * scale, (start + side) * scale) for start in (row, column))
        picture = data.patch_images[owner, pick][:, :, rows_seen, columns_seen].float()
        rays = rays_through(Camera(data.patch_cameras[owner, pick]), places.flatten(1, 2))
        depths = data.patch_depths[owner, pick][:, row : row + side, column : column + side].flatten(1)
        image, mask = picture[:, :3] / 127.5 - 1, picture[:, 3:] / 255
        return PatchBatch(rays, places, image, mask, None if coarse else depths)


def changed(batch: _Tree, change: Callable[[Tensor], Tensor]) -> _Tree:
    """Nested named tuples with every tensor changed; None stays."""
    return cast("_Tree", _changed(batch, change))


def _changed(node: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if node is None:
        return None
    return change(node) if isinstance(node, Tensor) else type(node)(*(_changed(part, change) for part in node))
