"""Runs a command with a time limit, reads its progress, and ends it with all processes that it started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from toolkit.errors import OverTimeError, PluginError

KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
"""What the command gets of our environment: nothing that would lead it to our packages."""
PROGRESS = re.compile(r"\s*progress\s+(\d+)\s*/\s*(\d+)\s*")
"""A line `progress 3/10` on its stdout is shown as such; other lines are passed over."""
LINE_LIMIT, TAIL = 4096, 2000
"""Longest line that is looked at; how much of stderr is kept for the message, both in bytes."""
_GRACE = 5.0


def run_command(
    command: Sequence[str],
    folder: Path,
    time_limit: float,
    environment: Mapping[str, str],
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Run a command in a folder to its end.

    Raises:
        PluginError: It cannot be started, takes longer than `time_limit` seconds, or does not exit with 0; the message
            ends with the last line that it wrote to stderr.
    """
    variables = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | dict(environment)
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                list(command), cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=errors, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise PluginError(f"{command[0]} cannot be started: {error.strerror}") from error
        listener = threading.Thread(target=_listen, args=(process, on_progress), daemon=True)
        listener.start()
        try:
            code = process.wait(time_limit)
        except subprocess.TimeoutExpired:
            raise OverTimeError(f"{command[0]} took longer than its limit of {time_limit:g} s and was ended") from None
        finally:
            _end(process)
            listener.join(_GRACE)
        if code:
            raise PluginError(f"{command[0]} ended with exit code {code}{_last_line(errors)}")


def _listen(process: subprocess.Popen[bytes], on_progress: Callable[[int, int], None] | None) -> None:
    """Read stdout to its end, so that the command never waits for us."""
    assert process.stdout is not None  # it is a pipe
    with process.stdout as stream:
        while line := stream.readline(LINE_LIMIT):
            found = PROGRESS.fullmatch(line.decode("utf-8", "replace"))
            if found is not None and on_progress is not None:
                on_progress(int(found[1]), int(found[2]))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: what the command started must not outlive it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        deadline = time.monotonic() + (_GRACE if process.poll() is None else 0.1)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
    process.wait()


def _last_line(errors: IO[bytes]) -> str:
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - TAIL))
    lines = errors.read().decode("utf-8", "replace").split("\n")
    spoken = [" ".join(line.split()) for line in lines if line.strip()]
    return f": {spoken[-1]}" if spoken else ""
