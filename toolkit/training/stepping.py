"""Precision, gradient accumulation, activation checkpointing and compilation: switches that any job can embed.

A job has `engine: EngineSettings = EngineSettings()` in its configuration and a `Stepper` made of it:

    self.stepper = Stepper(settings.engine, device)
    self.stepper.prepare(self.network, blocks=self.network.body)       # before optimisers and averages are made

    def training_step(self, batch, step):
        losses = self.stepper.backward(self.losses, batch, self.optimiser)  # losses(batch) -> weighted ones by name
        self.stepper.update(self.optimiser)
        return losses

and adds `"stepper": self.stepper.state()` to its `state`.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import Module
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from torch.utils.checkpoint import checkpoint

from toolkit.configuration import Config
from toolkit.cores import usable_cores
from toolkit.devices import Arithmetic, choose_arithmetic
from toolkit.errors import InputError
from toolkit.training.distribution import average_gradients
from toolkit.training.overlapping import OverlappingGradients, parameters_of

Losses = Mapping[str, Tensor]
MOST_WORKERS = 4
OVERFLOWS = 20
"""Steps in a row that may overflow in fp16 before the training counts as diverged."""


class EngineSettings(Config):
    """How steps are computed; may be nested into a job's configuration as `engine`."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of the forward pass (autocast); weights and optimisers stay in 32 bits. fp16 scales its losses."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Parts that a step's batch is worked through in, one after the other: less memory, the same gradients."""
    checkpoint_activations: bool = False
    """Compute the activations of big blocks again in the backward pass instead of keeping them."""
    compile: bool = False
    """Compile the networks that learn (torch.compile), but for discriminators and checkpointed blocks; needs a C++
    compiler on a CPU."""
    arithmetic: tuple[Arithmetic, ...] = ()
    """Faster and less exact ways to compute (see `toolkit.devices.ARITHMETIC`): tf32, cudnn-benchmark,
    half-superresolution (in pictures and evaluations), fused-rendering (in fp32)."""
    sync_batch_norm: bool = False
    """Batch statistics over all processes' pictures, as if one GPU had them all; GPUs only."""
    workers: Annotated[int, Field(ge=0)] | None = None
    """Processes that make batches ahead; 0 makes them between the steps. None: up to `MOST_WORKERS`, as the cores
    permit, where batches are read from files, else 0."""

    def workers_for(self, reads: bool) -> int:
        """How many processes make batches ahead.

        Args:
            reads: Whether batches are read from files; what lies in memory is faster without.
        """
        if self.workers is not None:
            return self.workers
        cores = usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return max(1, min(MOST_WORKERS, cores - 1)) if reads else 0


