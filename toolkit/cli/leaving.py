"""The end of the program: what plugins left running cannot change output or exit code, or delay the end."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from typing import Any, NoReturn

from toolkit import containment
from toolkit.cli.main import main
from toolkit.cli.text import say

PATIENCE = 5.0
"""Seconds that threads get to end by themselves."""


def program() -> NoReturn:
    """Run `toolkit`, the script: `main`, and then the end of the process."""
    code: Any = 0
    try:
        with containment.exits_named():
            main()
    except containment.LeavingError as leaving:
        say(f"error: {leaving}", err=True)
        code = 2
    except SystemExit as leaving:
        code = leaving.code
    leave(code)


def leave(code: Any) -> NoReturn:
    """End the process with an exit code; what is printed from now on goes to stderr.

    Raises:
        SystemExit: Always, unless threads keep the process alive: then it ends without waiting for them.
    """
    process, real_exit = os.getpid(), os._exit

    def refused(status: int) -> None:  # an exit code is not a plugin's to choose
        if os.getpid() != process:
            real_exit(status)

    changed: Any = os
    changed._exit, containment.is_ending = refused, True
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    if _have_ended(PATIENCE):
        sys.exit(code)
    names = ", ".join(thread.name for thread in _others())
    say(f"note: a plugin left threads behind that do not end ({names}); the program ends without them", err=True)
    atexit._run_exitfuncs()  # what Python would do after the threads
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    real_exit(code if isinstance(code, int) else int(code is not None))


def _others() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()]


def _have_ended(patience: float) -> bool:
    """Whether no thread is left that Python would wait for, after as many seconds at most."""
    for each in _others():
        each.join(patience)
    return not _others()
