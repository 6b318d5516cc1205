"""The folder of the user's weights: imported, downloaded, or copied there by hand."""

from __future__ import annotations

import os
from pathlib import Path

from toolkit.errors import WeightsError
from toolkit.files import file_sha256
from toolkit.weights.manifest import official

HOME_VARIABLE, FOLDER_VARIABLE = "TOOLKIT_HOME", "TOOLKIT_WEIGHTS"
DEFAULT_HOME = "~/.local/share/toolkit"


def weights_folder() -> Path:
    """$TOOLKIT_WEIGHTS, or `weights` in $TOOLKIT_HOME (default ~/.local/share/toolkit); it need not exist."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given).expanduser()
    return Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME).expanduser() / "weights"


def imported_file(name: str) -> Path:
    """Where the imported weights of a kind lie, whether or not they are there."""
    return weights_folder() / f"{name}.safetensors"


def found_weights(name: str) -> Path | None:
    """The weights of a kind: imported, or the published file in the folder or among torch's own downloads.

    Raises:
        WeightsError: A file of the published name is another one.
    """
    imported = imported_file(name)
    if imported.is_file():
        return imported
    entry = official(name)
    if entry is None:
        return None
    for folder in (weights_folder(), _torch_downloads()):
        path = folder / entry.file
        if path.is_file():
            if entry.sha256 is not None and file_sha256(path) != entry.sha256:
                raise WeightsError(f"{path} is not the file that {name!r} stands for: its sha256 differs")
            return path
    return None


def needed_weights(name: str, what: str) -> Path:
    """The same, or one sentence that says how to get them.

    Args:
        name: The kind.
        what: Who needs them, for the sentence.

    Raises:
        WeightsError: They are not there.
    """
    found = found_weights(name)
    if found is not None:
        return found
    raise WeightsError(f"{what} needs weights that are not shipped: {how_to_get(name)}")


def how_to_get(name: str) -> str:
    """What to do for the weights of a kind."""
    entry = official(name)
    if entry is None:
        return f"'toolkit weights import FILE --as {name}' takes the official file"
    if entry.url is not None:
        return f"'toolkit weights download {name}' fetches {entry.file} ({entry.licence})"
    command = f"toolkit weights import {entry.files} --as {name}"
    return f"get {entry.files} from {entry.page} ({entry.licence}), then '{command}'"


def _torch_downloads() -> Path:
    """Where torch.hub keeps what it fetched, without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("TORCH_HOME") or f"{cache}/torch").expanduser() / "hub" / "checkpoints"
