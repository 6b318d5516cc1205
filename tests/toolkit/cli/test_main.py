from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer

from toolkit import registry as registry_module
from toolkit.cli import main as main_module
from toolkit.cli.main import app
from toolkit.errors import InputError
from toolkit.inversion import Inversion

LIMIT = 1.5
"""Seconds of processor time that any help may take."""


def names(command: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command and group of the program, as words."""
    inner = getattr(command, "commands", {})
    return [before, *(words for name in inner for words in names(inner[name], (*before, name)))]


COMMANDS = names(typer.main.get_command(app))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_a_help(program, words: tuple[str, ...]) -> None:
    ended = program(*words, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert "Usage: toolkit" in ended.out


def test_help_is_quick_and_imports_no_torch() -> None:
    script = (
        "import sys\nfrom toolkit.cli.main import app\n"
        f"for words in {COMMANDS!r}:\n"
        "    try:\n        app([*words, '--help'])\n    except SystemExit as end:\n        assert not end.code\n"
        "heavy = {'torch', 'numpy', 'PIL', 'yaml'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < LIMIT + 0.05 * len(COMMANDS)


def test_without_arguments_the_help_is_shown_and_it_is_wrong_usage(program) -> None:
    ended = program()
    assert ended.code == 2
    assert "Commands" in ended.out + ended.err


def test_the_version_is_printed(program) -> None:
    assert program("--version").out.startswith("toolkit 0.")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["invrt"], "invert"),
        (["plugins", "lst"], "list"),
        (["--debg"], "--debug"),
        (["invert", "a.png", "--steps", "3"], "--steps"),
        (["invert"], "images"),
        (["data", "make", "heads360"], "out"),
        (["train", "panohead-mini", "--max-steps", "0"], "--max-steps"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_names_what_is_wrong(program, words: list[str], hint: str) -> None:
    ended = program(*words)
    assert (ended.code, ended.out) == (2, "")
    assert hint in ended.err and "Traceback" not in ended.err


def test_an_error_of_the_user_is_one_line_and_debug_shows_where(program, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = program("train", "panohead-mni")
    assert ended.code == 2
    assert ended.err.startswith("error: unknown trainable 'panohead-mni'; did you mean 'panohead-mini'? available: ")
    assert ended.err.count("\n") == 1
    with pytest.raises(registry_module.PluginError):
        program("--debug", "train", "panohead-mni")
    monkeypatch.setattr(main_module, "_debug", False)


def test_a_bug_keeps_its_traceback(program, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(registry_module, "default_registry", broken)
    with pytest.raises(KeyError):
        program("plugins", "list")


@pytest.mark.parametrize(("raised", "code"), [(KeyboardInterrupt, 130), (main_module._Terminated, 143)])
def test_an_interruption_is_one_sentence(
    program, monkeypatch: pytest.MonkeyPatch, raised: type[BaseException], code: int
) -> None:
    def interrupted() -> None:
        raise raised

    monkeypatch.setattr(registry_module, "default_registry", interrupted)
    ended = program("plugins", "list")
    assert (ended.code, ended.err) == (code, "interrupted; everything finished so far is kept\n")


def test_a_failure_to_write_ends_with_1(program, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.errors import OutputError

    def full() -> None:
        raise OutputError("cannot write x: No space left on device")

    monkeypatch.setattr(registry_module, "default_registry", full)
    assert program("plugins", "list")[::2] == (1, "error: cannot write x: No space left on device\n")


def test_training_on_a_device_that_is_not_there_is_refused_before_anything_is_made(program, tmp_path: Path) -> None:
    ended = program("train", "panohead-mini", "--device", "warp", "--out", tmp_path / "run")
    assert ended.code == 2 and "device 'warp'" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("text", ["wplus", "mean.samples", "samples=3", ".=3"])
def test_a_bad_option_of_the_bench_is_named_as_what_it_is(program, tmp_path: Path, text: str) -> None:
    ended = program("bench", "--methods", "mean", "--option", text, "--out", tmp_path / "bench")
    assert ended.code == 2 and ended.err.startswith("error: --option takes ") and ended.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


SLOW = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell starts its children deaf to it
import toolkit.apps.invert as inverting
from toolkit.registry import Registration, default_registry
default_registry().registrations["generator", "panohead-mini"] = Registration(
    "generator", "panohead-mini", "toolkit.testing.spherical:build_spherical", "", 1, "testing")
real = inverting.write_products
def slow(folder, *rest):
    if "second" not in str(folder):
        return real(folder, *rest)
    (folder / "views.png").write_text("half")
    Path("writing").touch()
    time.sleep(60)
inverting.write_products = slow
from toolkit.cli.main import main
main()
"""


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_keeps_what_is_finished_and_leaves_nothing_half_written(
    photo: Path, tmp_path: Path, number: signal.Signals
) -> None:
    second = tmp_path / "second.png"
    second.write_bytes(photo.read_bytes())
    label = json.loads((tmp_path / "camera.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": [[photo.name, label], [second.name, label]]}))
    words = ["invert", photo.name, second.name, "--method", "mean", "--set", "samples=4", "--out", "out",
             "--no-video", "--no-mesh", "--no-viewer"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    deadline = time.monotonic() + 90
    while not (tmp_path / "writing").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert err.endswith("interrupted; everything finished so far is kept\n") and "Traceback" not in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo"]
    Inversion.load(tmp_path / "out" / "photo")
    with pytest.raises(InputError):
        Inversion.load(tmp_path / "out" / "second")
