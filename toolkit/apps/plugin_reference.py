"""The page docs/plugins/reference.md, made from the hook specifications and the contracts.

python -m toolkit.apps.plugin_reference docs/plugins/reference.md
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel
from typing_extensions import is_protocol

from toolkit import hookspecs
from toolkit.files import atomic_write
from toolkit.registry import INTERFACE_VERSIONS, KINDS, Register

_HEAD = """# Reference of hooks and contracts

Made from `toolkit/hookspecs.py` and the contracts (a test compares this page with them) by

    python -m toolkit.apps.plugin_reference docs/plugins/reference.md

How to use it: [the pages of plugins](README.md).

A hook is a function of the plugin's module, marked with `toolkit.hookimpl`. It receives one argument, `register`, and
calls it once for each thing that it offers:"""
_BESIDE = {"toolkit.interfaces.dataset": ("toolkit.interfaces.procedural",)}
"""Further files of capabilities, by the contract's own."""
_SHOWN = ("__call__", "__len__", "__getitem__")
"""Methods with two underscores that belong to a contract."""
_CONTRACTS = ("toolkit.interfaces", "toolkit.bench")
"""Where the class that a hook's factory returns is found."""


class Member(NamedTuple):
    """An attribute or a method of a contract."""

    code: str
    meaning: str


def reference_page() -> str:
    """The page about every hook, with the contract of each kind."""
    shown = {contract_of(kind) for kind in KINDS}
    parts = [_HEAD, _register_table(), *(_section(kind, shown) for kind in KINDS)]
    return "\n\n".join(parts) + "\n"


def contract_of(kind: str) -> type:
    """The class that the factories of a kind return."""
    promised = _hook_text(kind).rpartition("-> ")[2]
    name = re.match(r"\w+", promised)
    assert name is not None  # every hook says so
    for module in _CONTRACTS:
        found = getattr(importlib.import_module(module), name[0], None)
        if isinstance(found, type):
            return found
    raise LookupError(f"no contract {name[0]} of the hook for {kind}")


def members_of(owner: type) -> Iterator[Member]:
    """What a class declares itself: its attributes, properties and methods that are not private."""
    body = _class_body(owner)
    for place, statement in enumerate(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            below = body[place + 1] if place + 1 < len(body) else None
            default = "" if statement.value is None else f" = {ast.unparse(statement.value)}"
            code = f"{statement.target.id}: {ast.unparse(statement.annotation)}{default}"
            yield Member(code, _string(below))
        elif isinstance(statement, ast.FunctionDef) and _is_shown(statement.name):
            yield _function(statement)


def _is_shown(name: str) -> bool:
    return not name.startswith("_") or name in _SHOWN


def _register_table() -> str:
    shown = inspect.signature(Register.__call__)
    bare = [entry.replace(annotation=entry.empty) for name, entry in shown.parameters.items() if name != "self"]
    call = f"`register{inspect.Signature(bare)}`".replace("'", '"')
    meanings = dict(re.findall(r"^ +(\w+): (.+)$", inspect.getdoc(Register.__call__) or "", re.MULTILINE))
    rows = [(f"`{entry.name}`", meanings[entry.name]) for entry in bare]
    return f"{call}\n\n{_table(('argument', 'meaning'), rows)}"


def _section(kind: str, shown: set[type]) -> str:
    """A hook, its contract, and what its module also has and has not been `shown` yet."""
    contract = contract_of(kind)
    parts = [
        f"## {kind.replace('_', ' ')}: `{KINDS[kind]}(register)`",
        f"{_hook_text(kind)} Interface version {INTERFACE_VERSIONS[kind]}.",
        _described(contract),
    ]
    for other in _classes_beside(contract):
        if other not in shown and (_is_protocol(other) or _is_record(other)):
            shown.add(other)
            parts.append(_described(other))
    return "\n\n".join(parts)


def _described(owner: type) -> str:
    head = f"### `{_import_path(owner)}`"
    rows = [(f"`{member.code}`", member.meaning) for member in members_of(owner)]
    table = f"\n\n{_table(('member', 'meaning'), rows)}" if rows else ""
    return f"{head}\n\n{_paragraphs(inspect.getdoc(owner))}{table}"


def _import_path(owner: type) -> str:
    """The shortest module that offers a class."""
    for module in _CONTRACTS:
        if getattr(importlib.import_module(module), owner.__name__, None) is owner:
            return f"{module}.{owner.__name__}"
    return f"{owner.__module__}.{owner.__name__}"


def _classes_beside(contract: type) -> list[type]:
    """The other public classes of a contract's file that a reader of it needs."""
    found: list[type] = []
    for place in (contract.__module__, *_BESIDE.get(contract.__module__, ())):
        module = importlib.import_module(place)
        tree = ast.parse(inspect.getsource(module))
        names = [each.name for each in tree.body if isinstance(each, ast.ClassDef) and not each.name.startswith("_")]
        found += [getattr(module, name) for name in names if name != contract.__name__]
    return found


def _is_protocol(owner: type) -> bool:
    return is_protocol(owner)


def _is_record(owner: type) -> bool:
    return dataclasses.is_dataclass(owner) or issubclass(owner, (tuple, BaseModel))


def _class_body(owner: type) -> list[ast.stmt]:
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(found, ast.ClassDef)  # what the source of a class is
    return found.body


def _function(statement: ast.FunctionDef) -> Member:
    meaning = _paragraphs(ast.get_docstring(statement)).partition("\n\n")[0]
    if any(isinstance(each, ast.Name) and each.id == "property" for each in statement.decorator_list):
        return Member(f"{statement.name}: {_annotation(statement.returns)}", meaning)
    arguments = statement.args
    arguments.args = [each for each in arguments.args if each.arg not in ("self", "cls")]
    returns = _annotation(statement.returns)
    return Member(f"{statement.name}({ast.unparse(arguments)}) -> {returns}", meaning)


def _annotation(node: ast.expr | None) -> str:
    return "Any" if node is None else ast.unparse(node)


def _string(statement: ast.stmt | None) -> str:
    value = statement.value if isinstance(statement, ast.Expr) else None
    text = value.value if isinstance(value, ast.Constant) else None
    return " ".join(text.split()) if isinstance(text, str) else ""


def _hook_text(kind: str) -> str:
    hook: Callable[..., None] | types.FunctionType = getattr(hookspecs, KINDS[kind])
    return " ".join((hook.__doc__ or "").split())


def _paragraphs(text: str | None) -> str:
    """The paragraphs of a docstring before its sections, each on one line."""
    before = re.split(r"^(?:Args|Returns|Raises|Yields|Example):$", text or "", flags=re.MULTILINE)[0]
    return "\n\n".join(" ".join(part.split()) for part in before.strip().split("\n\n"))


def _table(heads: tuple[str, ...], rows: list[tuple[str, str]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(target: Any) -> None:
    """Write the page to the path that the command line gives."""
    with atomic_write(Path(target)) as written:
        written.write_text(reference_page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
