"""The YAML file that declares a method in another environment.

```yaml
name: goha                                  # as it stands in tables
command: [env/bin/python, run.py]           # run in this file's folder; two folders are added: request and result
returns: ws                                 # ws, renders or mesh
time_limit: 600                             # seconds per call
depends_on: [run.py, checkpoint.pth]        # files that results depend on besides the command
environment: {CUDA_VISIBLE_DEVICES: "0"}    # added to the few variables that it gets
```
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from toolkit.configuration import load_config
from toolkit.errors import ConfigError
from toolkit.files import file_sha256
from toolkit.options import Config

ENDINGS = (".yaml", ".yml")


class Settings(Config):
    """The keys of the file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    returns: Literal["ws", "renders", "mesh"] = "ws"
    """What the command writes: a code for the generator, pictures from wanted cameras, or a coloured mesh."""
    time_limit: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    """Seconds per call; a call that takes longer is ended with all its processes, and has failed."""
    depends_on: tuple[str, ...] = ()
    """Files, relative to the declaration, whose content decides the results."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Handed to the command: the same inputs must give the same result."""
    environment: dict[str, str] = Field(default_factory=dict)


class Declaration:
    """Settings, and the folder that they are relative to."""

    def __init__(self, settings: Settings, file: Path) -> None:
        """Take settings that `file` holds."""
        self.settings, self.file, self.folder = settings, file, file.resolve().parent

    @property
    def command(self) -> list[str]:
        """The command, its program as an absolute path where it lies in the folder."""
        program, *arguments = self.settings.command
        own = self.folder / program
        # not resolved: the interpreter of a virtual environment is a link, and knows its packages by its place
        return [os.path.abspath(own) if own.is_file() else program, *arguments]

    @property
    def fingerprint(self) -> str:
        """sha256 over the settings and the files that results depend on.

        Raises:
            ConfigError: One of them is missing.
        """
        digest = hashlib.sha256(json.dumps(self.settings.model_dump(mode="json"), sort_keys=True).encode())
        for name in self.settings.depends_on:
            try:
                digest.update(file_sha256(self.folder / name).encode())
            except OSError as error:
                raise ConfigError(f"{self.file}: depends_on names {name}, which cannot be read") from error
        return digest.hexdigest()


def is_declaration(name: str) -> bool:
    """Whether what a user wrote for a method is the path of a declaration."""
    return name.endswith(ENDINGS)


def read_declaration(path: str | Path) -> Declaration:
    """Read a declaration.

    Raises:
        ConfigError: The file is missing, no YAML, or a key is unknown, missing or has an impossible value.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise ConfigError(f"there is no method file {file}")
    return Declaration(load_config(Settings, file), file)
