"""Running strangers' code in this process: what it raises is named, what it changes is put back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from toolkit.errors import PluginError, ToolkitError
from toolkit.importing import contained, stdout_to_stderr
from toolkit.machine_failures import Kind, machine_failure
from toolkit.process_state import ProcessWatch

_changes: dict[str, dict[str, None]] = {}


def changes() -> dict[str, list[str]]:
    """What plugins changed of this process and must not, by plugin; it was put back."""
    return {plugin: list(what) for plugin, what in _changes.items()}


@contextlib.contextmanager
def watched(plugin: str) -> Iterator[None]:
    """Put back what a plugin's code changes of the process; it is told by `changes`."""
    watch = ProcessWatch()
    try:
        yield
    finally:
        what = watch.undo()
        if what:
            _changes.setdefault(plugin, {}).update(dict.fromkeys(what))


@contextlib.contextmanager
def strangers_code(who: str, plugin: str, alone: bool = True) -> Iterator[None]:
    """Run a part of a plugin: it cannot end the program, spoil stdout, or change what others depend on.

    Args:
        who: The part, for the message, as in "metric 'x' of plugin 'y'".
        plugin: Whose code it is.
        alone: Nobody else's code runs in the block: what changes is put back, and the plugin's doing.

    Raises:
        PluginError: It raised something that is neither of the toolkit's family nor the machine's failure.
    """
    try:
        with watched(plugin) if alone else contextlib.nullcontext(), stdout_to_stderr(), contained("it"):
            yield
    except ToolkitError:
        raise
    except (Exception, SystemExit) as error:
        if machine_failure(error) in (Kind.DISK, Kind.MEMORY):
            raise
        told = (str(error).splitlines() or [""])[0]
        raise PluginError(f"{who} failed: {type(error).__name__}: {told}") from error
