"""The base of all encoder trainings: stages one after the other, averaged weights, held-out scores, the file.

A training derives from `EncodingJob` and says which network there is (`build`), what its stages learn (`plan`), how an
image becomes a code (`encode`) and what its file holds (`parts`, `sizes`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import Adam, Optimizer

from toolkit import load_generator
from toolkit.camera import Camera
from toolkit.configuration import settings_for_others
from toolkit.encoders.files import EncoderFile, read_encoder, write_encoder
from toolkit.encoders.networks.irse import ResidualTrunk, ResidualUnit, warm_start
from toolkit.encoders.networks.plane_unet import UpBlock
from toolkit.encoders.training.batches import BatchMaker, EncodingBatch, photo_rows
from toolkit.encoders.training.held_out import HeldOut
from toolkit.encoders.training.image_losses import ImageLosses
from toolkit.encoders.training.pairs import Pairs, kept_pairs
from toolkit.encoders.training.photos import Photos, open_photos
from toolkit.encoders.training.settings import EncodingSettings, StageSettings
from toolkit.encoders.training.start import find_recogniser, find_start
from toolkit.errors import ConfigError, WeightsError
from toolkit.interfaces import Code, Generator
from toolkit.latents import latent_statistics
from toolkit.training.averaging import WeightAverage
from toolkit.training.job import StepKind, TrainingJob
from toolkit.training.ranger import make_ranger
from toolkit.training.stepping import Stepper
from toolkit.weights.opening import open_state_dict

LICENCE = "Apache-2.0"
_ADAM_BETAS = (0.9, 0.99)


@dataclass(frozen=True)
class Stage:
    """One kind of a training."""

    name: str
    settings: StageSettings
    trained: Module
    """The part of the network that learns; all else stands still, in eval mode."""
    losses: Callable[[EncodingBatch, int], Mapping[str, Tensor]]
    """Weighted losses of (a part of) a batch, at a step of this stage."""
    before: Callable[[EncodingBatch, int], Mapping[str, float]] | None = None
    """What happens before the step, e.g. to a discriminator; returns what to log."""


class EncodingJob(TrainingJob):
    """Trains an encoder for a frozen generator."""

    kind: ClassVar[str]
    """Of the file that it writes."""
    big_blocks: ClassVar[tuple[type[Module], ...]] = (ResidualUnit, UpBlock)
    """Kinds of blocks whose activations `engine.checkpoint_activations` computes twice."""

    def __init__(self, settings: EncodingSettings, device: str = "cpu", generator: Generator | None = None) -> None:
        """Open the generator and the data (made where missing), then lay out networks and stages.

        Args:
            settings: The method's own model.
            device: Where to train.
            generator: Instead of the one that the settings name.
        """
        self.settings, self.device, self.name = settings, torch.device(device), self.kind
        self.seed, self.cadence, self.workers = settings.seed, settings.cadence, settings.engine.workers
        self.config = settings.model_dump(mode="json", exclude={"photos": {"workers"}})
        self.generator = (
            load_generator(settings.generator, settings.generator_weights, device) if generator is None else generator
        )
        _freeze(self.generator)
        spec = self.generator.spec
        if spec.world == "untrained":
            self.rehearsed_only = f"generator {spec.name!r} has random weights: it serves a --dry-run and no training"
        statistics = latent_statistics(self.generator, samples=settings.samples)
        self.centre: Tensor = statistics.centre[0]
        """[num_ws, w_dim]."""
        self.deviation = statistics.spread / math.sqrt(spec.latents.w_dim)
        """Of one number of w."""
        self.stepper = Stepper(settings.engine, device)
        torch.manual_seed(settings.seed)
        self.network = self.build().to(self.device)
        if settings.recogniser is not None:
            start_trunks(self.network, find_recogniser(settings.recogniser))
        if settings.start is not None:
            try:
                self.begin_from(read_encoder(find_start(settings.start)))
            except WeightsError as error:
                raise WeightsError(f"start: {error}; start=null begins at random weights") from error
        self.stepper.prepare(
            *self._called(), blocks=[part for part in self.network.modules() if isinstance(part, self.big_blocks)]
        )
        self.average = WeightAverage(self.network)
        stages = tuple(stage for stage in self.plan() if stage.settings.steps)
        if not stages:
            raise ConfigError(f"the training of {self.kind!r} has no steps: give a stage some")
        self.stages = stages
        self.steps = sum(stage.settings.steps for stage in stages)
        weighs = any(stage.settings.images.identity > 0 for stage in stages)
        self.image_losses = ImageLosses(settings.losses, spec, self.device, identity=weighs)
        self._optimisers = {stage.name: _optimiser(stage) for stage in stages}
        self._open_data()

    def build(self) -> Module:
        """The whole network, with random weights."""
        raise NotImplementedError

    def plan(self) -> Sequence[Stage]:
        """The stages, those without steps included; losses are called later, when everything is there."""
        raise NotImplementedError

    def encode(self, network: Any, image: Tensor, camera: Camera) -> Code:
        """Code of images [B, 3, S, S] by a network like `build`'s (the averaged one, in eval mode)."""
        raise NotImplementedError

    def parts(self, network: Any) -> Mapping[str, Module]:
        """What the file holds, by name."""
        raise NotImplementedError

    def sizes(self) -> Mapping[str, Any]:
        """What rebuilds the parts, as JSON values."""
        raise NotImplementedError

    def begin_from(self, file: EncoderFile) -> None:
        """Take over those parts that the file has under the same name.

        Raises:
            WeightsError: A part does not fit, or the file belongs to another generator.
            ConfigError: It has none of them.
        """
        file.check_generator(self.generator.spec)
        own = self.parts(self.network)
        shared = [name for name in own if file.part(name)]
        if not shared:
            raise ConfigError(f"start: {file.path} holds none of {', '.join(own)}")
        for name in shared:
            file.load_into(own[name], name)
        with torch.no_grad():
            self.centre.copy_(file.centre)

    def modules(self) -> Mapping[str, Module]:
        """The network."""
        return {"network": self.network}

    def optimisers(self) -> Mapping[str, Optimizer]:
        """One per stage."""
        return self._optimisers

    def state(self) -> Mapping[str, Any]:
        """The averaged weights and the loss scale."""
        return {"average": dict(self.average.state()), "stepper": self.stepper.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.average.load_state(state["average"])
        self.stepper.load_state(state["stepper"])

    def batch(self, step: int) -> EncodingBatch:
        """This process's rows of the batch of a step."""
        return self.batches(step)

    def batch_maker(self) -> Callable[[int], Any] | None:
        """What workers make batches with; None where the generator makes pairs for every step."""
        return self.batches if self.batches.generator is None else None

    def step_kinds(self) -> Sequence[StepKind]:
        """The stages, cut by the part of the picture that a step looks at and whether it looks at the mirrored view."""
        stages = [stage.settings for stage in self.stages]
        firsts = itertools.accumulate((stage.steps for stage in stages), initial=0)
        return [
            StepKind(stage.name, kind, steps, first + last)
            for stage, first in zip(self.stages, firsts, strict=False)
            for kind, steps, last in kinds_of_steps(stage.settings)
        ]

    def training_step(self, batch: EncodingBatch, step: int) -> Mapping[str, float]:
        """One step of the stage's optimiser."""
        number, local = self.batches.place(step)
        stage = self.stages[number]
        self.network.eval()
        stage.trained.train()
        batch = on_device(batch, self.device)
        logged = dict(stage.before(batch, local)) if stage.before is not None else {}
        optimiser = self._optimisers[stage.name]
        for group in optimiser.param_groups:
            group["lr"] = rate_at(stage.settings, local)
        logged |= self.stepper.backward(lambda part: stage.losses(part, local), batch)
        self.stepper.update(optimiser, stage.settings.clip)
        decay = min(self.settings.average, (local + 1) / (local + 10))  # every stage starts its averages anew
        self.average.update(self.network, decay)
        return {f"{stage.name}/{name}": value for name, value in logged.items()}

    def shown_code(self, image: Tensor, camera: Camera) -> Code:
        """Code by the averaged weights."""
        return self.encode(self.average.module, image, camera)

    def evaluate(self, step: int) -> Mapping[str, float]:
        """Scores at the input views of held-out photos."""
        return self.held_out.score(self.shown_code)

    def part_of(self, step: int) -> str:
        """The stage: the best weights are the last stage's."""
        return self.stages[self.batches.place(step)[0]].name

    def sheet(self, step: int) -> np.ndarray:
        """Input, reconstruction, sides and back of held-out photos."""
        return self.held_out.sheet(self.shown_code)

    def export(self, path: Path) -> None:
        """Write the averaged weights in 16 bits with everything that is needed to use them."""
        with torch.random.fork_rng(devices=[]):
            scores = {f"held_out_{name}": round(value, 5) for name, value in self.evaluate(self.steps).items()}
        about = {
            "licence": LICENCE,
            "training": f"toolkit train {self.kind}",
            "settings": settings_for_others(self.settings),
            **scores,
        }
        write_encoder(
            path, self.kind, self.parts(self.average.module), self.centre, self.sizes(), self.generator.spec, about
        )

    def _called(self) -> list[Module]:
        """The parts of the network that stages call; no discriminator, whose R1 needs second derivatives."""
        own = set(self.network.modules())
        return [part for part in self.parts(self.network).values() if part in own]

    def _open_data(self) -> None:
        settings, spec = self.settings, self.generator.spec
        stages = [stage.settings for stage in self.stages]
        photos, held_out = open_photos(settings.photos, spec.image_size)
        wanted = any(photo_rows(stage) < stage.batch for stage in stages)
        kept: Pairs | None = None
        if wanted and settings.pairs.count:
            kept = kept_pairs(self.generator, settings.pairs, settings.seed)
        self.batches = BatchMaker(
            self.seed,
            stages,
            photos,
            kept,
            settings.pairs,
            mirror=settings.photos.mirror,
            rebalance=settings.photos.rebalance,
            generator=self.generator if wanted and kept is None else None,
        )
        self.held_out = HeldOut(held_out, self.generator, self.image_losses.perceptual, self.device)


def start_trunks(network: Module, path: Path) -> None:
    """Start every IR-SE trunk of a network from a face recogniser.

    Raises:
        ConfigError: The network has no such trunk, or the recogniser's weights do not fit.
        WeightsError: The file is missing or damaged.
    """
    trunks = [module for module in network.modules() if isinstance(module, ResidualTrunk)]
    if not trunks:
        raise ConfigError("recogniser: this network has no IR-SE trunk to start")
    tensors = open_state_dict(path)
    for trunk in trunks:
        warm_start(trunk, tensors)


def rate_at(stage: StageSettings, local: int) -> float:
    """The learning rate of a stage's step."""
    warm = min(1.0, (local + 1) / max(1, stage.warmup))
    fade = 0.5 + 0.5 * math.cos(math.pi * local / stage.steps) if stage.schedule == "cosine" else 1.0
    return stage.rate * warm * fade


def kinds_of_steps(stage: StageSettings) -> list[tuple[str, int, int]]:
    """What sets a stage's steps apart (empty: nothing), how many are so, and the last, when all parts have joined."""
    period = math.lcm(len(stage.windows), stage.mirror_every if stage.mirror else 1)
    found: dict[tuple[float, bool], list[range]] = {}
    for local in range(min(period, stage.steps)):
        mirrored = stage.mirror > 0 and local % stage.mirror_every == 0
        found.setdefault((stage.windows[local % len(stage.windows)], mirrored), []).append(
            range(local, stage.steps, period)
        )
    return [
        (_kind(*kind) if len(found) > 1 else "", sum(map(len, steps)), max(each[-1] for each in steps))
        for kind, steps in found.items()
    ]


def _kind(side: float, mirrored: bool) -> str:
    return f"window {side:g}" + (" and mirrored" if mirrored else "")


def on_device(batch: EncodingBatch, device: torch.device) -> EncodingBatch:
    """Move a batch's tensors."""
    photos = None if batch.photos is None else Photos(*(part.to(device) for part in batch.photos))
    pairs = None if batch.pairs is None else Pairs(*(part.to(device) for part in batch.pairs))
    seen, yaws = (None if part is None else part.to(device) for part in (batch.seen, batch.yaws))
    return EncodingBatch(photos, pairs, seen, batch.window, yaws)


def _optimiser(stage: Stage) -> Optimizer:
    parameters = [parameter for parameter in stage.trained.parameters() if parameter.requires_grad]
    if stage.settings.optimiser == "ranger":
        return make_ranger(parameters, stage.settings.rate)
    return Adam(parameters, lr=stage.settings.rate, betas=_ADAM_BETAS)


def _freeze(generator: Generator) -> None:
    if isinstance(generator, Module):
        generator.eval().requires_grad_(False)
