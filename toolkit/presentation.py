"""What a person looks at: the files written beside an inversion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from toolkit.interfaces import Generator
    from toolkit.inversion import Inversion


@dataclass(frozen=True)
class Products:
    """Which files to write beside the inversion itself; `views.png` always is."""

    video: bool = True
    mesh: bool = True
    viewer: bool = True
