"""How far a method is with the picture that it works on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from toolkit.bench.subjects.commanded import CommandedHeads
from toolkit.bench.subjects.meshes import CommandedMeshes
from toolkit.bench.subjects.methods import ComparedMethod
from toolkit.interfaces import OnStep
from toolkit.interfaces.method import ReportsProgress
from toolkit.progress import PART, Progress, losses_as_text


@contextmanager
def heard_steps(methods: Sequence[ComparedMethod], progress: Progress | None) -> Iterator[None]:
    """Pass the steps of methods that report them on to a listener, as work of its own: `wplus: this picture`.

    Methods that work in other processes are not heard.
    """
    listening: list[ReportsProgress] = []
    for method in methods if progress is not None else ():
        inverter: object = method.inverter
        if isinstance(inverter, CommandedHeads | CommandedMeshes):
            inverter = inverter.method
        if isinstance(inverter, ReportsProgress):
            assert progress is not None  # else there is no method
            inverter.on_step = _told(progress, f"{method.name}{PART}this picture")
            listening.append(inverter)
    try:
        yield
    finally:
        for each in listening:
            each.on_step = None


def _told(progress: Progress, name: str) -> OnStep:
    return lambda step, total, losses: progress.step(name, step, total, losses_as_text(losses))
