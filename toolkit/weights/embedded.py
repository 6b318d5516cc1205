"""The weights that ship inside the plugins' folders."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from toolkit.errors import WeightsError
from toolkit.weights.tensors import read_metadata, read_weights


@dataclass(frozen=True)
class EmbeddedWeights:
    """One shipped file."""

    name: str
    path: Path
    size: int
    licence: str


def embedded_weights() -> list[EmbeddedWeights]:
    """Every safetensors file in a `weights` folder of a registered plugin's package."""
    from toolkit.registry import default_registry

    packages = {
        entry.target.partition(":")[0].rpartition(".")[0] for entry in default_registry().registrations.values()
    }
    folders = {folder for package in packages for folder in _weight_folders(package)}
    files = sorted(file for folder in folders for file in folder.glob("*.safetensors"))
    return [EmbeddedWeights(file.stem, file, file.stat().st_size, _licence(file)) for file in files]


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


def _weight_folders(package: str) -> list[Path]:
    spec = find_spec(package) if package else None
    locations = spec.submodule_search_locations if spec is not None else None
    return [folder for location in locations or [] if (folder := Path(location) / "weights").is_dir()]
