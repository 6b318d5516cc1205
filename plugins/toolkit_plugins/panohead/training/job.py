"""`toolkit train panohead-mini`: the miniature generator, learnt from procedural heads.

    toolkit train panohead-mini --out runs/mini
    toolkit train panohead-mini --out runs/mini --resume --set heads.heads=4000

z is the head's own latent, so the mapping learns what the parameters mean; colours come from rays with known depth, and
super-resolution from patches rendered as at test time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Embedding, Module
from torch.optim import Adam, Optimizer

from toolkit.cache import cache_folder
from toolkit.camera import Camera
from toolkit.configuration import config_path, load_config, settings_for_others
from toolkit.devices import sent
from toolkit.interfaces.training import TrainingJob
from toolkit.losses.perceptual import open_perceptual
from toolkit.nn.decoder import PointDecoder
from toolkit.nn.dense import Dense
from toolkit.nn.synthesis import SynthesisBlock
from toolkit.rates import falling
from toolkit.registry import default_registry
from toolkit.training.averaging import WeightAverage
from toolkit.training.best import check_best
from toolkit.training.distribution import rank_and_world
from toolkit.training.stepping import Stepper
from toolkit_plugins.panohead.generator import PanoHead
from toolkit_plugins.panohead.loading import build, load, save
from toolkit_plugins.panohead.training.adversary import Adversary
from toolkit_plugins.panohead.training.batches import MiniBatch, MiniBatches, changed
from toolkit_plugins.panohead.training.evaluation import HeldOut, score_names, sheet_of
from toolkit_plugins.panohead.training.growing import grow
from toolkit_plugins.panohead.training.meanings import Meanings
from toolkit_plugins.panohead.training.objective import Drawn, DrawnHeads, PatchLook, draw, patch_losses, ray_losses
from toolkit_plugins.panohead.training.rays import HeadRays, prepare_rays
from toolkit_plugins.panohead.training.settings import MiniSettings

CONFIG = "training/panohead-mini"
FOG = 8.0
"""Raw density to begin with."""
MAPPED = 256
"""Latents that the mapping learns from in a step, where traits say what it should give."""
BIG_BLOCKS = (SynthesisBlock, PointDecoder)
"""Whose activations `engine.checkpoint_activations` computes twice."""


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
        self.workers, self.stepper = settings.engine.workers_for(False), Stepper(settings.engine, device)
        # where the rays are kept and who makes them changes nothing that is learnt
        self.config: Mapping[str, Any] = settings.model_dump(mode="json", exclude={"heads": {"folder", "workers"}})
        self.heads = default_registry().load("dataset", settings.heads.dataset).procedural()
        plan = settings.ray_plan()
        self.perceptual = None
        if settings.losses.patch_perceptual:
            self.perceptual = open_perceptual(settings.losses.perceptual, None, self.device)
        check_best(settings.cadence, score_names(by_traits=settings.heads.traits))
        start = None if settings.start is None else load(Path(settings.start).expanduser())
        kept = settings.heads.folder
        folder = cache_folder("rays") / settings.heads.dataset if kept is None else Path(kept)
        self.rays: HeadRays = prepare_rays(plan, folder, settings.heads.workers)
        self.batches = MiniBatches(settings, self.rays)
        heads, views = self.rays.cameras.shape[:2]
        self.data = {"procedural heads": heads, "views of them": heads * views}
        mean_face = self.heads.landmarks(torch.zeros(self.heads.latent_dim))
        points = tuple((float(x), float(y), float(z)) for x, y, z in mean_face)
        torch.manual_seed(settings.seed)
        self.generator = self._started(build(settings.generator_config(self.heads.latent_dim, points)))
        if start is not None:
            grow(self.generator, start)
        self.stepper.prepare(
            *self._called(), blocks=[part for part in self.generator.modules() if isinstance(part, BIG_BLOCKS)]
        )
        self.codes = self._codes()
        self.meanings = None
        if settings.heads.traits:
            self.meanings = Meanings(self.heads, plan, settings.heads.more_latents, settings.network.w_dim, folder)
        self.average = WeightAverage(self.generator)
        self.optimiser = self._optimiser()
        self.adversary = None
        if settings.losses.adversarial:
            self.adversary = Adversary(settings.optimiser.adversary_rate, self.device)
        self.held_out = HeldOut(self.heads, settings.evaluation_heads, settings.network.image_size, folder)
        self.held_out_codes = None if self.meanings is None else self.meanings.codes_of(self.held_out.latents)

    def _called(self) -> list[Module]:
        """The parts of the generator that steps call; super-resolution works on patches block by block."""
        backbone, enlarging = self.generator.backbone, self.generator.superresolution
        return [backbone.mapping, backbone.synthesis, self.generator.decoder, enlarging.block0, enlarging.block1]

    def _started(self, generator: PanoHead) -> PanoHead:
        """Start from white space with a thin fog that surfaces condense from, enlarged plainly, and a still camera."""
        with torch.no_grad():
            last = generator.decoder.net[2]
            assert isinstance(last, Dense)  # for the type checker: nn.Sequential hides it
            assert last.bias is not None
            last.bias[0] = FOG / generator.decoder.density_scale
            for name, parameter in generator.backbone.synthesis.named_parameters():
                if name.endswith("torgb.weight"):
                    parameter.mul_(0.3)  # the mean head comes first, differences grow into it
            for block in (generator.superresolution.block0, generator.superresolution.block1):
                block.torgb.weight.zero_()  # the picture is the raw one, enlarged, until they have learnt better
            for parameter in generator.t_mapping.parameters():
                parameter.zero_()
        generator.t_mapping.requires_grad_(False)
        return generator.to(self.device)

    def _codes(self) -> Embedding | None:
        """What every head's code has beyond what the mapping makes of its latent, to begin with nothing."""
        if self.settings.losses.residual is None:
            return None
        codes = Embedding(self.settings.heads.heads, self.settings.network.w_dim).to(self.device)
        torch.nn.init.zeros_(codes.weight)
        return codes

    def _optimiser(self) -> Adam:
        settings, groups = self.settings.optimiser, []
        factors = {
            "backbone.mapping.fc": settings.mapping_factor,
            "decoder.": settings.decoder_factor,
            "plane_offset": settings.offset_factor,
        }
        for name, parameter in self.generator.named_parameters():
            learns = name.startswith("backbone.mapping.") or not self.settings.mapping_alone
            if learns and parameter.requires_grad and "noise_strength" not in name:
                factor = next((value for start, value in factors.items() if name.startswith(start)), 1.0)
                factor = settings.affine_factor if ".affine." in name else factor
                groups.append({"params": [parameter], "lr": settings.rate * factor, "factor": factor})
        if self.codes is not None:
            factor = settings.residual_factor
            groups.append({"params": [self.codes.weight], "lr": settings.rate * factor, "factor": factor})
        return Adam(groups, betas=settings.betas)

    def modules(self) -> Mapping[str, Module]:
        """The generator, the heads' codes where these have something of their own, and the discriminator if any."""
        modules: dict[str, Module] = {"generator": self.generator}
        if self.codes is not None:
            modules["codes"] = self.codes
        if self.adversary is not None:
            modules["discriminator"] = self.adversary.network
        return modules

    def optimisers(self) -> Mapping[str, Optimizer]:
        """Adam, and the discriminator's own where there is one."""
        return {"adam": self.optimiser} | ({} if self.adversary is None else {"adversary": self.adversary.optimiser})

    def state(self) -> Mapping[str, Any]:
        """The averaged weights and the loss scale."""
        return {"average": dict(self.average.state()), "stepper": self.stepper.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.average.load_state(state["average"])
        self.stepper.load_state(state["stepper"])

    def learning_rate(self, step: int) -> float:
        """Warm-up, then the full rate, then a cosine to zero."""
        settings = self.settings.optimiser
        warm = min(1.0, (step + 1) / max(1, settings.warmup))
        begin = settings.decay_from * self.steps
        fallen = max(0.0, step - begin) / (self.steps - begin)
        return settings.rate * warm * falling(fallen)

    def batch(self, step: int) -> MiniBatch:
        """Latents [B, z], single rays, and (later in the run) a patch of each of the first heads."""
        return self.batches(step)

    def batch_maker(self) -> Callable[[int], MiniBatch]:
        """What workers make batches with."""
        return self.batches

    def training_step(self, batch: MiniBatch, step: int) -> Mapping[str, float]:
        """One step of Adam on all losses of the batch."""
        rate = self.learning_rate(step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        if self.settings.mapping_alone:
            losses = self.stepper.backward(self._mapping_losses, self._meant(step), self.optimiser)
        else:
            losses = self._look_and_learn(batch, step)
        self.stepper.update(self.optimiser)
        if self.adversary is not None:
            losses |= self.adversary.learn()
        self.average.update(self.generator, min(self.settings.optimiser.average, (step + 1) / (step + 10)))
        return losses

    def _look_and_learn(self, batch: MiniBatch, step: int) -> dict[str, float]:
        """Gradients of what rays and patches show."""
        batch = changed(batch, lambda part: sent(part, self.device))
        rank, world = rank_and_world()
        source = torch.Generator(device=self.device).manual_seed(self.seed * 1_000_003 + step * world + rank)
        parts = self.settings.engine.accumulate
        guided = step % self.settings.march_every != 0
        drawn = draw(self.generator, batch, self.settings.patch_samples, source, parts, guided_patches=guided)
        # every n-th row to each of n parts: patches belong to the first rows, so all parts get their share of them
        rows = torch.tensor([row for part in range(parts) for row in range(part, len(batch.latents), parts)])
        return self.stepper.backward(lambda some: self.losses(drawn, some, step), rows, self.optimiser)

    def losses(self, drawn: Drawn, rows: Tensor, step: int) -> dict[str, Tensor]:
        """Weighted losses of a part of a batch; their mean over all parts is that of the whole.

        Args:
            drawn: The whole batch.
            rows: The part's, ascending.
            step: Decides which rays and patches are used.
        """
        heads, weights = changed(drawn.heads, lambda whole: whole[rows]), self.settings.losses
        ws, told = self._codes_of(heads, step)
        own = None if self.codes is None else self.codes(heads.numbers)
        if own is not None:
            ws = ws + own[:, None]
        volumes = self.generator.volumes(self.generator.planes(ws, noise="none"))
        losses = ray_losses(self.generator, volumes, ws, heads, drawn.counts, weights)
        losses |= told
        if own is not None:
            losses["residual"] = (weights.residual or 0.0) * own.square().mean()
        if drawn.patches is not None:
            count = len(drawn.patches.patch.image)
            seen = rows[rows < count]
            if some := len(seen):
                patches = changed(drawn.patches, lambda whole: whole[seen])
                look = self._look(step, first=bool(rows[0] == 0), share=some / count)
                losses |= patch_losses(
                    self.generator, volumes, ws[:some], patches, weights, look, self.perceptual, self.adversary
                )
        return losses

    def _codes_of(self, heads: DrawnHeads, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Codes [B, num_ws, w_dim] of heads, and the mapping's own loss where their traits make them."""
        if self.meanings is None:
            return self.generator.mapping(heads.latents, self.generator_front), {}
        numbers = heads.numbers.cpu()
        meant = self.meanings.codes[numbers]
        if spread := self.settings.heads.code_noise:
            meant = meant + spread * _noise_of(numbers, step, meant.shape[1])
        meant = meant.to(self.device)
        ws = meant[:, None].expand(-1, self.generator.num_ws, -1)
        return ws, self._mapping_losses(self._meant(step))

    def _meant(self, step: int) -> tuple[Tensor, Tensor]:
        """Latents [C, z] and the codes [C, w_dim] that they mean, for the mapping."""
        assert self.meanings is not None  # for the type checker: the settings have been checked
        latents, codes = self.meanings.some(step, MAPPED)
        return latents.to(self.device), codes.to(self.device)

    def _mapping_losses(self, meant: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        latents, codes = meant
        wrong = (self.generator.mapping(latents, self.generator_front)[:, 0] - codes).square().mean()
        return {"mapping": self.settings.losses.mapping * wrong}

    def _look(self, step: int, *, first: bool, share: float) -> PatchLook:
        """How the part with the batch's `first` row, or another one, looks at its `share` of the patches."""
        settings, parts = self.settings, self.settings.engine.accumulate
        frame = float(settings.frame_every * parts) if first and step % settings.frame_every == 0 else 0.0
        return PatchLook(settings.patch_samples, frame, step >= settings.joint_from * self.steps, share * parts)

    @property
    def generator_front(self) -> Camera:
        """The camera that conditions the mapping (which is blind to it)."""
        return Camera.orbit().to(self.device)

    def evaluate(self, step: int) -> Mapping[str, float]:
        """PSNR on held-out heads, whole image and inside the head's mask, from their own latents (and traits)."""
        scores = self.held_out.score(self.average.module)
        if self.held_out_codes is not None:
            by_traits = self.held_out.score(self.average.module, self.held_out_codes)
            scores |= {f"{name}_by_traits": value for name, value in by_traits.items()}
        return scores

    def sheet(self, step: int) -> np.ndarray:
        """Truth above, generator below."""
        return sheet_of(self.held_out, self.average.module, self.held_out_codes)

    @torch.no_grad()
    def export(self, path: Path) -> None:
        """Write the averaged weights in 16 bits, with the mean latent that truncation and W+ start from."""
        generator = copy.deepcopy(self.average.module)
        ws = generator.mapping(self.rays.latents.to(self.device), self.generator_front)
        generator.backbone.mapping.w_avg.copy_(ws[:, 0].mean(0))
        scores = {f"held_out_{name}": f"{value:.3f}" for name, value in self.held_out.score(generator).items()}
        about = {"licence": "Apache-2.0", "training": "toolkit train panohead-mini", **scores}
        save(generator, path, about | {"settings": settings_for_others(self.settings)}, dtype=torch.float16)


def _noise_of(numbers: Tensor, step: int, length: int) -> Tensor:
    """Normal numbers [B, length] of heads [B] in a step, the same for whatever part of the batch a head is in."""
    source = torch.Generator()
    seeds = [step << 24 | int(number) for number in numbers]
    return torch.stack([torch.randn(length, generator=source.manual_seed(seed)) for seed in seeds])
