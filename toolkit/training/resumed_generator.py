"""A resumed run's generator, compared as soon as one is loaded: before minutes of statistics and data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from toolkit.documents import read_document
from toolkit.errors import TrainingError
from toolkit.training.resuming import RUN_FILE

_EXPECTED: ContextVar[tuple[str, Mapping[str, Any]] | None] = ContextVar("expected generator", default=None)


@contextlib.contextmanager
def expecting_generator_of(folder: Path | None) -> Iterator[None]:
    """Within this context `check_generator` refuses any generator but the one that a run was trained for.

    Args:
        folder: Of the run that is resumed; None, one without a checkpoint, or one that does not tell: every
            generator is taken.
    """
    token = _EXPECTED.set(None if folder is None else _generator_of(folder))
    try:
        yield
    finally:
        _EXPECTED.reset(token)


def check_generator(name: str, fingerprint: str) -> None:
    """Refuse a generator that a resumed run was not trained for.

    Args:
        name: The generator's name.
        fingerprint: Of its weights.

    Raises:
        TrainingError: It is another one; names both.
    """
    expected = _EXPECTED.get()
    if expected is not None:
        refuse_another_generator(expected[0], expected[1], {"name": name, "fingerprint": fingerprint})


def refuse_another_generator(where: str, was_for: Mapping[str, Any], is_for: Mapping[str, Any]) -> None:
    """Compare the generator that something was trained for with the one that is there.

    Args:
        where: What is resumed, for the sentence.
        was_for: "name" and "fingerprint" of the generator then; may be empty.
        is_for: The same of the one now; may be empty.

    Raises:
        TrainingError: Both are known and differ.
    """
    if was_for and is_for and dict(was_for) != dict(is_for):
        raise TrainingError(
            f"cannot resume from {where}: it was trained for generator {_named(was_for)}, this one is {_named(is_for)}"
        )


def _generator_of(folder: Path) -> tuple[str, Mapping[str, Any]] | None:
    """What run.json says; None where nothing was learnt yet, or it is missing or unreadable, which others say."""
    path = folder / RUN_FILE
    if not any((folder / "checkpoints").glob("step-*.json")):
        return None
    try:
        told = read_document(path)["trained_for"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (str(folder), told) if isinstance(told, Mapping) else None


def _named(generator: Mapping[str, Any]) -> str:
    return f"{generator.get('name')!r} with the fingerprint {str(generator.get('fingerprint'))[:12]}"
