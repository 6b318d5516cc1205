"""Stopping on a signal: the current step is finished and saved first, an evaluation is given up."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class GivenUp(BaseException):
    """A signal ends what is not worth waiting for; no `except Exception` in a job takes it for a fault."""


class StopSignals:
    """While the block runs, the first SIGINT or SIGTERM is only noted; a second one acts at once, as it always did."""

    def __init__(self) -> None:
        self.received: int | None = None
        """Number of the signal that came, if any."""
        self._gives_up = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    @contextlib.contextmanager
    def giving_up(self) -> Iterator[None]:
        """End this block at the first signal, wherever it is, or at its start where the signal has come already.

        Raises:
            GivenUp: The block was ended.
        """
        self._gives_up = True
        try:
            if self.received:
                raise GivenUp
            yield
        finally:
            self._gives_up = False

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        self._restore()
        if self._gives_up:
            raise GivenUp

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
