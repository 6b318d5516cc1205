"""The tables of docs/bench.md about what a run writes down, made from the schema.

python -m toolkit.bench.records.schema_page docs/bench.md
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.bench.records.base import Record
from toolkit.bench.records.schema import Results
from toolkit.bench.records.units import CellRecord, InversionRecord
from toolkit.errors import InputError
from toolkit.files import atomic_write

START, END = "<!-- from here on made by toolkit.bench.records.schema_page -->", "<!-- made until here -->"
_FILES: dict[str, type[Record]] = {
    "results.json": Results,
    "a line of cells.jsonl": CellRecord,
    "a line of inversions.jsonl": InversionRecord,
}

_PLAIN = {str: "text", int: "integer", float: "number", bool: "true or false", types.NoneType: "null", Any: "anything"}


def schema_markdown() -> str:
    """A table of keys for each kind of record, the files' own first."""
    parts = [f"### {title}\n\n{_table(kind)}" for title, kind in _FILES.items()]
    inner = dict.fromkeys(kind for each in _FILES.values() for kind in _records_in(each) if kind not in _FILES.values())
    parts += [f"### {_words(kind)}\n\n{_sentence(kind)}\n\n{_table(kind)}" for kind in inner]
    return "\n\n".join(parts)


def with_schema(page: str) -> str:
    """A page with the tables between its two marks made again.

    Raises:
        InputError: The page has no marks.
    """
    before, mark, rest = page.partition(START)
    _, other, after = rest.partition(END)
    if not mark or not other:
        raise InputError(f"the page has no lines {START!r} and {END!r}")
    return f"{before}{START}\n\n{schema_markdown()}\n\n{END}{after}"


def _table(kind: type[Record]) -> str:
    lines = ["| key | type | content |", "| --- | --- | --- |"]
    inherited = {name for base in kind.__mro__[1:] if issubclass(base, Record) for name in base.model_fields}
    for name, field in kind.model_fields.items():
        if name in inherited:
            continue
        text = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{name}` | {_type_words(field.annotation)} | {text} |")
    return "\n".join(lines)


def _records_in(kind: type[Record]) -> Iterator[type[Record]]:
    """The records that a record holds, at any depth."""
    for field in kind.model_fields.values():
        for inner in _classes(field.annotation):
            yield inner
            yield from _records_in(inner)


def _classes(annotation: Any) -> Iterator[type[Record]]:
    if isinstance(annotation, type) and issubclass(annotation, Record):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _classes(argument)


def _type_words(annotation: Any) -> str:
    """A type in a reader's words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type_words(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type_words(each) for each in arguments))
    if origin is typing.Literal:
        return " or ".join(f"`{each}`" for each in arguments)
    if origin is list:
        return f"list: {_type_words(arguments[0])}"
    if origin is dict:
        return f"by name: {_type_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return _words(annotation)
    plain = {
        str: "text",
        int: "integer",
        float: "number",
        bool: "true or false",
        types.NoneType: "null",
        Any: "anything",
    }
    return plain[annotation]


def _words(kind: type[Record]) -> str:
    """The name of a record in words: 'CurvePoint' is a 'curve point'."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).strip()


def _sentence(kind: type[Record]) -> str:
    base = kind.__mro__[1]
    more = "" if base is Record else f" It has the keys of a {_words(base)}, too."
    return " ".join((kind.__doc__ or "").split()) + more


if __name__ == "__main__":
    path = Path(sys.argv[1])
    text = with_schema(path.read_text(encoding="utf-8"))
    with atomic_write(path) as written:
        written.write_text(text, encoding="utf-8")
