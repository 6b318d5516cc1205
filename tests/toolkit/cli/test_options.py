"""Every command that computes takes --threads, and --device where networks run on a device of choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from toolkit.cli.main import app
from toolkit.cli.options import use_threads
from toolkit.errors import InputError

ON_A_DEVICE = ("demo", "invert", "render", "mesh", "train", "bench", "plugins check")
ON_THE_CPU = ("data make", "data prepare", "data check", "bench check-results")
"""Photos and pictures are looked at on the CPU."""


def command_of(name: str) -> Any:
    command: Any = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    return command


def options_of(name: str) -> set[str]:
    return {option for parameter in command_of(name).params for option in parameter.opts}


@pytest.mark.parametrize("name", ON_A_DEVICE)
def test_a_command_that_runs_networks_takes_threads_and_a_device(name: str) -> None:
    assert {"--threads", "--device"} <= options_of(name)


@pytest.mark.parametrize("name", ON_THE_CPU)
def test_a_command_that_works_on_the_cpu_takes_threads(name: str) -> None:
    assert "--threads" in options_of(name)


@pytest.mark.parametrize("name", [*ON_A_DEVICE, *ON_THE_CPU])
def test_so_many_threads_or_processes_that_the_program_would_crash_are_refused(name: str) -> None:
    asked = {"--threads", "--workers"} & options_of(name)
    assert asked
    for option in asked:
        for number in (1025, 10**6, 10**30):
            with pytest.raises(Exception, match="less than or equal to 1024"):
                command_of(name).make_context(name, [option, str(number)])


def test_threads_are_those_that_were_asked_for() -> None:
    before = torch.get_num_threads()
    try:
        use_threads(before + 1)
        use_threads(None)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "words",
    [
        ["demo", "--out", "heads"],
        ["plugins", "check", "hard"],
        ["invert", "me.png"],
        ["train", "psp", "--dry-run"],
        ["bench", "--methods", "mean"],
    ],
    ids=lambda words: words[0],
)
def test_a_device_that_is_not_there_is_one_sentence(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="device 'gpu7' cannot be used here"):
        app([*words, "--device", "gpu7"], standalone_mode=False)
    assert list(tmp_path.iterdir()) == []
