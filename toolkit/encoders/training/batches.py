"""The batch of a step: photos, pairs, and the window of the picture that is used; a function of seed and step."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.data import EndlessSampler
from toolkit.data.balance import pose_density, rebalancing_weights
from toolkit.devices import sent
from toolkit.encoders.training.augmentation import augment
from toolkit.encoders.training.pairs import Pairs, make_pairs, rows
from toolkit.encoders.training.photos import Photos, PhotoSet, Sightings
from toolkit.encoders.training.settings import PairSettings, StageSettings
from toolkit.interfaces import Generator
from toolkit.training.distribution import rank_and_world, row_numbers
from toolkit.training.rng import RowRng, make_rng, row_rng


class Window(NamedTuple):
    """A square part of a picture, in fractions of its side."""

    left: float
    top: float
    side: float

    def camera(self, label: Tensor) -> Camera:
        """The cameras [B, 25] that see only this part."""
        if self.side == 1:
            return Camera(label)
        larger = 1 / self.side
        scale = label.new_tensor([larger, larger, larger, 1, larger, larger, 1, 1, 1])
        shift = label.new_zeros(9)
        shift[2], shift[5] = self.left / self.side, self.top / self.side
        return Camera(torch.cat([label[:, :16], label[:, 16:] * scale - shift], dim=1))

    def cut(self, image: Tensor) -> Tensor:
        """This part of pictures [B, C, S, S]."""
        size = image.shape[-1]
        left, top, side = (round(value * size) for value in self)
        return image[..., top : top + side, left : left + side]


WHOLE = Window(0.0, 0.0, 1.0)


class EncodingBatch(NamedTuple):
    """What a step learns from."""

    photos: Photos | None
    pairs: Pairs | None
    """As the generator rendered them."""
    seen: Tensor | None
    """The pairs' pictures as the encoder gets them."""
    window: Window
    yaws: Tensor | None
    """[P] yaws in radians, anywhere around, to look at the pairs from besides their own cameras."""
    others: Photos | None = None
    """Another picture of each photo's subject, where the stage weighs them."""
    sightings: Sightings | None = None
    """Which photos these are; left out of what goes to the device."""

    @property
    def blocks(self) -> tuple[int, int]:
        """How many photos and pairs there are, as `distribution.row_numbers` takes them."""
        photos, pairs = (0 if part is None else len(part.label) for part in (self.photos, self.pairs))
        return photos, pairs


class BatchMaker:
    """Makes batches; picklable unless pairs are made again for every step."""

    def __init__(
        self,
        seed: int,
        stages: Sequence[StageSettings],
        photos: PhotoSet | None,
        pairs: Pairs | None,
        pair_settings: PairSettings,
        *,
        mirror: bool = True,
        rebalance: bool = False,
        generator: Generator | None = None,
    ) -> None:
        """Describe the batches.

        Args:
            seed: Of everything that is drawn.
            stages: One after the other.
            photos: None where no stage uses any.
            pairs: The kept ones.
            pair_settings: How they were made, and how strongly they are augmented.
            mirror: Whether mirrored photos count.
            rebalance: Whether rare camera directions are drawn more often.
            generator: Makes new pairs for every step where none are kept.
        """
        self.seed, self.stages, self.photos, self.pairs = seed, tuple(stages), photos, pairs
        self.pair_settings, self.generator = pair_settings, generator
        self.weights: np.ndarray | None = None
        self.length = 0 if photos is None else len(photos) * (2 if mirror else 1)
        if photos is not None and rebalance:
            both = torch.cat([photos.labels, Camera(photos.labels).mirror().label])[: self.length]
            self.weights = rebalancing_weights(pose_density(Camera(both)))

    def place(self, step: int) -> tuple[int, int]:
        """Number of the stage that a step belongs to, and the steps of that stage before it."""
        for number, stage in enumerate(self.stages):
            if step < stage.steps:
                return number, step
            step -= stage.steps
        raise IndexError("there is no such step")

    def __call__(self, step: int) -> EncodingBatch:
        """This process's rows of the batch of a step."""
        number, local = self.place(step)
        stage = self.stages[number]
        rank, world = rank_and_world()
        shared = make_rng(self.seed, step, 0)
        photos, pairs = photo_rows(stage), stage.batch - photo_rows(stage)
        chosen = seen = yaws = None
        if pairs:
            rng = row_rng(row_numbers(pairs), self.seed, step, 1)
            chosen = self._pairs(rng)
            seen = augment(chosen.image, self.pair_settings.augment, rng)
            yaws = (rng.uniform() * 2 - 1) * math.pi
        indices = self._photo_indices(number, local * world + rank, photos) if photos else []
        drawn, sightings = self._photo_set.draw(indices) if photos else (None, None)
        others = self._others(indices, step) if photos and stage.others else None
        return EncodingBatch(drawn, chosen, seen, _window(stage, local, shared), yaws, others, sightings)

    @property
    def _photo_set(self) -> PhotoSet:
        assert self.photos is not None  # a job without photos has no stage that wants them
        return self.photos

    def _photo_indices(self, stage: int, draw: int, count: int) -> list[int]:
        places = range(draw * count, (draw + 1) * count)
        return [int(_order(self, stage, place // self.length)[place % self.length]) for place in places]

    def _others(self, indices: Sequence[int], step: int) -> Photos:
        """Another picture of each photo's subject, mirrored as the photo is."""
        photos, count = self._photo_set, len(self._photo_set)
        chosen = []
        for index in indices:
            mates = photos.same_subject[index % count]
            mate = mates[int(torch.randint(len(mates), (), generator=make_rng(self.seed, step, 2, index)))]
            chosen.append(mate + (count if index >= count else 0))
        return photos.draw(chosen)[0]

    def _pairs(self, rng: RowRng) -> Pairs:
        if self.pairs is None:
            assert self.generator is not None  # a job that keeps no pairs hands over its generator
            return make_pairs(self.generator, self.pair_settings, rng)
        return rows(self.pairs, rng.below(len(self.pairs.ws)))


def on_device(batch: EncodingBatch, device: torch.device) -> EncodingBatch:
    """A batch with its tensors on a device, pictures in [-1, 1]."""
    photos = None if batch.photos is None else Photos(*(sent(part, device) for part in batch.photos)).as_numbers()
    pairs = None if batch.pairs is None else Pairs(*(sent(part, device) for part in batch.pairs))
    seen, yaws = (None if part is None else sent(part, device) for part in (batch.seen, batch.yaws))
    others = None if batch.others is None else Photos(*(sent(part, device) for part in batch.others)).as_numbers()
    return EncodingBatch(photos, pairs, seen, batch.window, yaws, others)


def photo_rows(stage: StageSettings) -> int:
    """How many rows of a stage's batch are photos."""
    return round(stage.batch * stage.photos)


@functools.lru_cache(maxsize=4)
def _order(maker: BatchMaker, stage: int, epoch: int) -> np.ndarray:
    weights = None if maker.weights is None else list(maker.weights)
    return EndlessSampler(maker.length, seed=maker.seed + 7919 * stage, weights=weights).epoch_order(epoch)


def _window(stage: StageSettings, local: int, source: torch.Generator) -> Window:
    side = stage.windows[local % len(stage.windows)]
    if side == 1:
        return WHOLE
    left, top = (torch.rand(2, generator=source) * (1 - side)).tolist()
    return Window(round(left * 32) / 32, round(top * 32) / 32, side)  # on whole pixels of every usual size
