"""A toy that trains: a small network with dropout and Adam fits a curve. As a program: `toolkit train toy`."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from toolkit import hookimpl
from toolkit.configuration import Config, load_config
from toolkit.errors import InputError
from toolkit.registry import Register, Registry
from toolkit.training import Cadence, EngineSettings, Stepper, TrainingJob, WeightAverage
from toolkit.training.distribution import own_rows, rank_and_world


class ToyConfig(Config):
    steps: Annotated[int, Field(ge=1)] = 60
    seed: int = 3
    learning_rate: Annotated[float, Field(gt=0)] = 1e-2
    width: Annotated[int, Field(ge=1)] = 16
    batch: Annotated[int, Field(ge=1)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    engine: EngineSettings = EngineSettings()
    refuse_step: int | None = None
    pause: Annotated[float, Field(ge=0)] = 0.0
    evaluation_seconds: Annotated[float, Field(ge=0)] = 0.0
    nan_step: int | None = None
    cadence: Cadence = Cadence(log_every=7, checkpoint_every=10, sheet_every=20, evaluate_every=25)


@dataclass(frozen=True)
class ToyBatches:
    seed: int
    batch: int
    refuse_step: int | None = None

    def __call__(self, step: int) -> Tensor:
        if step == self.refuse_step:
            raise InputError(f"the picture of step {step} is broken")
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        _, world = rank_and_world()
        return (torch.rand(self.batch * world, 2, generator=generator) * 2 - 1)[own_rows(self.batch)]


class ToyJob(TrainingJob):
    name = "toy"

    def __init__(self, config: ToyConfig) -> None:
        self.settings = config
        self.seed, self.steps, self.cadence = config.seed, config.steps, config.cadence
        self.workers, self.stepper = config.engine.workers, Stepper(config.engine)
        self.config = config.model_dump(
            mode="json", exclude={"pause", "evaluation_seconds", "nan_step", "refuse_step", "engine"}
        )
        torch.manual_seed(config.seed)
        self.network = nn.Sequential(
            nn.Linear(2, config.width), nn.Tanh(), nn.Dropout(config.dropout), nn.Linear(config.width, 1)
        )
        self.average = WeightAverage(self.network)
        self.optimiser = torch.optim.Adam(self.network.parameters(), config.learning_rate)
        self.seen: list[float] = []

    def modules(self) -> Mapping[str, nn.Module]:
        return {"network": self.network}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"adam": self.optimiser}

    def state(self) -> Mapping[str, Any]:
        return {"average": self.average.state(), "seen": list(self.seen), "stepper": self.stepper.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.average.load_state(state["average"])
        self.seen = list(state["seen"])
        self.stepper.load_state(state["stepper"])

    def batch_maker(self) -> ToyBatches:
        return ToyBatches(self.seed, self.settings.batch, self.settings.refuse_step)

    def batch(self, step: int) -> Tensor:
        return self.batch_maker()(step)

    def losses(self, batch: Tensor) -> dict[str, Tensor]:
        return {"total": (self.network(batch) - batch.prod(1, keepdim=True)).square().mean()}

    def training_step(self, batch: Tensor, step: int) -> Mapping[str, float]:
        time.sleep(self.settings.pause)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / self.steps))
        losses = self.stepper.backward(self.losses, batch, self.optimiser)
        self.stepper.update(self.optimiser)
        self.average.update(self.network, 0.9)
        value = float("nan") if step == self.settings.nan_step else losses["total"]
        self.seen.append(value)
        return {"total": value, "every_third": value} if step % 3 == 0 else {"total": value}

    def sheet(self, step: int) -> np.ndarray | None:
        return (torch.rand(4, 6, 3) * 255).to(torch.uint8).numpy()  # draws from the global generator on purpose

    def evaluate(self, step: int) -> Mapping[str, float]:
        points = torch.rand(64, 2)
        deadline = time.monotonic() + self.settings.evaluation_seconds
        while time.monotonic() < deadline:
            time.sleep(0.01)
        with torch.no_grad():
            return {"error": float((self.average.module(points) - points.prod(1, keepdim=True)).square().mean())}

    def export(self, path: Path) -> None:
        save_file(dict(self.average.module.state_dict()), path)


def make_toy(config: Path | None, overrides: Sequence[str], device: str) -> ToyJob:
    return ToyJob(load_config(ToyConfig, config, overrides))


@hookimpl
def register_trainables(register: Register) -> None:
    """Offer the toy as a plugin would."""
    register("toy", f"{__name__}:make_toy", summary="a toy", interface=1)


def toy_registry() -> Registry:
    registry = Registry()
    registry.add_plugin("toy", SimpleNamespace(register_trainables=register_trainables))
    return registry


def metrics(out: Path) -> list[dict[str, Any]]:
    """Lines without what time decides."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "rate")} for line in lines]


def weights(out: Path) -> dict[str, bytes]:
    return {key: tensor.numpy().tobytes() for key, tensor in load_file(out / "weights.safetensors").items()}


def main() -> None:
    import typer

    import toolkit.registry
    from toolkit.cli.train import train_command
    from toolkit.errors import ToolkitError

    toolkit.registry.default_registry = toy_registry
    torch.set_num_threads(1)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(train_command)
    try:
        app()
    except ToolkitError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
