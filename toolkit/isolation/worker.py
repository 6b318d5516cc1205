"""The process of an isolated method: opens it, inverts what it is given, and says what happened.

Started by `toolkit.isolation.method`. What it is told comes from its parent alone and is pickled; what it answers is
JSON and files of tensors, since a stranger's code runs here.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pickle
import signal
import sys
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_PARENT_DIED = 1
"""PR_SET_PDEATHSIG."""


def main(descriptor: int, lifeline: int) -> None:
    """Serve until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    _die_with_parent(lifeline)
    line = Connection(descriptor)
    with contextlib.suppress(EOFError, OSError):
        served = _Served(line, pickle.loads(line.recv_bytes()))
        while True:
            served.answer(pickle.loads(line.recv_bytes()))


def _die_with_parent(lifeline: int) -> None:
    """End this process when its parent's has ended, whatever a method is doing."""
    with contextlib.suppress(OSError, AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGKILL)

    def watch() -> None:
        while os.read(lifeline, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Served:
    """A method that is open in a child process and answers requests."""

    def __init__(self, line: Connection, asked: Mapping[str, Any]) -> None:
        self._line = line
        import torch

        from toolkit.devices import choose_arithmetic
        from toolkit.isolation.messages import as_document, entry_from

        choose_arithmetic(asked["arithmetic"])
        if asked["threads"] is not None:
            torch.set_num_threads(asked["threads"])
        try:
            self._open(asked, entry_from(asked["generator"]), entry_from(asked["method"]))
        except (Exception, SystemExit) as error:  # whatever a stranger's factory raises
            self._say({"error": as_document(error)})

    def _open(self, asked: Mapping[str, Any], generator: Any, method: Any) -> None:
        from toolkit.data.prints import prints_as_text
        from toolkit.interfaces import Method
        from toolkit.interfaces.method import KnowsItsPictures, ReportsProgress
        from toolkit.isolation.guard import guarded_build
        from toolkit.isolation.watch import GeneratorWatch

        self._generator = generator.build(asked["weights"], asked["device"])
        self._watch, self._name = GeneratorWatch(self._generator), asked["name"]
        undone: list[str] = []
        self._say({"begun": True})
        self._method = guarded_build(
            lambda: method.load()(self._generator, asked["method_weights"], dict(asked["options"])), self._watch, undone
        )
        if isinstance(self._method, ReportsProgress):
            self._method.on_step = self._tell_step
        if "invert" not in dir(self._method):
            raise TypeError(f"it is a {type(self._method).__name__} without `invert`")
        fingerprint = self._method.fingerprint if isinstance(self._method, Method) else None
        prints = self._method.trained_on if isinstance(self._method, KnowsItsPictures) else None
        opened = {"fingerprint": fingerprint, "undone": undone, "trained_on": prints_as_text(prints)}
        self._say({"opened": opened})

    def answer(self, asked: Mapping[str, Any]) -> None:
        """Invert the image in a folder; the inversion is written into it."""
        from toolkit.camera import Camera
        from toolkit.isolation.guard import guarded_inversion
        from toolkit.isolation.messages import INPUT_FILE, InversionRequest, as_document
        from toolkit.tensors import read_tensors

        folder = Path(asked["folder"])
        tensors, _ = read_tensors(folder / INPUT_FILE)
        device, undone = self._generator.device, list[str]()
        image, camera = tensors["image"].to(device), Camera.from_label(tensors["camera"]).to(device)
        try:
            request = InversionRequest(self._name, image, camera, asked["seed"])
            made = guarded_inversion(self._method, request, self._generator, self._watch, undone)
            made.inversion.save(folder)
        except (Exception, SystemExit) as error:  # whatever a method raises
            self._say({"error": as_document(error), "undone": undone})
        else:
            self._say({"made": {"seconds": made.effort.seconds, "peak": made.effort.peak_mib}, "undone": undone})

    def _tell_step(self, step: int, total: int, losses: Mapping[str, float]) -> None:
        self._say({"step": [int(step), int(total), {str(name): float(value) for name, value in losses.items()}]})

    def _say(self, document: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).fflush(None)  # what C code holds back belongs before this answer
        sys.stdout.flush()
        self._line.send_bytes(json.dumps(document).encode())
