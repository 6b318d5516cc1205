"""Containing third parties' code while it is imported or run: prints, exits and endless loops do no harm."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

SECONDS_VARIABLE = "TOOLKIT_PLUGIN_SECONDS"
SECONDS = 120.0
"""How long a plugin may take to be imported, unless the variable says otherwise; 0: for ever."""
_KEPT = 64 * 1024
"""Bytes of what is printed that are kept."""


is_ending = False
"""Set when the program has done everything and ends: strangers' ends of the process are passed over then."""


class LeavingError(SystemExit):
    """Raised instead of an exit of the process, so that the program survives the import of a stranger's code."""


class EndWanted(BaseException):
    """Somebody wants the program to end (Ctrl-C, SIGTERM): it passes everything, strangers' code included."""


class Printed:
    """What was printed; complete when the block has ended."""

    text = ""


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Keep stdout for results: whatever is written to it in the block, from C code too, goes to stderr."""
    with _descriptor_moved(2), contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def stdout_caught() -> Iterator[Printed]:
    """Keep stdout for results: whatever is written to it in the block, from C code too, is collected."""
    printed, in_python = Printed(), io.StringIO()
    with tempfile.TemporaryFile() as file:
        try:
            with _descriptor_moved(file.fileno()), contextlib.redirect_stdout(in_python):
                yield printed
        finally:
            file.seek(0)
            printed.text = (in_python.getvalue() + file.read(_KEPT).decode("utf-8", "replace"))[:_KEPT].strip()


@contextlib.contextmanager
def contained(what: str, timed: bool = False) -> Iterator[None]:
    """Run a stranger's code: an end of the process, and what is no `Exception`, becomes `LeavingError`.

    A KeyboardInterrupt passes unless it is known to be the stranger's own (see `EndWanted`).

    Args:
        what: For the message: "it", or whose code it is.
        timed: Whether the time of the block is limited (see `SECONDS_VARIABLE`).
    """
    allowed = f"{SECONDS_VARIABLE} says how long it may"
    with (
        _exits_raise(what),
        time_limited(f"{what} took longer than {{:g}} s to load ({allowed})", timed and _seconds()),
    ):
        try:
            yield
        except (Exception, SystemExit, EndWanted):
            raise
        except BaseException as error:
            users = signal.getsignal(signal.SIGINT) is signal.default_int_handler
            if isinstance(error, KeyboardInterrupt) and users:
                raise
            raise LeavingError(f"{what} raised {type(error).__name__}: {error}") from error


def exits_named() -> contextlib.AbstractContextManager[None]:
    """Refuse to be ended by strangers' code that runs outside `contained`; the message names the module."""
    return _exits_raise("")


def _seconds() -> float:
    try:
        found = float(os.environ.get(SECONDS_VARIABLE, SECONDS))
    except ValueError:
        return SECONDS
    return found if 0 <= found <= threading.TIMEOUT_MAX else 0.0


@contextlib.contextmanager
def _descriptor_moved(target: int) -> Iterator[None]:
    """Let file descriptor 1 mean another file for a block."""
    _flush()
    try:
        saved = os.dup(1)
    except OSError:  # there is no stdout at all
        yield
        return
    try:
        with contextlib.suppress(OSError):  # no stderr either: then nothing is moved
            os.dup2(target, 1)
        yield
    finally:
        _flush()
        os.dup2(saved, 1)
        os.close(saved)


def _flush() -> None:
    """Write out what Python and C hold back for stdout."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # where the C library cannot be reached like this
        ctypes.CDLL(None).fflush(None)


@contextlib.contextmanager
def _exits_raise(what: str) -> Iterator[None]:
    process, real_exit, real_abort = os.getpid(), os._exit, os.abort

    def leave(code: int = 0) -> NoReturn:
        if os.getpid() != process:  # a forked child may end itself
            real_exit(code)
        if is_ending:
            return  # type: ignore[misc]  # the exit code is not a plugin's to choose
        raise LeavingError(f"{what or _caller()} tried to end the program (os._exit({code!r}))")

    def abort() -> NoReturn:
        if os.getpid() != process:
            real_abort()
        if is_ending:
            return  # type: ignore[misc]  # as above
        raise LeavingError(f"{what or _caller()} tried to end the program (os.abort())")

    changed: Any = os
    changed._exit, changed.abort = leave, abort
    try:
        yield
    finally:
        changed._exit, changed.abort = real_exit, real_abort


def _caller() -> str:
    """Whose code called the function that calls this one."""
    return f"the module {sys._getframe(2).f_globals.get('__name__')!r}"


_AGAIN = 1.0
"""Seconds after which code is ended again that has caught its end."""


@contextlib.contextmanager
def time_limited(message: str, seconds: float) -> Iterator[None]:
    """End the block after a while, where signals can do so: on Unix, in the main thread, not inside C code.

    Args:
        message: What is raised then as a `LeavingError`; `{:g}` stands for the seconds.
        seconds: 0: no limit.
    """
    usable = seconds > 0 and os.name == "posix" and threading.current_thread() is threading.main_thread()
    if not usable or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        raise LeavingError(message.format(seconds))

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
