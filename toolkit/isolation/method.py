"""A method in a process of its own: if it exits, crashes or never ends, this costs one inversion."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from toolkit.camera import Camera
from toolkit.data.prints import prints_from_text
from toolkit.devices import chosen_arithmetic
from toolkit.errors import KilledError, OverTimeError, PluginError
from toolkit.interfaces import Generator, OnStep
from toolkit.inversion import Inversion
from toolkit.isolation.messages import (
    INPUT_FILE,
    InversionRequest,
    Made,
    Opening,
    entry_as_document,
    raised_again,
)
from toolkit.metrics.effort import Effort
from toolkit.registry import method_and_plugin
from toolkit.tensors import write_tensors

BUILDING = 300.0
"""Seconds at least that a method may take to be built, where there is a time limit at all: it may read large files."""
LINES, LINE_LIMIT = 20, 500
"""How much of what a method prints is told, per inversion."""
_OTHERS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""Signals that a crash does not send."""


_START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from toolkit.isolation.worker import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)
"""Of the process: it finds modules where this one does, and nowhere else."""


class IsolatedMethod:
    """Looks like any method; the process is started again after it has died."""

    def __init__(
        self, opening: Opening, time_limit: float | None = None, note: Callable[[str], None] = lambda text: None
    ) -> None:
        """Start the process and build the method there.

        Args:
            opening: What it is made from.
            time_limit: Seconds that an inversion may take; None: without limit.
            note: Told of what the method prints, and of what its factory changed.

        Raises:
            ToolkitError: What the method's factory raised.
            PluginError: The factory raised something else, ended the process, or took too long.
        """
        self.opening, self.time_limit, self.note = opening, time_limit, note
        self.name = opening.name
        self.on_step: OnStep | None = None
        self._child: _Child | None = None
        opened = self._open()
        if opened["fingerprint"] is not None:  # a method that tells none has no such attribute here, either
            self.fingerprint = str(opened["fingerprint"])
        prints = opened["trained_on"]
        self.trained_on = prints_from_text(prints)
        self.undone: list[str] = list(opened["undone"])
        """What the factory changed in its process."""

    def invert(self, image: Tensor, camera: Camera, generator: Generator) -> Inversion:
        """Invert one image (see `toolkit.interfaces.Method`); raises as `make` does."""
        return self.make(InversionRequest(self.name, image, camera), generator).inversion

    def make(self, request: InversionRequest, generator: Generator, undone: list[str] | None = None) -> Made:
        """Invert one image in the method's process (see `toolkit.isolation.guard.guarded_inversion`).

        Raises:
            OverTimeError: It took longer than its limit.
            KilledError: Somebody else killed its process.
            PluginError: It ended its process, crashed, or returned no inversion into this generator.
            ForeignError: It raised something else.
        """
        if self._child is None or not self._child.is_alive:
            self._open()
        assert self._child is not None  # opened above
        with tempfile.TemporaryDirectory(prefix="toolkit-method-") as place:
            tensors = {"image": request.image.detach().cpu(), "camera": request.camera.label.detach().cpu()}
            write_tensors(Path(place) / INPUT_FILE, tensors, {})
            seed = int(torch.randint(2**62, ())) if request.seed is None else request.seed
            self._child.send({"folder": place, "seed": seed})
            answer = self._awaited("made", self.time_limit, undone)
            inversion = Inversion.load(place).to(generator.device)
        return Made(inversion, Effort(float(answer["seconds"]), float(answer["peak"])))

    def close(self) -> None:
        """End the child process, if it was begun."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def _open(self) -> dict[str, Any]:
        self.close()
        self._child = child = _Child(self._told)
        weakref.finalize(self, child.end)
        opening = self.opening
        asked = {
            "name": opening.name,
            "method": entry_as_document(opening.method),
            "generator": entry_as_document(opening.generator),
            "weights": opening.weights,
            "device": opening.device,
            "method_weights": opening.method_weights,
            "options": dict(opening.options),
            "threads": torch.get_num_threads(),
            "arithmetic": chosen_arithmetic(),
        }
        child.send(asked)
        self._awaited("begun", None, None)
        limit = None if self.time_limit is None else max(self.time_limit, BUILDING)
        return self._awaited("opened", limit, None)

    def _awaited(self, wanted: str, limit: float | None, undone: list[str] | None) -> Any:
        """What the process answers under a key; steps on the way are passed on."""
        assert self._child is not None  # opened before
        deadline = None if limit is None else time.monotonic() + limit
        try:
            while True:
                answer = self._child.receive(deadline)
                if "step" in answer and self.on_step is not None:
                    self.on_step(*answer["step"])
                if undone is not None:
                    undone += answer.get("undone", [])
                if "error" in answer:
                    raise raised_again(answer["error"])
                if wanted in answer:
                    return answer[wanted]
        except TimeoutError:
            self.close()
            took = f"took longer than its limit of {limit:g} s"
            raise OverTimeError(f"{method_and_plugin(self.name)} {took} and was ended") from None
        except EOFError:
            code = self._child.wait()
            self.close()
            raise _death(method_and_plugin(self.name), code) from None
        except BaseException as error:
            if not isinstance(error, Exception):  # Ctrl-C: whatever it is doing is not wanted any more
                self.close()
            raise

    def _told(self, line: str) -> None:
        self.note(f"{method_and_plugin(self.name)} prints: {line}")


def _death(who: str, code: int) -> PluginError:
    if code >= 0:
        return PluginError(f"{who} ended its process (exit code {code})")
    with contextlib.suppress(ValueError):
        number = signal.Signals(-code)
        if number in _OTHERS:
            return KilledError(f"the process of {who} was killed from outside ({number.name}; too little memory?)")
        return PluginError(f"{who} crashed its process ({number.name})")
    return PluginError(f"{who} crashed its process (signal {-code})")


class _Child:
    """The process, its line, and a listener of what it prints."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._line, theirs = Pipe()
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, json.dumps(sys.path), str(theirs.fileno()), str(lifeline)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=(theirs.fileno(), lifeline),
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise PluginError(f"a process for the method cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
            os.close(lifeline)
        self.lines = 0
        assert self._process.stdout is not None  # it is a pipe
        self._listener = threading.Thread(target=self._listen, args=(self._process.stdout, told), daemon=True)
        self._listener.start()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def send(self, document: dict[str, Any]) -> None:
        self.lines = 0
        with contextlib.suppress(BrokenPipeError):  # it has died; whoever waits for its answer is told
            self._line.send_bytes(pickle.dumps(document))

    def receive(self, deadline: float | None) -> dict[str, Any]:
        """The next message.

        Raises:
            TimeoutError: None came in time.
            EOFError: The process has ended.
        """
        if not _is_ready(self._line, deadline):
            raise TimeoutError
        try:
            found = json.loads(self._line.recv_bytes())
        except OSError as error:
            raise EOFError from error
        return found if isinstance(found, dict) else {}

    def wait(self) -> int:
        """The exit code, soon after the line has broken."""
        try:
            return self._process.wait(5)
        except subprocess.TimeoutExpired:  # it has closed its line and goes on
            return 0

    def end(self) -> None:
        """End it, and what it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._line.close()
        if self._lifeline is not None:
            with contextlib.suppress(OSError):
                os.close(self._lifeline)
            self._lifeline = None  # type: ignore[assignment]  # closed once
        self._process.wait()
        if threading.current_thread() is not self._listener:  # a method may be collected while its output is read
            self._listener.join(1)

    def _listen(self, stream: IO[bytes], told: Callable[[str], None]) -> None:
        with stream:
            while line := stream.readline(LINE_LIMIT):
                text = line.decode("utf-8", "replace").strip()
                if text and self.lines < LINES:
                    self.lines += 1
                    told(text if self.lines < LINES else f"{text} [...]")


def _is_ready(line: Connection, deadline: float | None) -> bool:
    if deadline is None:
        return line.poll(None)
    return line.poll(max(0.0, deadline - time.monotonic()))
