"""TensorBoard, as an option besides metrics.jsonl."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import MissingDependencyError

if TYPE_CHECKING:
    import numpy as np

FOLDER = "tensorboard"


def check_board() -> None:
    """Make sure that a `Board` can be opened, before anything is written.

    Raises:
        MissingDependencyError: The package tensorboard is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401  # slow to import, and an optional package
    except ImportError as error:
        raise MissingDependencyError("tensorboard", "a TensorBoard log", "tensorboard") from error


class Board:
    """Event files in the run's folder: what the metrics and sheets say, drawn by `tensorboard --logdir`."""

    def __init__(self, out: Path, done: int) -> None:
        """Write below `out`; what an earlier session wrote beyond `done` steps is no longer shown."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(out / FOLDER), purge_step=done + 1)

    def numbers(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """Add one point to the curve `group/name` of each value."""
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)

    def picture(self, step: int, pixels: np.ndarray) -> None:
        """Add a picture sheet [H, W, 3] uint8."""
        self._writer.add_image("sheet", pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Write out what is waiting."""
        self._writer.close()
