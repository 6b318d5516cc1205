"""The state of the process that numbers and output depend on: remembered, compared, restored.

Strangers' code runs in it while plugins are imported and their parts are built.
"""

from __future__ import annotations

import contextlib
import random
import sys
from typing import Any

from toolkit.process_settings import SETTINGS, UNKNOWN, Setting


class ProcessWatch:
    """Remembers the process's own settings, to compare and to put back."""

    def __init__(self) -> None:
        self._before = {name: _value(setting) for name, setting in SETTINGS.items()}
        self._random = random.getstate()
        numpy = sys.modules.get("numpy")
        self._numpy_random = None if numpy is None else numpy.random.get_state()

    def undo(self) -> list[str]:
        """Undo and return what differs. Drawn random numbers do not count as a change; they are undone silently."""
        random.setstate(self._random)
        if self._numpy_random is not None:
            sys.modules["numpy"].random.set_state(self._numpy_random)
        changed = []
        for name, setting in SETTINGS.items():
            before = self._before[name]
            before = setting.at_first if before is UNKNOWN else before
            now = _value(setting)
            if before is UNKNOWN or (now is not UNKNOWN and setting.same(now, before)):
                continue
            if now is UNKNOWN and not _exists(setting):
                continue
            changed.append(name)
            with contextlib.suppress(Exception):  # it cannot be put back: it is named
                setting.write(before)
        return changed


def _exists(setting: Setting) -> bool:
    if not setting.module:
        return True
    module = sys.modules.get(setting.module)
    spec = getattr(module, "__spec__", None)
    return module is not None and not getattr(spec, "_initializing", False)


def _value(setting: Setting) -> Any:
    """What a setting is now; unknown where its module is not loaded, or where it cannot be read any more."""
    if not _exists(setting):
        return UNKNOWN
    try:
        return setting.read()
    except Exception:  # the working directory is gone, a function was replaced
        return UNKNOWN
