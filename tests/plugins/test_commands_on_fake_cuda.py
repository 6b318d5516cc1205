"""Which test runs each command's computation on a GPU that is not there; a new command or training must be added."""

from __future__ import annotations

import ast
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
    "train embedded-networks": ("test_embedded_networks_learn",),
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
