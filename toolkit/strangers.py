"""Running third parties' code in this process: its errors are named, and its changes are undone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from toolkit.containment import contained, stdout_to_stderr, time_limited
from toolkit.errors import InputError, PluginError, ToolkitError
from toolkit.machine_failures import Kind, machine_failure
from toolkit.process_state import ProcessWatch

_changes: dict[str, dict[str, None]] = {}


def changes() -> dict[str, list[str]]:
    """What plugins changed in this process although they must not, by plugin; it was undone."""
    return {plugin: list(what) for plugin, what in _changes.items()}


@contextlib.contextmanager
def watched(plugin: str) -> Iterator[None]:
    """Undo what a plugin's code changes in the process; `changes` lists it."""
    watch = ProcessWatch()
    try:
        yield
    finally:
        what = watch.undo()
        if what:
            _changes.setdefault(plugin, {}).update(dict.fromkeys(what))


def checked_time_limit(seconds: float | None) -> float | None:
    """A limit that a user gave.

    Raises:
        InputError: It is no positive number of seconds.
    """
    if seconds is not None and not 0 < seconds <= 7 * 86_400:
        raise InputError(f"the time limit (--time-limit) must be seconds between 0 and a week, got {seconds:g}")
    return seconds


_limit = [0.0]


def limit_time(seconds: float | None) -> None:
    """End a part of a stranger's plugin that takes longer at one time in this process (None: never)."""
    _limit[0] = seconds or 0.0


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Do what `limit_time` does, for a block."""
    before = _limit[0]
    limit_time(seconds)
    try:
        yield
    finally:
        limit_time(before)


@contextlib.contextmanager
def strangers_code(who: str, plugin: str, alone: bool = True) -> Iterator[None]:
    """Run a part of a plugin: it cannot end the program, spoil stdout, or change what others depend on.

    Args:
        who: The part, for the message, as in "metric 'x' of plugin 'y'".
        plugin: Whose code it is.
        alone: Nobody else's code runs in the block: what changes is put back, and the plugin's doing.

    Raises:
        PluginError: It raised something that is neither of the toolkit's family nor the machine's failure, or took
            longer than it may (see `time_limit`) where it is alone.
    """
    limit = time_limited("it took longer than {:g} s (--time-limit)", _limit[0] if alone else 0.0)
    watch = watched(plugin) if alone else contextlib.nullcontext()
    try:
        with watch, stdout_to_stderr(), contained("it"), limit:
            yield
    except ToolkitError:
        raise
    except (Exception, SystemExit) as error:
        if machine_failure(error) in (Kind.DISK, Kind.MEMORY):
            raise
        told = (str(error).splitlines() or [""])[0]
        raise PluginError(f"{who} failed: {type(error).__name__}: {told}") from error
