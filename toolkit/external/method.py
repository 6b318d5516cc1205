"""A declared command as an inversion method, and as a source of renders for the benchmark."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.errors import CapabilityError, ConfigError, InputError, PluginError, WeightsError
from toolkit.external.declaration import Declaration, read_declaration
from toolkit.external.exchange import read_mesh, read_renders, read_ws, write_request
from toolkit.external.process import run_command
from toolkit.interfaces import Generator, OnStep
from toolkit.inversion import Inversion, identity_of
from toolkit.rendering.triangles import ColouredTriangles

Answer = TypeVar("Answer")


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
            CapabilityError: The method returns renders or a mesh, and no code.
            PluginError: The command failed, or what it wrote will not do.
        """
        if self.returns != "ws":
            shown = "renders" if self.returns == "renders" else "a mesh"
            raise CapabilityError(f"method {self.name!r} returns {shown}: bench can compare it, invert cannot keep it")
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
            CapabilityError: The method returns something else.
            PluginError: The command failed, or what it wrote will not do.
        """
        return self._answer(
            "renders", image, camera, generator, wanted, lambda result: read_renders(result, len(wanted))
        )

    def mesh(self, image: Tensor, camera: Camera, generator: Generator) -> ColouredTriangles:
        """The head as a coloured mesh in the cameras' world.

        Raises:
            CapabilityError: The method returns something else.
            PluginError: The command failed, or what it wrote will not do.
        """
        return self._answer("mesh", image, camera, generator, None, read_mesh)

    @property
    def returns(self) -> str:
        """What the command writes: 'ws', 'renders' or 'mesh'."""
        return self.declaration.settings.returns

    def _answer(
        self,
        kind: str,
        image: Tensor,
        camera: Camera,
        generator: Generator,
        wanted: Camera | None,
        read: Callable[[Path], Answer],
    ) -> Answer:
        """What the command returns, of a kind that the caller needs."""
        if self.returns != kind:
            raise CapabilityError(f"method {self.name!r} returns {self.returns}, not {kind}")
        with tempfile.TemporaryDirectory(prefix="toolkit-external-") as place:
            result = self._run(Path(place), image, camera, generator, wanted)
            return self._checked(lambda: read(result))

    def _run(self, place: Path, image: Tensor, camera: Camera, generator: Generator, wanted: Camera | None) -> Path:
        request, result = place / "request", place / "result"
        request.mkdir()
        result.mkdir()
        settings = self.declaration.settings
        write_request(request, image, camera, generator, wanted, settings.seed, settings.returns)
        command = [*self.declaration.command, str(request), str(result)]
        try:
            run_command(command, self.declaration.folder, self.time_limit, settings.environment, self._progress)
        except PluginError as error:
            raise type(error)(f"method {self.name!r}: {error}") from error
        return result

    def _progress(self, step: int, total: int) -> None:
        if self.on_step is not None:
            self.on_step(step, total, {})

    def _checked(self, read: Callable[[], Answer]) -> Answer:
        try:
            return read()
        except (InputError, WeightsError) as error:
            raise PluginError(f"method {self.name!r}: {error}") from error


def open_external(
    path: str | Path, weights: str | Path | None = None, options: Mapping[str, Any] | None = None
) -> ExternalMethod:
    """Make the method that a YAML file declares (see `toolkit.external.declaration`).

    Args:
        path: The file.
        weights: Must be None: checkpoints stand in the file.
        options: None; a preset's name is ignored. Settings stand in the file.

    Raises:
        ConfigError: The file, or one that results depend on, is missing or not as described; weights or options.
    """
    if weights is not None or set(options or {}) - {"preset"}:
        raise ConfigError(f"the method file {path} takes neither weights nor options: they stand in the file")
    return ExternalMethod(read_declaration(path))
