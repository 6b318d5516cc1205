"""Text that users named, on its way to a terminal: never markup, never more than one line, always printable."""

from __future__ import annotations

import io
import re
import sys

import typer

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters (a terminal obeys some), line breaks, and the bytes of names that are not UTF-8."""


def printable(text: object) -> str:
    """One line of text with everything escaped that a terminal would obey or could not show."""
    return _UNPRINTABLE.sub(_escaped, str(text))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte of a name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return match.group().encode("unicode_escape").decode() if code < 0xD800 else f"\\u{code:04x}"


def say(text: object, err: bool = False) -> None:
    """Print text as one line, on stdout or stderr."""
    typer.echo(printable(text), err=err)


def say_lines(text: object, err: bool = False) -> None:
    """Print a text of several lines; its line breaks are kept, everything else is escaped as `say` does."""
    for line in str(text).split("\n"):
        say(line, err)


def counted_faults(count: int) -> str:
    """The last line of a report: no faults, 1 fault, 2 faults."""
    return f"{count or 'no'} {'fault' if count == 1 else 'faults'}"


def accept_all_text() -> None:
    """Let stdout and stderr escape what their encoding has no letters for, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