class Stepper:
    """Takes the steps of one job as its settings say; with none changed, just backward and `optimiser.step`."""

    def __init__(self, settings: EngineSettings, device: torch.device | str = "cpu") -> None:
        """Choose the precision for a device.

        Raises:
            InputError: Batch statistics are to be joined, and this is no GPU of NVIDIA's.
        """
        self.settings = settings
        choose_arithmetic(settings.arithmetic)
        self._overflows = 0
        self._gradients: OverlappingGradients | None = None
        self._device = torch.device(device).type
        if settings.sync_batch_norm and self._device != "cuda":
            raise InputError("engine.sync_batch_norm works on GPUs only; set it to false")
        fp16 = settings.precision == "fp16"
        # the usual 2**16 is itself infinite in fp16, so that any loss that is computed there would cost the first step
        self._scaler = torch.amp.GradScaler(self._device, init_scale=2.0**15, enabled=fp16)

    def prepare(self, *networks: Module, blocks: Iterable[Module] = ()) -> None:
        """Compile networks, and checkpoint the activations of some of their blocks, where the settings ask for it.

        Args:
            networks: Those that steps call themselves (calls of a part pass its owner by). Changed in place; the keys
                of their state stay.
            blocks: Those of its modules whose activations are worth computing twice: called with tensors, and
                without side effects but batch norm's statistics, which move once.
        """
        if self.settings.sync_batch_norm:
            for network in networks:
                torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)  # in place; parameters and keys stay
        if self.settings.checkpoint_activations:
            checkpointed: Callable[..., Any] = _checkpointed
            if self.settings.compile:  # traced, a block would count its batches twice and stop the backward pass
                checkpointed = torch.compiler.disable(_checkpointed)
            for block in blocks:
                # a partial, not a closure: a deep copy (an average) then calls the copied block
                block.forward = functools.partial(checkpointed, type(block).forward, block)
        if self.settings.compile:
            for network in networks:
                network.compile()

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context of a forward pass in the chosen precision."""
        kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.settings.precision)
        return contextlib.nullcontext() if kind is None else torch.autocast(self._device, dtype=kind)

    def backward(
        self, losses_of: Callable[[Any], Losses], batch: Any, optimiser: Optimizer | None = None
    ) -> dict[str, float]:
        """Add the gradients of the summed losses, part by part of the batch.

        Args:
            losses_of: Weighted losses of a batch by name, each a mean over its rows, so that the mean over equal parts
                is that of the whole.
            batch: Tensors whose first dimension counts rows, and tuples, lists and mappings of them; whatever is no
                tensor goes to every part.
            optimiser: The one that will step. Several processes then average its gradients while the backward pass of
                the last part runs; None: in `update`.

        Returns:
            The losses, averaged over the parts.

        Raises:
            InputError: The rows cannot be cut into `accumulate` equal parts.
        """
        parts = split_rows(batch, self.settings.accumulate)
        found: list[dict[str, Tensor]] = []

        def loss_of(part: Any) -> Tensor:
            with self.autocast():
                losses = losses_of(part)
                total = torch.stack([loss.float() for loss in losses.values()]).sum() / len(parts)
            found.append({name: loss.detach().float() for name, loss in losses.items()})
            return self._scaler.scale(total)

        gradients = self._gradients_of(optimiser)
        for number, part in enumerate(parts, 1):
            if gradients is None:
                loss_of(part).backward()
            else:
                gradients.backward(functools.partial(loss_of, part), last=number == len(parts))
        return self._without_overflow(means_of(found))

    def _gradients_of(self, optimiser: Optimizer | None) -> OverlappingGradients | None:
        """Those of one optimiser at a time: a stage's buffers go when the next stage begins."""
        known = self._gradients
        if known is None or optimiser is None or known.optimiser is not optimiser:
            self._gradients = None if optimiser is None else OverlappingGradients(optimiser)
        return self._gradients

    def update(self, optimiser: Optimizer, clip: float | None = None) -> None:
        """Let the optimiser step, with gradients averaged over processes, and clear its gradients.

        Args:
            optimiser: Whose parameters are moved; in fp16 it is passed over where a gradient overflowed.
            clip: The largest norm of all gradients together; None leaves them.
        """
        parameters = parameters_of(optimiser)
        if self._gradients is None or self._gradients.optimiser is not optimiser:
            average_gradients(parameters)
        if clip is not None:
            self._scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(parameters, clip)
        self._scaler.step(optimiser)
        self._scaler.update()
        optimiser.zero_grad(set_to_none=True)

    def _without_overflow(self, losses: dict[str, float]) -> dict[str, float]:
        """Losses that are not finite are left out in fp16, whose step is passed over, unless they do not stop."""
        sound = {name: value for name, value in losses.items() if math.isfinite(value)}
        if not self._scaler.is_enabled() or len(sound) == len(losses):
            self._overflows = 0
            return losses
        self._overflows += 1
        return losses if self._overflows > OVERFLOWS else sound

    def state(self) -> Mapping[str, Any]:
        """The loss scale, for `TrainingJob.state`; empty unless in fp16."""
        return self._scaler.state_dict()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave; a run that went on in another precision begins with a fresh scale."""
        if state and self._scaler.is_enabled():
            self._scaler.load_state_dict(dict(state))


def means_of(found: Sequence[Losses]) -> dict[str, float]:
    """The mean of each loss over parts, read from the device in one go: the host waits for a GPU once."""
    names = list(dict.fromkeys(name for losses in found for name in losses))
    if not names:
        return {}
    values = [sum(losses[name] for losses in found if name in losses) / len(found) for name in names]
    return dict(zip(names, torch.stack([torch.as_tensor(value) for value in values]).tolist(), strict=True))


def split_rows(batch: Any, parts: int) -> Sequence[Any]:
    """Cut the tensors of a nested batch into equal parts along their first dimension.

    Raises:
        InputError: Rows cannot be shared out equally.
    """
    return [batch] if parts == 1 else [_part(batch, index, parts) for index in range(parts)]


def _part(node: Any, index: int, parts: int) -> Any:
    if isinstance(node, Tensor):
        if node.ndim == 0:
            return node
        if len(node) % parts:
            raise InputError(
                f"a batch of {len(node)} cannot be worked through in {parts} equal parts; mend engine.accumulate"
            )
        size = len(node) // parts
        return node[index * size : (index + 1) * size]
    if isinstance(node, Mapping):
        return {key: _part(value, index, parts) for key, value in node.items()}
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return type(node)(*(_part(value, index, parts) for value in node))
    if isinstance(node, list | tuple):
        return type(node)(_part(value, index, parts) for value in node)
    return node


def _checkpointed(forward: Callable[..., Any], block: Module, *inputs: Any, **options: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(block, *inputs, **options)
    again = functools.partial(_twice, block)
    return checkpoint(forward, block, *inputs, use_reentrant=False, context_fn=again, **options)


def _twice(block: Module) -> tuple[contextlib.AbstractContextManager[Any], contextlib.AbstractContextManager[Any]]:
    """What surrounds the first computation, and the second."""
    return contextlib.nullcontext(), _kept_statistics(block)


@contextlib.contextmanager
def _kept_statistics(block: Module) -> Iterator[None]:
    """Batch norms normalise as before, and leave their running statistics alone."""
    norms = [part for part in block.modules() if isinstance(part, _BatchNorm) and part.training]
    before = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, _, count in before:
        norm.momentum = 0.0
        norm.num_batches_tracked = None if count is None else count.clone()
    try:
        yield
    finally:
        for norm, momentum, count in before:
            norm.momentum, norm.num_batches_tracked = momentum, count
