"""Backward passes that average gradients over processes while they run: PyTorch's DistributedDataParallel.

It wants one module whose forward gives the loss. Here that is a module which holds the parameters of one optimiser and
whose forward computes whatever it is given: a step's losses may call an encoder several times and through its parts,
stages may train different parts, and a discriminator may take its own step in the middle. Parameters that a step does
not use are found in the graph of its loss.

`distribution.average_gradients` gives the same gradients in one transfer after the backward pass; it is the slow twin.
"""

from __future__ import annotations

import contextlib
import gc
import warnings
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import Module, Parameter, ParameterList
from torch.optim import Optimizer

from toolkit.training.distribution import before_leaving, joined, peers_watched

if TYPE_CHECKING:
    from torch.nn.parallel import DistributedDataParallel


class OverlappingGradients:
    """Backward passes for the parameters of one optimiser; in a single process, plain ones.

    Example:
        >>> weight = Parameter(torch.ones(2))
        >>> OverlappingGradients(torch.optim.SGD([weight], 0.1)).backward(lambda: (3 * weight).sum())
        >>> weight.grad
        tensor([3., 3.])
    """

    def __init__(self, optimiser: Optimizer) -> None:
        """Take note of the optimiser; nothing is set up before the first step of several processes.

        Args:
            optimiser: Its parameters are the same in every process, in the same order, all on one device; those that
                do not require gradients at a step are left out of it.
        """
        self.optimiser = optimiser
        self._wrapped: tuple[list[Parameter], DistributedDataParallel] | None = None

    def backward(self, loss_of: Callable[[], Tensor], *, last: bool = True) -> None:
        """Add the gradients of a loss; with the last part of a step's batch, all of them become means over processes.

        A gradient that is None counts as zero, and stays None only where it is None in all processes.

        Args:
            loss_of: Computes the loss, a number.
            last: Whether no further part of the batch follows; nothing is sent before.

        Raises:
            TrainingError: Another process has ended.
        """
        if not joined():
            loss_of().backward()
            return
        together = self._together()
        with contextlib.nullcontext() if last else together.no_sync():
            loss = together(loss_of)
            with peers_watched(computing=True):
                loss.backward()

    def _together(self) -> DistributedDataParallel:
        learning = [parameter for parameter in parameters_of(self.optimiser) if parameter.requires_grad]
        if self._wrapped is None or [*map(id, self._wrapped[0])] != [*map(id, learning)]:
            self._wrapped = None  # its hooks and buckets go before new ones come
            from torch.nn.parallel import DistributedDataParallel

            with peers_watched(), warnings.catch_warnings():
                # PyTorch 2.15 deprecates the option, but has no other that leaves buffers alone from the beginning
                warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
                # weights are the same already; buffers are each process's own
                wrapped = DistributedDataParallel(
                    _Computation(learning),
                    broadcast_buffers=False,
                    init_sync=False,
                    find_unused_parameters=True,
                    gradient_as_bucket_view=True,
                )
            self._wrapped = learning, wrapped
            _alive.add(self)
        return self._wrapped[1]

    def let_go(self) -> None:
        """Forget what belongs to the group of processes."""
        self._wrapped = None


def parameters_of(optimiser: Optimizer) -> list[Parameter]:
    """All parameters that an optimiser moves, in its order."""
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


class _Computation(Module):
    """Parameters, and a forward that is whatever is to be computed with them."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        super().__init__()
        self.learning = ParameterList(parameters)
        # PyTorch's C++ side writes a warning where a first step uses every parameter; a later one may not
        self.never_used = Parameter(self.learning[0].new_zeros(1))

    def forward(self, compute: Callable[[], Tensor]) -> Tensor:
        return compute()


_alive: weakref.WeakSet[OverlappingGradients] = weakref.WeakSet()


@before_leaving
def _let_all_go() -> None:
    """Nothing of the group may outlive it (see `joining`), and wrapped modules refer to it in cycles."""
    if _alive:
        for one in list(_alive):
            one.let_go()
        _alive.clear()
        gc.collect()
