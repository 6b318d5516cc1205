"""A declared command as an inversion method, and as a source of renders for the benchmark."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.errors import CapabilityError, InputError, PluginError
from toolkit.external.declaration import Declaration, read_declaration
from toolkit.external.exchange import read_renders, read_ws, write_request
from toolkit.external.process import run_command
from toolkit.interfaces import Generator, OnStep
from toolkit.inversion import Inversion, identity_of


class ExternalMethod:
    """Runs the command once per image; a failure is that image's alone."""

    def __init__(self, declaration: Declaration) -> None:
        """Take what a YAML file declares.

        Raises:
            ConfigError: A file that results depend on is missing.
        """
        self.declaration = declaration
        self.name = declaration.settings.name
        self.fingerprint = declaration.fingerprint
        self.time_limit: float = declaration.settings.time_limit
        """Seconds per call."""
        self.on_step: OnStep | None = None
        """Told of every line `progress 3/10` that the command prints."""

    def limit_time(self, seconds: float | None) -> None:
        """End calls after so many seconds, if the declaration does not say less."""
        if seconds is not None:
            self.time_limit = min(seconds, self.declaration.settings.time_limit)

    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """Invert one image [1, 3, S, S] in [-1, 1].

        Raises:
            CapabilityError: The method returns renders and no code.
            PluginError: The command failed, or what it wrote will not do.
        """
        if self.declaration.settings.returns != "ws":
            raise CapabilityError(f"method {self.name!r} returns renders, which can be compared but not inverted")
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="toolkit-external-") as place:
            result = self._run(Path(place), image, camera, generator, None)
            ws = self._checked(lambda: read_ws(result, generator))
        ran = time.perf_counter()
        with torch.no_grad():
            planes = generator.planes(ws)
        return Inversion(
            ws=ws,
            planes=planes,
            camera=camera,
            method=self.name,
            options={},
            timings={"command": ran - started, "total": time.perf_counter() - started},
            provenance={"declaration": self.declaration.file.name, "fingerprint": self.fingerprint},
            **identity_of(generator.spec),
        )

    def render(self, image: Tensor, camera: Camera, generator: Generator, wanted: Camera) -> Tensor:
        """Pictures [N, 3, S, S] in [-1, 1] of the head from N wanted cameras.

        Raises:
            CapabilityError: The method returns a code.
            PluginError: The command failed, or what it wrote will not do.
        """
        if self.declaration.settings.returns != "renders":
            raise CapabilityError(f"method {self.name!r} returns a code, not renders")
        with tempfile.TemporaryDirectory(prefix="toolkit-external-") as place:
            result = self._run(Path(place), image, camera, generator, wanted)
            return self._checked(lambda: read_renders(result, len(wanted)))

    def _run(self, place: Path, image: Tensor, camera: Camera, generator: Generator, wanted: Camera | None) -> Path:
        request, result = place / "request", place / "result"
        request.mkdir()
        result.mkdir()
        settings = self.declaration.settings
        write_request(request, image, camera, generator, wanted, settings.seed)
        command = [*self.declaration.command, str(request), str(result)]
        run_command(command, self.declaration.folder, self.time_limit, settings.environment, self._progress)
        return result

    def _progress(self, step: int, total: int) -> None:
        if self.on_step is not None:
            self.on_step(step, total, {})

    def _checked(self, read: Callable[[], Tensor]) -> Tensor:
        try:
            return read()
        except InputError as error:
            raise PluginError(f"method {self.name!r}: {error}") from error


def open_external(path: str | Path) -> ExternalMethod:
    """Make the method that a YAML file declares (see `toolkit.external.declaration`).

    Raises:
        ConfigError: The file, or one that results depend on, is missing or not as described.
    """
    return ExternalMethod(read_declaration(path))
