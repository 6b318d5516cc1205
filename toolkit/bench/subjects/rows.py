"""Rows of a comparison: a method under its own name, or once more under another (`ROW=METHOD`)."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from toolkit.errors import InputError

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.+-]*)=(?P<method>.+)", re.DOTALL)


class MethodRow(NamedTuple):
    """A row and the method that it measures."""

    name: str
    """As it stands in tables, and as settings and weights are given to it."""
    method: str
    """Registered name, or the file of a declaration."""

    @classmethod
    def of(cls, text: str) -> MethodRow:
        """Read `METHOD` or `ROW=METHOD`."""
        named = _NAMED.fullmatch(text)
        return cls(text, text) if named is None else cls(named["name"], named["method"])

    @property
    def is_renamed(self) -> bool:
        """Whether it stands under another name than its method's."""
        return self.name != self.method


def check_rows(rows: Collection[MethodRow], taken: Collection[str]) -> None:
    """Refuse rows that cannot be told apart.

    Args:
        rows: Of one comparison, each once.
        taken: Names that mean something else: those of registered methods, and of other rows in tables.

    Raises:
        InputError: Two rows of one name, or one whose name means something else.
    """
    names = [row.name for row in rows]
    for row in rows:
        if names.count(row.name) > 1:
            raise InputError(f"--methods names two rows {row.name!r}")
        if row.is_renamed and row.name in taken:
            raise InputError(f"--methods: the row {row.name!r} of {row.method!r} has a name that means something else")
