"""What an encoder's training begins at: a file, or by name an encoder that ships."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import ConfigError
from toolkit.registry import unknown_name
from toolkit.weights.embedded import embedded_weights


def find_start(start: str) -> Path:
    """The file that the setting `start` stands for.

    Args:
        start: A path, or a name of `toolkit weights list`.

    Raises:
        ConfigError: Neither is there.
    """
    path = Path(start).expanduser()
    shipped = {file.name: file.path for file in embedded_weights()}
    if path.is_file():
        return path
    if start in shipped:
        return shipped[start]
    if path.suffix or len(path.parts) > 1:
        raise ConfigError(f"start: there is no file {start}")
    raise ConfigError(f"start: {unknown_name('shipped encoder', start, sorted(shipped))}")
