"""Every command's help ends with examples that the command understands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from toolkit.cli.examples import EXAMPLES, GROUP_EXAMPLES
from toolkit.cli.main import app


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command by what one types, and the groups that do something themselves."""
    for name, command in group.commands.items():
        path = (*words, name)
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield " ".join(path), command
        if hasattr(command, "commands"):
            yield from commands(command, path)


PROGRAM: Any = typer.main.get_command(app)
COMMANDS = dict(commands(PROGRAM))
GROUPS = {"": PROGRAM, **{name: each for name, each in PROGRAM.commands.items() if hasattr(each, "commands")}}


def test_there_are_examples_of_every_command_and_of_no_other() -> None:
    assert set(EXAMPLES) == set(COMMANDS)
    assert set(GROUP_EXAMPLES) == set(GROUPS) - set(COMMANDS)


@pytest.mark.parametrize("name", GROUP_EXAMPLES)
def test_the_help_of_a_group_shows_two_examples_of_its_commands(name: str) -> None:
    known = {example for command, lines in EXAMPLES.items() if command.startswith(name) for example in lines}
    assert len(GROUP_EXAMPLES[name]) >= 2 and set(GROUP_EXAMPLES[name]) <= known
    with GROUPS[name].make_context("toolkit", ["--help"], resilient_parsing=True) as context:
        shown = [line.strip() for line in GROUPS[name].get_help(context).splitlines()]
    assert set(GROUP_EXAMPLES[name]) <= set(shown)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_two_examples_that_the_command_takes(name: str) -> None:
    command = COMMANDS[name]
    with command.make_context(name, ["--help"], resilient_parsing=True) as context:
        shown = [line.strip() for line in command.get_help(context).splitlines()]
    for example in EXAMPLES[name]:
        assert example in shown
        words = [word for word in shlex.split(example) if not word.startswith("TOOLKIT_")]
        assert words[: 1 + len(name.split())] == ["toolkit", *name.split()]
        # every option exists, has its value, and nothing is left that the command cannot take
        command.make_context(name, words[1 + len(name.split()) :]).close()
    assert len(EXAMPLES[name]) >= 2
