"""A package that `plugins new` writes works at once: it registers, conforms, and passes its own test."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.apps.new_plugin import KINDS, write_plugin
from toolkit.errors import InputError
from toolkit.registry import Registry, default_registry
from toolkit.testing.verdict import Given, check_registered


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("fresh_"):
            del sys.modules[name]


def registered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The default registry and the package's registrations."""
    monkeypatch.syspath_prepend(str(folder))
    registry = Registry(dict(default_registry().registrations), [], [])
    package = folder.name.replace("-", "_")
    registry.add_plugin(folder.name, importlib.import_module(package))
    assert registry.broken == []
    return registry


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_registers_and_conforms(kind: str, importable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_plugin(f"fresh-{kind}", kind, importable)
    registry = registered(folder, monkeypatch)
    own = [entry for entry in registry.registrations.values() if entry.plugin == folder.name]
    assert own, "the package registers nothing"
    for entry in own:
        lines = check_registered(entry, registry, Given(generators=()))
        assert not [line for line in lines if line.verdict == "failed"], lines
        assert any(line.verdict == "passed" for line in lines)


@pytest.mark.parametrize(
    "kind", [*(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind != "method"), "method"]
)
def test_the_package_passes_its_own_test(kind: str, importable: Path) -> None:
    folder = write_plugin(f"fresh-{kind}", kind, importable)
    paths = os.pathsep.join([str(folder), *sys.path])
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "tests")],
        cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_is_written_as_we_write(kind: str, tmp_path: Path) -> None:
    folder = write_plugin(f"fresh-{kind}", kind, tmp_path)
    files = sorted(folder.rglob("*.py"))
    assert not any("{" + word + "}" in file.read_text() for file in files for word in ("name", "package", "Class"))
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "120", "--select", "E,F,I,UP,B"]
    place = ["--config", f'src=["{folder}"]']
    result = subprocess.run([*command, *place, *map(str, files)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    init = next(file for file in files if file.name == "__init__.py")
    assert "import torch" not in init.read_text()


def test_a_trainable_encoder_needs_little_code(tmp_path: Path) -> None:
    folder = write_plugin("fresh-encoder", "encoder", tmp_path)
    text = (folder / "fresh_encoder" / "training.py").read_text()
    code = [line for line in text.splitlines() if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(code) < 60


def test_the_encoders_training_conforms_and_its_file_inverts(
    importable: Path, monkeypatch: pytest.MonkeyPatch, photo_folder: Path
) -> None:
    folder = write_plugin("fresh-encoder", "encoder", importable)
    registry = registered(folder, monkeypatch)
    default_registry().folders.setdefault("fresh-encoder", folder / "fresh_encoder")
    monkeypatch.setenv("TOOLKIT_CACHE", str(importable / "cache"))
    settings = (
        f"photos.sources=['{photo_folder}']", "photos.held_out_subjects=1", "pairs.count=8", "samples=16", "width=4",
        "codes.steps=2", "codes.batch=2", "codes.photos=0", "codes.codes=1", "codes.reconstruct_pairs=false",
        "images.steps=2", "images.batch=2", "images.images={perceptual: 0}", "images.resolution=16",
    )  # fmt: skip
    entry = registry.get("trainable", "fresh-encoder")
    lines = check_registered(entry, registry, Given(overrides=settings))
    default_registry().folders.pop("fresh-encoder")
    assert [line.verdict for line in lines] == ["passed", "passed"], lines


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("My-Plugin", "lower case"), ("1st", "lower case"), ("a/b", "lower case"), ("..", "lower case"),
        ("psp", "is taken by the encoder 'psp' of plugin 'psp'"), ("class", "lower case"), ("json", "is taken"),
        ("torch", "is taken"), ("", "lower case"), ("-x", "lower case"),
    ],
)  # fmt: skip
def test_names_that_will_not_do_are_refused(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        write_plugin(name, "method", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_an_unknown_kind_is_answered_with_the_nearest(tmp_path: Path) -> None:
    write_plugin("mine", "method", tmp_path)
    with pytest.raises(InputError, match="exists already"):
        write_plugin("mine", "stitcher", tmp_path)
    with pytest.raises(InputError, match="did you mean 'stitcher'"):
        write_plugin("other", "sticher", tmp_path)
