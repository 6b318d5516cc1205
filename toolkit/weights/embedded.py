"""The weights that ship inside the plugins' folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import WeightsError
from toolkit.registry import default_registry
from toolkit.tensors import read_metadata, read_weights


@dataclass(frozen=True)
class EmbeddedWeights:
    """A weights file that lies in a plugin's folder."""

    name: str
    path: Path
    size: int
    licence: str


def embedded_weights() -> list[EmbeddedWeights]:
    """Every safetensors file in the `weights` folder of a plugin's package."""
    files = sorted(file for folder in _weight_folders() for file in folder.glob("*.safetensors"))
    return [EmbeddedWeights(file.stem, file, file.stat().st_size, _licence(file)) for file in files]


def ships(path: Path) -> bool:
    """Whether a file lies in the `weights` folder of a plugin's package, and so is trusted as the plugin's code is."""
    return path.resolve().parent in {folder.resolve() for folder in _weight_folders()}


def verify(path: Path) -> None:
    """Read a weights file whole.

    Raises:
        WeightsError: It is not sound, or a tensor holds NaN or infinity.
    """
    read_weights(path)


def _licence(file: Path) -> str:
    try:
        return str(read_metadata(file).get("licence", "unknown"))
    except WeightsError:
        return "unreadable"  # `verify` says why; one damaged file must not hide the others


def _weight_folders() -> list[Path]:
    return [folder / "weights" for folder in default_registry().folders.values()]
