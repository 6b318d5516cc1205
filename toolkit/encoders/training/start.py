"""What an encoder's training begins at: a file, or by name an encoder that ships."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import ConfigError
from toolkit.registry import unknown_name
from toolkit.weights.embedded import embedded_weights
from toolkit.weights.inventory import stored_files
from toolkit.weights.store import found_weights, how_to_get


def find_start(start: str) -> Path:
    """The file that the setting `start` stands for.

    Args:
        start: A path (whatever has a folder or a suffix, there or not), or a name of `toolkit weights list`.

    Raises:
        ConfigError: No such name.
    """
    path = Path(start).expanduser()
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return path
    shipped = {file.name: file.path for file in embedded_weights()}
    imported = {file.stem: file for file in stored_files() if file.suffix == ".safetensors"}
    known = imported | shipped
    if start not in known:
        raise ConfigError(f"start: {unknown_name('weights', start, known)}")
    return known[start]


def find_recogniser(recogniser: str) -> Path:
    """The file that the setting `recogniser` stands for: a path, or a kind whose weights are in the store.

    Raises:
        ConfigError: No such weights.
    """
    path = Path(recogniser).expanduser()
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return path
    found = found_weights(recogniser)
    if found is None:
        raise ConfigError(f"recogniser: no weights {recogniser!r} are here; {how_to_get(recogniser)}")
    return found
