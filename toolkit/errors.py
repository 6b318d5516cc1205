"""The one family of errors that a user can cause; the CLI shows each as one line.

Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

_HEAD, _TAIL = 700, 400
"""Characters kept of the beginning and of the end of a message that is longer than both together."""
_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


def one_line(text: str) -> str:
    """A text on one line, shortened where names or values of the user's make it very long."""
    shown = text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]} [...] {text[-_TAIL:]}"
    return shown.translate(_CONTROLS)


class ToolkitError(Exception):
    """Something the user can mend; the message is one clear sentence."""

    exit_code = 2

    def __init__(self, message: str = "") -> None:
        """Keep the message, on one line."""
        super().__init__(one_line(message))


class InputError(ToolkitError):
    """An image, camera, folder or value from the user cannot be used."""


class ConfigError(ToolkitError):
    """A configuration has an unknown key, a wrong type or an impossible value."""


class WeightsError(ToolkitError):
    """A weights file is missing, damaged, or belongs to another architecture."""


class PluginError(ToolkitError):
    """A plugin is unknown, broken, registered twice, or made for another interface version."""


class OverTimeError(PluginError):
    """A method took longer than its limit and was ended."""


class KilledError(PluginError):
    """Somebody else, or the system, killed the process of a method."""


class CapabilityError(ToolkitError):
    """A method needs something that this generator (or other part) does not offer."""


class MissingDependencyError(ToolkitError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, purpose: str, extra: str) -> None:
        """Name the package, what it is for, and the extra that installs it."""
        super().__init__(f"{purpose} needs the package {package!r}: pip install 'toolkit[{extra}]'")


class OutputError(ToolkitError):
    """A result could not be written (full disk, read-only folder)."""

    exit_code = 1


class TrainingError(ToolkitError):
    """A training diverged, or its checkpoint is damaged or belongs to other settings."""


class Interrupted(ToolkitError):
    """A signal ended a command early; everything finished so far is kept."""

    def __init__(self, message: str, signal_number: int) -> None:
        """Exit as a shell reports the signal: 130 for SIGINT, 143 for SIGTERM."""
        super().__init__(message)
        self.exit_code = 128 + signal_number
