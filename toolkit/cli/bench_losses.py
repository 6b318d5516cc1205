"""What `toolkit bench` prints about a run besides its tables: failures, warnings, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from toolkit.cli.text import say

if TYPE_CHECKING:
    from toolkit.bench import Results

_WARNINGS = 12
"""At most so many warnings are printed."""


class _Placed(Protocol):
    """An entry of results that belongs to a protocol on a data set."""

    protocol: str
    data: str


_Entry = TypeVar("_Entry", bound=_Placed)


def report_losses(results: Results, protocols: set[str], data: str) -> bool:
    """Say what failed and what was left out of these protocols; whether anything failed."""

    def ours(entries: Sequence[_Entry]) -> list[_Entry]:
        return [each for each in entries if each.protocol in protocols and each.data == data]

    failures = [_about(each.method, each.target or each.item, each.error) for each in ours(results.failures)]
    warnings = [_about(each.method, each.item, each.text) for each in ours(results.warnings)]
    left_out = [f"{each.metric}: {each.reason}" for each in ours(results.unavailable)]
    left_out += [f"{each.protocol}: {each.reason}" for each in ours(results.left_out)]
    _say_once("failed   ", failures)
    _say_once("warning  ", warnings, _WARNINGS)
    _say_once("left out ", left_out)
    return bool(failures)


def _about(method: str | None, item: str | None, text: str) -> str:
    who = " ".join(filter(None, (method, item)))
    return f"{who}: {text}" if who else text


def _say_once(mark: str, lines: Sequence[str], most: int | None = None) -> None:
    """Print each line once, `most` of them at most."""
    different = list(dict.fromkeys(lines))
    for line in different[:most]:
        say(f"{mark}{line}", err=True)
    if most is not None and len(different) > most:
        say(f"{mark}{len(different) - most} more of this kind: results.json, key warnings", err=True)
