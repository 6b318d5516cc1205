"""What an encoder's training begins at: a file, or by name an encoder that ships."""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import ConfigError
from toolkit.registry import unknown_name
from toolkit.weights.embedded import embedded_weights


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
    if start not in shipped:
        raise ConfigError(f"start: {unknown_name('shipped weights', start, shipped)}")
    return shipped[start]
