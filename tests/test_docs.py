"""What the pages say is so: links, commands, options, hooks, and the example plugin, which is installed and run."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from pydantic import BaseModel

from toolkit.camera import Camera
from toolkit.cli.main import app
from toolkit.registry import default_registry

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)")
_PROGRAM = re.compile(r"(?:[A-Z_]+=\S* +)*(?:\.venv/bin/)?toolkit (.*)")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return [body for found, body in _FENCE.findall(text) if found == language]


def rows(text: str, first: str) -> list[list[str]]:
    """Cells of all tables whose first heading is `first`, without code marks."""
    tables = re.findall(r"^\| " + re.escape(first) + r" \|.*\n\|[ -|]*\n((?:\|.*\n?)+)", text, re.MULTILINE)
    lines = [line for table in tables for line in table.strip().splitlines()]
    split = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines]
    return [[cell.replace("`", "").replace("\\|", "|").strip() for cell in line] for line in split]


def commands(text: str) -> Iterator[str]:
    """Every call of the program, from blocks without a language and from code in sentences."""
    lines = [line for body in blocks(text, "") for line in re.sub(r"\\\n\s*", "", body).splitlines()]
    lines += re.findall(r"`((?:\.venv/bin/)?toolkit [^`]+)`", _FENCE.sub("", text))
    for line in lines:
        called = _PROGRAM.fullmatch(line.split("#")[0].strip())
        if called:
            yield called[1]


CALLS = sorted({(path.name, call) for path in PAGES for call in commands(path.read_text(encoding="utf-8"))})


def test_the_pages_show_the_commands() -> None:
    shown = {call.split()[0] for _, call in CALLS}
    assert {"invert", "render", "train", "data", "plugins", "weights", "doctor"} <= shown


@pytest.mark.parametrize(("name", "call"), CALLS)
def test_a_command_on_a_page_exists_with_its_options(name: str, call: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(call)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        assert words[0] in command.commands, f"{name}: toolkit {call}"
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    used = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert used <= known | {"--help"}, f"{name}: toolkit {call}"


def test_the_files_that_the_architecture_names_exist() -> None:
    named = set(re.findall(r"`((?:toolkit|plugins|experiments)/[\w./-]+)`", page("architecture.md")))
    assert len(named) > 15
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert not missing


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(path: Path) -> None:
    links = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_python_on_a_page_compiles_and_imports_what_exists(path: Path) -> None:
    for body in blocks(path.read_text(encoding="utf-8"), "python"):
        compile(body, str(path), "exec")
        for module, names in re.findall(r"^from (toolkit(?:_plugins)?\b[\w.]*) import (.+)$", body, re.MULTILINE):
            for name in re.findall(r"\w+", names):
                found = importlib.import_module(module)
                assert hasattr(found, name) or importlib.import_module(f"{module}.{name}"), f"{module}.{name}"


# ---------------------------------------------------------------------------------------------------- methods


def settings_models() -> dict[str, type[BaseModel]]:
    settings = importlib.import_module("toolkit_plugins.optimisation.settings")
    return {"projector": settings.ProjectorSettings, "pivotal": settings.PivotalSettings}


def test_the_options_of_the_methods_and_their_defaults_are_the_models() -> None:
    told = {row[0]: row[1] for row in rows(page("methods.md"), "option")}
    actual = {
        name: "none" if field.default is None else str(field.default) or "by world"
        for name, field in settings_models()["pivotal"].model_fields.items()
    }
    assert told == actual


def test_options_named_in_commands_exist() -> None:
    known = set(settings_models()["pivotal"].model_fields) | {"tickets", "a.b", "stitcher", "metrics"}
    used = {key for _, call in CALLS for key in re.findall(r"--set ([\w.]+)=", call) if "train" not in call}
    assert used <= known


def test_the_presets_and_their_steps_are_the_methods() -> None:
    settings = importlib.import_module("toolkit_plugins.optimisation.settings")
    models = settings_models()
    expected = []
    for name, values in settings.PROJECTOR_PRESETS.items():
        expected.append(["wplus", name, str(models["projector"].model_validate(values).steps), "-"])
    for name, values in settings.PIVOTAL_PRESETS.items():
        made = models["pivotal"].model_validate(values)
        expected.append(["pti", name, str(made.steps), str(made.tuning_steps)])
    assert sorted(rows(page("methods.md"), "method")) == sorted(expected)


def test_the_methods_described_are_registered() -> None:
    described = re.findall(r"^## `([\w-]+)`", page("methods.md"), re.MULTILINE)
    assert described[:3] == ["wplus", "pti", "mean"]
    for name in described:
        default_registry().get("method", name)


# ---------------------------------------------------------------------------------------------------- data


def test_the_views_of_heads360_are_the_pages() -> None:
    yaws = importlib.import_module("toolkit_plugins.heads360.views").YAWS
    told = {}
    for names, values, *_ in rows(page("data.md"), "view"):
        if re.fullmatch(r"[-\d, ]+", values):
            told.update(zip(names.split(", "), map(int, values.split(", ")), strict=True))
    assert told == yaws


def test_the_mirror_rule_is_the_pages() -> None:
    (told,) = re.findall(r"label's entries ([\d, ]+) and (\d+), counted from 0", page("data.md"))
    label, roll = Camera.orbit(0.3, 0.2).label, torch.eye(4)
    roll[0, :2], roll[1, :2] = torch.tensor([0.8, 0.6]), torch.tensor([-0.6, 0.8])  # no entry is 0 or its own opposite
    label[:, :16] = (label[:, :16].reshape(4, 4) @ roll).reshape(1, 16)
    mirrored = Camera.from_label(label).mirror().label
    changed = tuple(number for number in range(25) if not torch.equal(label[:, number], mirrored[:, number]))
    assert torch.equal(mirrored[:, list(changed)], -label[:, list(changed)])
    assert tuple(int(number) for number in [*told[0].split(", "), told[1]]) == changed


def test_the_example_of_a_camera_runs() -> None:
    (example,) = blocks(page("data.md"), "python")
    exec(compile(example, "data.md", "exec"), {})


# ---------------------------------------------------------------------------------------------------- footguns


def test_the_metrics_named_as_guards_exist() -> None:
    text = page("footguns.md")
    for name in ("l2", "lpips_alex", "lpips_vgg", "fid", "kid", "id_curricularface", "id_arcface", "pose_error"):
        assert f"`{name}`" in text
        default_registry().get("metric", name)


def test_every_trap_has_a_guard() -> None:
    text = page("footguns.md")
    assert len(re.findall(r"^\*\*", text, re.MULTILINE)) == len(re.findall("^→ ", text, re.MULTILINE)) > 15
