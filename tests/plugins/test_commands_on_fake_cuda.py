"""Which test runs each command's computation on a GPU that is not there; a new command or training must be added."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path
from typing import Any

import typer.main

from toolkit.cli.main import app
from toolkit.registry import default_registry

HERE = Path(__file__).parent
COVERED: dict[str, tuple[str, ...]] = {
    "demo": ("test_methods_invert", "test_products_are_written", "test_protocols"),  # invert, then bench
    "invert": ("test_methods_invert", "test_products_are_written", "test_masks"),
    "render": ("test_heads_are_rendered_by_any_camera", "test_products_are_written"),
    "mesh": ("test_a_mesh_is_written",),
    "bench": ("test_protocols", "test_in_batches_pictures_are_scored_where_they_are"),
    "plugins check": ("test_methods_invert", "test_masks", "test_every_training_step_runs"),
    "train psp": ("test_every_training_step_runs",),
    "train e4e": ("test_every_training_step_runs",),
    "train triplanenet": ("test_every_training_step_runs",),
    "train goae": ("test_every_training_step_runs",),
    "train dual-encoder": ("test_every_training_step_runs",),
    "train encoder1": ("test_every_training_step_runs",),
    "train encoder2": ("test_every_training_step_runs",),
    "train panohead-mini": ("test_the_generator_of_heads_learns",),
    "train identity-lite": ("test_the_recogniser_of_losses_learns", "test_the_recogniser_of_losses_passes_gradients"),
}
"""By command that has --device (and by training): beginnings of names of tests here."""


def commands(command: Any, path: tuple[str, ...] = ()) -> set[str]:
    """Names of the commands that have an option --device."""
    found = {" ".join(path)} if any("--device" in each.opts for each in command.params) else set()
    for name, below in getattr(command, "commands", {}).items():
        found |= commands(below, (*path, name))
    return found


def test_every_command_and_training_is_run_on_a_gpu_that_is_not_there() -> None:
    trainings = {f"train {entry.name}" for entry in default_registry().of_kind("trainable")}
    assert set(COVERED) == (commands(typer.main.get_command(app)) - {"train"}) | trainings
    texts = [path.read_text() for path in HERE.glob("**/test_*.py") if path != Path(__file__)]
    trees = [ast.parse(text) for text in texts if "fake_cuda()" in text]
    tests = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for command, names in COVERED.items():
        for name in names:
            assert any(test.startswith(name) for test in tests), f"{command}: {name}"


def test_without_a_word_every_command_takes_the_gpu_that_is_there() -> None:
    def chosen(command: Any) -> list[Any]:
        own = [each.default for each in command.params if "--device" in each.opts]
        return own + [one for below in getattr(command, "commands", {}).values() for one in chosen(below)]

    found = chosen(typer.main.get_command(app))
    assert len(found) == len(commands(typer.main.get_command(app))) and set(found) == {"auto"}


def test_the_script_for_a_real_gpu_calls_every_command_and_training_with_options_that_exist(tmp_path: Path) -> None:
    script, calls = HERE.parents[1] / "benchmarks" / "on_a_gpu.sh", tmp_path / "calls"
    (tmp_path / "toolkit").write_text(f"#!/bin/sh\necho \"$@\" >> '{calls}'\n")
    (tmp_path / "toolkit").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", str(script), str(tmp_path / "out")], env=environment, check=True, capture_output=True)
    called = [line.split() for line in calls.read_text().splitlines()]
    program: Any = typer.main.get_command(app)
    for name, *words in called:
        command = program.commands[name]
        command = getattr(command, "commands", {}).get(words[0], command) if words else command
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, words
    begun = {words[0] for words in called} | {" ".join(words[:2]) for words in called}
    # the demo is invert and bench; a check of a plugin is for its author; the recogniser's data are people
    assert set(COVERED) - begun == {"demo", "plugins check", "train identity-lite"}
