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

    failures = [(each, _about(each.method, each.target or each.item, each.error)) for each in ours(results.failures)]
    warnings = [(each, _about(each.method, each.item, each.text)) for each in ours(results.warnings)]
    unavailable = [(each, f"{each.metric}: {each.reason}") for each in ours(results.unavailable)]
    left_out = [f"{each.protocol}: {each.reason}" for each in ours(results.left_out)]
    _say("failed   ", _placed(failures, protocols))
    _say("warning  ", _placed(warnings, protocols), _WARNINGS)
    _say("left out ", [*_placed(unavailable, protocols), *dict.fromkeys(left_out)])
    return bool(failures)


def _placed(lines: Sequence[tuple[_Placed, str]], protocols: set[str]) -> list[str]:
    """Each line once, behind the protocols that it is of where it is not of all."""
    found: dict[str, dict[str, None]] = {}
    for entry, line in lines:
        found.setdefault(line, {})[entry.protocol] = None
    return [line if {*of} == protocols else f"{', '.join(of)}: {line}" for line, of in found.items()]


def _about(method: str | None, item: str | None, text: str) -> str:
    who = " ".join(filter(None, (method, item)))
    return f"{who}: {text}" if who else text


def _say(mark: str, lines: Sequence[str], most: int | None = None) -> None:
    """Print the lines, `most` of them at most."""
    for line in lines[:most]:
        say(f"{mark}{line}", err=True)
    if most is not None and len(lines) > most:
        say(f"{mark}{len(lines) - most} more of this kind: results.json, key warnings", err=True)
