"""Files inside installed packages: found by their path, so that no code of the package is run."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from toolkit.errors import MissingDependencyError


def package_file(package: str, name: str, purpose: str, extra: str) -> Path:
    """The path of a file that an installed package brought.

    Args:
        package: The distribution's name, as pip knows it.
        name: The file's name, without folders.
        purpose: What needs it, for the message.
        extra: The extra of this toolkit that installs the package.

    Raises:
        MissingDependencyError: The package is not installed, or does not have the file.
    """
    try:
        files = importlib.metadata.distribution(package).files or ()
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingDependencyError(package, purpose, extra) from error
    for file in files:
        path = Path(str(file.locate()))
        if path.name == name and path.is_file():
            return path
    raise MissingDependencyError(f"{package} with its file {name}", purpose, extra)
