"""Writes a package from the templates beside this file, with `{name}` and other placeholders filled in."""

from __future__ import annotations

import keyword
import re
import sys
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

from toolkit.errors import InputError
from toolkit.files import atomic_folder, is_empty
from toolkit.registry import default_registry, unknown_name

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


class Kind(NamedTuple):
    """One kind of package."""

    module: str
    """The file in which the work is done."""
    usage: str
    """How the result is used; shown in its README."""
    training: bool = False


KINDS: dict[str, Kind] = {
    "generator": Kind("generator", "toolkit invert me.jpg --generator {name} --method wplus"),
    "encoder": Kind(
        "encoder",
        "toolkit train {name} --out runs/{name}\n"
        "toolkit invert me.jpg --method {name} --method-weights runs/{name}/weights.safetensors",
        training=True,
    ),
    "discriminator": Kind(
        "discriminator", "toolkit train dual-encoder --set adversary.discriminator={name} --out runs/dual"
    ),
    "stitcher": Kind("stitcher", "toolkit invert me.jpg --method dual-encoder --set stitcher={name}"),
    "method": Kind("method", "toolkit invert me.jpg --method {name}\ntoolkit bench --methods {name},psp --limit 4"),
    "metric": Kind("metric", "toolkit bench --methods psp --set metrics=[{name}] --limit 4"),
    "dataset": Kind("dataset", "toolkit data check {name}:FOLDER\ntoolkit bench --methods psp --data {name}:FOLDER"),
}
"""What `toolkit plugins new --kind` takes."""


def write_plugin(name: str, kind: str, parent: Path) -> Path:
    """Write a package into a new folder below `parent`, named like the plugin.

    Args:
        name: What users will type: lower case letters, digits, - and _ between them.
        kind: A key of `KINDS`.
        parent: An existing folder, or one to make.

    Returns:
        The package's folder.

    Raises:
        InputError: The name will not do, the kind is unknown, or the folder exists and is not empty.
        OutputError: The folder cannot be written.
    """
    if kind not in KINDS:
        raise InputError(unknown_name("kind", kind, KINDS))
    package = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(package):
        rule = "lower case letters, digits and single - or _ between them, and begins with a letter"
        raise InputError(f"a plugin's name is {rule}, got {name!r}")
    if package in sys.stdlib_module_names or package in ("toolkit", "toolkit_plugins", "torch", "numpy", "tests"):
        raise InputError(f"the name {name!r} is taken by a package that the toolkit uses; choose another")
    for entry in default_registry().registrations.values():
        if name in (entry.name, entry.plugin) and not entry.is_strangers:
            raise InputError(f"the name {name!r} is taken by the {entry.whose}; choose another")
    folder = parent / name
    if not is_empty(folder):
        raise InputError(f"{folder} exists already; choose another name or folder")
    words = {
        "name": name,
        "kind": kind,
        "package": package,
        "module": KINDS[kind].module,
        "Class": "".join(part.capitalize() for part in package.split("_")),
    }
    words["usage"] = _filled(KINDS[kind].usage, words)
    with atomic_folder(folder) as unfinished:
        for place, text in _files(KINDS[kind], kind, package, name).items():
            target = unfinished / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_filled(text, words), encoding="utf-8")
    return folder


def _files(kind: Kind, folder: str, package: str, name: str) -> dict[str, str]:
    """Relative places and templates of all files."""
    templates = resources.files(__package__) / "templates"
    common, own = templates / "common", templates / folder
    places = {
        "pyproject.toml": common / "pyproject.toml.txt",
        "README.md": common / "README.md.txt",
        f"{package}/card.yaml": common / "card.yaml.txt",
        f"{package}/__init__.py": own / "__init__.py.txt",
        f"{package}/{kind.module}.py": own / f"{kind.module}.py.txt",
        f"tests/test_{package}.py": own / "test.py.txt",
    }
    if kind.training:
        places[f"{package}/training.py"] = own / "training.py.txt"
        places[f"{package}/configs/training/{name}.yaml"] = own / "config.yaml.txt"
        places[f"{package}/configs/training/{name}-check.yaml"] = own / "check.yaml.txt"
    return {place: _text(source) for place, source in places.items()}


def _text(template: Traversable) -> str:
    return template.read_text(encoding="utf-8")


def _filled(text: str, words: dict[str, str]) -> str:
    return text.format_map(words)
