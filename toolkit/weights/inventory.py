"""What is in the store, and what else the manifest lists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import InputError, PluginError, WeightsError
from toolkit.files import file_sha256
from toolkit.registry import unknown_name
from toolkit.tensors import check_finite, is_safetensors, read_metadata, read_weights
from toolkit.weights.importing import Imported
from toolkit.weights.manifest import MANIFEST, Official
from toolkit.weights.official_files import read_official
from toolkit.weights.store import found_weights, how_to_get, imported_file, weights_folder

_SUFFIXES = (".safetensors", ".pth", ".pt", ".pkl", ".npy")


@dataclass(frozen=True)
class OfficialState:
    """An official file, and whether it is here."""

    entry: Official
    found: Path | None
    problem: str = ""

    def line(self) -> str:
        """One line of the list."""
        if self.found is not None:
            return f"{self.entry.name:<32}found       {self.entry.licence}  {self.found}"
        what = self.problem or f"{self.entry.purpose}; {how_to_get(self.entry.name)}"
        return f"{self.entry.name:<32}{'damaged' if self.problem else 'missing'}     {what}"


def official_state() -> list[OfficialState]:
    """Every entry of the manifest."""
    states = []
    for entry in MANIFEST:
        try:
            states.append(OfficialState(entry, found_weights(entry.name)))
        except WeightsError as error:
            states.append(OfficialState(entry, None, str(error)))
    return states


def manifest_entry(name: str) -> Official:
    """The manifest's entry of a name.

    Raises:
        PluginError: There is none.
    """
    for entry in MANIFEST:
        if entry.name == name:
            return entry
    raise PluginError(unknown_name("official weights", name, (entry.name for entry in MANIFEST)))


def store_target(kind: str) -> Path:
    """Where imported weights of a kind go; the name comes from the kind alone, never from a file."""
    return imported_file(kind)


def check_free(target: Path, imported: Imported) -> None:
    """Refuse to replace what is no earlier import of the same files.

    Raises:
        InputError: Something else is there.
    """
    if not target.exists():
        return
    try:
        there = read_metadata(target).get("source")
    except (WeightsError, OSError):
        there = None
    if there != imported.header.get("source"):
        was = (
            there[0].get("file") if isinstance(there, list) and there and isinstance(there[0], dict) else "another file"
        )
        raise InputError(
            f"{target} holds weights from {was} already: -o FILE.safetensors writes {imported.kind!r} elsewhere, "
            "--force replaces that"
        )


def stored_files() -> list[Path]:
    """The weights files of the store."""
    folder = weights_folder()
    return sorted(path for path in folder.glob("*") if path.suffix in _SUFFIXES) if folder.is_dir() else []


def verify_stored(path: Path) -> None:
    """Read a file of the store whole, and compare the published sha256 where there is one.

    Raises:
        WeightsError: It is not sound.
    """
    published = next((entry.sha256 for entry in MANIFEST if entry.file == path.name), None)
    if published is not None and file_sha256(path) != published:
        raise WeightsError(f"{path} is not the published file: its sha256 differs")
    if is_safetensors(path):
        read_weights(path)
    else:
        file = read_official(path)
        check_finite(file.read(), path)
