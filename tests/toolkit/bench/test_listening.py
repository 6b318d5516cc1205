"""A comparison tells how far a method is with the picture that it works on."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import torch

from toolkit.bench import ComparedMethod
from toolkit.bench.execution.listening import heard_steps
from toolkit.bench.subjects.commanded import with_answers
from toolkit.camera import Camera
from toolkit.external.method import open_external
from toolkit.interfaces import Item, OnStep
from toolkit.testing.spherical import SphericalGenerator


class Listener:
    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int, str]] = []

    def note(self, text: str) -> None:
        raise AssertionError(text)

    def step(self, name: str, done: int, total: int, item: str = "", error: str | None = None) -> None:
        self.steps.append((name, done, total, item))


class Slow:
    on_step: OnStep | None = None

    def invert(self, image: object, camera: object, generator: object) -> object:
        assert self.on_step is not None
        self.on_step(1, 2, {"l2": 0.5})
        return None


def test_the_steps_of_methods_are_heard_while_it_runs_only() -> None:
    listener, slow = Listener(), Slow()
    compared = ComparedMethod("slow", slow)  # type: ignore[arg-type]  # it inverts nothing
    with heard_steps([compared], listener):
        slow.invert(None, None, None)
    assert listener.steps == [("slow: this picture", 1, 2, "l2 0.5")]
    assert slow.on_step is None
    with heard_steps([compared], None):
        assert slow.on_step is None


def test_the_progress_of_a_command_is_heard(tmp_path: Path, spherical: SphericalGenerator) -> None:
    script = """
        import json, shutil, sys, pathlib
        request, result = map(pathlib.Path, sys.argv[1:])
        print("progress 1/3", flush=True)
        shutil.copy(request / "picture.png", result / "0.png")
        (result / "result.json").write_text(json.dumps({"renders": ["0.png"]}))
    """
    (tmp_path / "run.py").write_text(textwrap.dedent(script))
    (tmp_path / "its.yaml").write_text(f"name: its\ncommand: [{sys.executable}, run.py]\nreturns: renders\n")
    external = open_external(tmp_path / "its.yaml")
    compared = with_answers(ComparedMethod("its", external), spherical, tmp_path / "out")
    listener, item = Listener(), Item("a.png", torch.zeros(3, 48, 48), Camera.orbit())
    with heard_steps([compared], listener):
        compared.inverter.head(item).input_view()  # type: ignore[union-attr]  # it answers with renders
    assert listener.steps == [("its: this picture", 1, 3, "")]
