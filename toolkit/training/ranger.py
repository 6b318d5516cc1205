"""Ranger (rectified Adam, lookahead, centred gradients), the optimiser of the published encoder trainings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from toolkit.errors import MissingDependencyError

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer

RATE = 1e-4


def make_ranger(parameters: Iterable[Parameter], rate: float = RATE) -> Optimizer:
    """Build the optimiser with the settings that all of them use.

    Args:
        parameters: What is trained.
        rate: Learning rate.

    Raises:
        MissingDependencyError: The package pytorch_optimizer is not installed.
    """
    try:
        from pytorch_optimizer import Ranger  # slow to import, and an optional package
    except ImportError as error:
        raise MissingDependencyError("pytorch_optimizer", "the Ranger optimiser", "train") from error
    # Centred for dense layers too, and plain momentum in the first, unrectified steps: each of these settings departs
    # from the published optimiser when changed.
    return Ranger(
        parameters,
        lr=rate,
        betas=(0.95, 0.999),
        eps=1e-5,
        k=6,
        alpha=0.5,
        n_sma_threshold=5,
        degenerated_to_sgd=True,
        use_gc=True,
        gc_conv_only=False,
    )
