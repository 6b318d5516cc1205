"""The training of any encoder: stages one after the other, averaged weights, held-out scores, the file.

What is particular to a method stands in its `Recipe`; the generator and the settings come from outside, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from toolkit.configuration import settings_for_others
from toolkit.encoders.files import read_encoder, write_encoder
from toolkit.encoders.training.batches import BatchMaker, EncodingBatch, on_device, photo_rows
from toolkit.encoders.training.code_metric import kept_code_metric
from toolkit.encoders.training.data import EncodingData, open_data, wants_pairs
from toolkit.encoders.training.frozen_generator import FrozenGenerator
from toolkit.encoders.training.held_out import HeldOut, score_names
from toolkit.encoders.training.image_losses import ImageLosses
from toolkit.encoders.training.photo_ledger import PhotoLedger
from toolkit.encoders.training.photos import describe, numbers_of
from toolkit.encoders.training.recipe import LossContext, Recipe, Stage
from toolkit.encoders.training.schedule import kinds_of_steps, make_optimiser, rate_at
from toolkit.encoders.training.settings import EncodingSettings
from toolkit.encoders.training.start import begin_at_average, find_recogniser, find_start, start_trunks, take_parts
from toolkit.errors import ConfigError, WeightsError
from toolkit.interfaces import Encoder, StepKind, TrainingJob
from toolkit.training.averaging import WeightAverage
from toolkit.training.best import check_best
from toolkit.training.stepping import Stepper

LICENCE = "Apache-2.0"


class EncoderTraining(TrainingJob):
    """Trains the encoder of a recipe for a frozen generator."""

    def __init__(
        self, settings: EncodingSettings, frozen: FrozenGenerator, recipe: Recipe, data: EncodingData | None = None
    ) -> None:
        """Take over what the settings begin at, then open the losses' networks and the data (made where missing).

        Args:
            settings: The method's own model.
            frozen: The generator; the training runs on its device.
            recipe: The method's part.
            data: What to learn from; None: what the settings name, opened after everything that can be refused.

        Raises:
            ConfigError: No stage has steps, or the settings name something unknown.
            WeightsError: A weights file is missing, damaged or does not fit.
        """
        self.settings, self.recipe, self.name = settings, recipe, recipe.kind
        self.seed, self.cadence = settings.seed, settings.cadence
        self.config = settings.model_dump(mode="json", exclude={"photos": {"workers"}})
        self.generator, self.device = frozen.generator, frozen.generator.device
        spec = self.generator.spec
        self.trained_for = {"name": spec.name, "fingerprint": spec.fingerprint}
        if spec.world == "untrained":
            self.rehearsed_only = f"generator {spec.name!r} has random weights: it serves a --dry-run and no training"
        self.stages = tuple(stage for stage in recipe.stages if stage.settings.steps)
        if not self.stages:
            raise ConfigError(f"the training of {self.name!r} has no steps: give a stage some")
        self.steps = sum(stage.settings.steps for stage in self.stages)
        self.network = cast(Module, recipe.encoder).to(self.device)
        self._take_over()
        self.stepper = Stepper(settings.engine, self.device)
        self.stepper.prepare(
            *self._called(), blocks=[part for part in self.network.modules() if isinstance(part, recipe.big_blocks)]
        )
        self.average = WeightAverage(self.network, copied=settings.average > 0)
        weighs = any(stage.settings.images.identity > 0 for stage in self.stages)
        names = [name for stage in self.stages for name, weight in stage.settings.images.by_name.items() if weight]
        images = ImageLosses(settings.losses, spec, self.device, identity=weighs, names=names)
        check_best(settings.cadence, score_names(images.perceptual))
        self._optimisers = {stage.name: make_optimiser(stage.trained, stage.settings) for stage in self.stages}
        self._introduction: Sequence[str] = ()
        stage_settings = [stage.settings for stage in self.stages]
        opened = open_data(settings, stage_settings, self.generator) if data is None else data
        by_pictures = any(stage.settings.codes and stage.settings.codes_by == "pictures" for stage in self.stages)
        metric = kept_code_metric(self.generator) if by_pictures else None  # minutes where it is not kept
        self.context = LossContext(self.generator, frozen.deviation, images, metric)
        self._take_data(opened)

    def modules(self) -> Mapping[str, Module]:
        """The encoder, and its opponents' discriminators, which stay in the checkpoints."""
        opponents = {name: opponent.discriminator for name, opponent in self.recipe.opponents.items()}
        return {"network": self.network, **opponents}

    def optimisers(self) -> Mapping[str, Optimizer]:
        """One per stage and one per opponent."""
        return {**self._optimisers, **{name: each.optimiser for name, each in self.recipe.opponents.items()}}

    def state(self) -> Mapping[str, Any]:
        """The averaged weights, the loss scale, what opponents remember, and which photos were seen."""
        opponents = {name: opponent.state() for name, opponent in self.recipe.opponents.items()}
        return {
            "average": dict(self.average.state()),
            "stepper": self.stepper.state(),
            "opponents": opponents,
            "photos": self.ledger.state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.average.load_state(state["average"])
        self.stepper.load_state(state["stepper"])
        for name, opponent in self.recipe.opponents.items():
            opponent.load_state(state["opponents"][name])
        if "photos" in state:  # not in checkpoints of earlier versions
            self.ledger.load_state(state["photos"])

    def news(self) -> Sequence[str]:
        """How many photos there are; later, those that cannot be read."""
        first: Sequence[str] = self._introduction
        self._introduction = ()
        return [*first, *self.ledger.news()]

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
        self._begin(stage, number, local)
        if batch.sightings is not None:
            self.ledger.note(batch.sightings)
        batch = on_device(batch._replace(sightings=None), self.device)
        logged = dict(stage.before(batch, local)) if stage.before is not None else {}
        optimiser = self._optimisers[stage.name]
        for group in optimiser.param_groups:
            group["lr"] = rate_at(stage.settings, local)
        logged |= self.stepper.backward(lambda part: stage.losses(self.context, part, local), batch, optimiser)
        self.stepper.update(optimiser, stage.settings.clip)
        decay = min(self.settings.average, (local + 1) / (local + 10))  # every stage starts new averages
        self.average.update(self.network, decay)
        named = {f"{stage.name}/{name}": value for name, value in logged.items()}
        for opponent_name, opponent in self.recipe.opponents.items():
            named |= {f"{opponent_name}/{name}": value for name, value in opponent.take_log().items()}
        return named

    def _begin(self, stage: Stage, number: int, local: int) -> None:
        """Begin a stage at its first step, and put all networks but the stage's into eval mode."""
        if local == 0 and stage.begin is not None:
            stage.begin(self.average.module if number else None)
        self.network.eval()
        stage.trained.train()

    def shown(self, step: int) -> Sequence[Encoder]:
        """The averaged encoders to look at after so many steps; the last one is scored."""
        self.average.module.eval()
        return self.recipe.shown(self.average.module, self.part_of(max(0, min(step, self.steps) - 1)))

    def evaluate(self, step: int) -> Mapping[str, float]:
        """Scores at the input views of held-out photos."""
        return self.held_out.score(self.shown(step)[-1])

    def part_of(self, step: int) -> str:
        """The stage: the best weights are the last stage's."""
        return self.stages[self.batches.place(step)[0]].name

    def sheet(self, step: int) -> np.ndarray:
        """Input, reconstruction, sides and back of held-out photos, for every encoder that is shown."""
        return np.concatenate([self.held_out.sheet(encoder) for encoder in self.shown(step)], axis=1)

    def export(self, path: Path) -> None:
        """Write the averaged weights in 16 bits with everything that is needed to use them."""
        with torch.random.fork_rng(devices=[]):
            scores = {f"held_out_{name}": round(value, 5) for name, value in self.evaluate(self.steps).items()}
        about = {
            "licence": LICENCE,
            "training": f"toolkit train {self.name}",
            "settings": settings_for_others(self.settings),
            **scores,
        }
        averaged: Any = self.average.module
        also = self.recipe.also_stored
        parts = {**averaged.parts(), **{name: module for name, (module, _) in also.items()}}
        sizes = {**averaged.sizes(), **{name: described for name, (_, described) in also.items()}}
        write_encoder(
            path, self.name, parts, averaged.average_latent, sizes, self.generator.spec, about, self.ledger.prints()
        )

    def _take_over(self) -> None:
        settings, take_over = self.settings, self.recipe.take_over
        self._inherited: Tensor | None = None
        if settings.begin_at_average:
            begin_at_average(self.network)
        if settings.recogniser is not None:
            start_trunks(self.network, find_recogniser(settings.recogniser))
        if settings.start is None:
            return
        try:
            file = read_encoder(find_start(settings.start, self.generator.spec.name))
            self._inherited = file.trained_on
            if take_over is None:
                take_parts(self.recipe.encoder, file, self.generator.spec)
            else:
                take_over(file)
        except WeightsError as error:
            raise WeightsError(f"start: {error}; start=null begins at random weights") from error

    def _called(self) -> list[Module]:
        """The parts of the encoder that stages call; no discriminator, whose R1 needs second derivatives."""
        own = set(self.network.modules())
        return [part for part in self.recipe.encoder.parts().values() if part in own]

    def _take_data(self, data: EncodingData) -> None:
        settings, stages = self.settings, [stage.settings for stage in self.stages]
        photos, held_out, pairs = data
        self.batches = BatchMaker(
            self.seed,
            stages,
            photos,
            pairs,
            settings.pairs,
            mirror=settings.photos.mirror,
            rebalance=settings.photos.rebalance,
            generator=self.generator if wants_pairs(stages) and pairs is None else None,
        )
        perceptual, most = self.context.images.perceptual, settings.photos.held_out_pictures
        self.held_out = HeldOut(held_out, self.generator, perceptual, self.device, most)
        scored = len(self.held_out.photos.label)
        learns = any(photo_rows(stage) for stage in stages)
        self.workers = settings.engine.workers_for(learns and photos.read_from_disk and self.batches.generator is None)
        self.ledger = PhotoLedger(photos, self._inherited)
        self.ledger.note_unreadable(self.held_out.sightings.unreadable)
        self.data = {"photos": numbers_of(photos), "held_out": {**numbers_of(held_out), "scored": scored}}
        self._introduction = (
            describe(photos, settings.photos.mirror),
            f"held out: {len(held_out):,} photos, {scored} of them scored",
        )
