"""Checkpoints: `step-XXXXXXXX.safetensors` with the tensors, then `.json`, which seals it; nothing is pickled.

The JSON holds the nesting, the plain numbers, and the size and sha256 of the tensors. A checkpoint whose parts do not
fit each other is damaged: `latest_checkpoint` says so, sets it aside as `*.damaged` and takes the one before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file

from toolkit.errors import TrainingError
from toolkit.files import atomic_write, file_sha256
from toolkit.tensors import read_tensors
from toolkit.training.packing import first_not_finite, pack, unpack
from toolkit.training.resumed_generator import refuse_another_generator
from toolkit.training.resuming import flat, is_free

FORMAT = "toolkit-training-checkpoint"
VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """A training's whole state after `step` steps."""

    step: int
    identity: Mapping[str, Any]
    """What must agree for a resumption: the job's name, seed and configuration, as JSON values."""
    state: Mapping[str, Any]
    path: Path


def save_checkpoint(
    folder: Path,
    step: int,
    identity: Mapping[str, Any],
    state: Mapping[str, Any],
    keep: int,
    spared: int | None = None,
) -> Path:
    """Write a checkpoint, then remove all but the last `keep` and the spared one.

    Args:
        folder: Where checkpoints lie.
        step: Steps done.
        identity: JSON values, compared by `check_identity`.
        state: Nested state as `pack` takes it, its networks under "modules".
        keep: How many checkpoints stay, at least 1.
        spared: Step of a checkpoint that stays whatever its age (the best).

    Returns:
        The JSON file.

    Raises:
        TrainingError: A weight is NaN or infinite; nothing was written.
        OutputError: The disk is full or read-only.
    """
    description, tensors = pack(state)
    weights = {key: tensor for key, tensor in tensors.items() if key.startswith("/modules/")}
    spoilt = first_not_finite(weights)
    if spoilt is not None:
        raise TrainingError(f"the weight {spoilt.removeprefix('/modules/')!r} is not finite after step {step}")
    seal = folder / f"step-{step:08d}.json"
    seal.unlink(missing_ok=True)
    with atomic_write(seal.with_suffix(".safetensors")) as temporary:
        save_file(tensors, temporary, metadata={"format": FORMAT})
        facts = {"size": temporary.stat().st_size, "sha256": file_sha256(temporary)}
    content = {"format": FORMAT, "version": VERSION, "step": step, "identity": identity, "tensors": facts}
    with atomic_write(seal) as temporary:
        temporary.write_text(json.dumps(content | {"state": description}), encoding="utf-8")
    _prune(folder, keep, spared)
    return seal


def latest_checkpoint(folder: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """Read the newest checkpoint that is whole, set damaged newer ones aside, and clear away half-written files.

    Args:
        folder: Where checkpoints lie; need not exist.
        say: Told about each damaged checkpoint.

    Returns:
        The checkpoint, or None where none was ever finished.

    Raises:
        TrainingError: There are checkpoints and all are damaged, or one was written by another version.
    """
    for leftover in folder.glob(".step-*"):
        leftover.unlink(missing_ok=True)
    seals = sorted(folder.glob("step-*.json"), reverse=True)
    for seal in seals:
        try:
            return _read(seal)
        except (FileNotFoundError, ValueError, KeyError, TypeError, SafetensorError, RecursionError) as error:
            say(f"checkpoint {seal.stem} is damaged ({error}); trying the one before it")
            for part in (seal, seal.with_suffix(".safetensors")):
                if part.exists():
                    part.replace(part.with_name(part.name + ".damaged"))
        except OSError as error:
            raise TrainingError(f"cannot read the checkpoint {seal}: {error.strerror}") from error
    if seals or any(folder.glob("*.json.damaged")):
        raise TrainingError(f"every checkpoint in {folder} is damaged; train again into another folder")
    return None


def check_identity(checkpoint: Checkpoint, identity: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of another job or of other settings.

    Raises:
        TrainingError: Names the first key that differs and both values.
    """
    was_for, is_for = checkpoint.identity.get("trained_for") or {}, identity.get("trained_for") or {}
    refuse_another_generator(str(checkpoint.path), was_for, is_for)
    old, new = (flat({key: value for key, value in each.items() if key != "trained_for"}) for each in
                (checkpoint.identity, json.loads(json.dumps(identity))))  # fmt: skip
    for key in sorted(old.keys() | new.keys(), key=lambda key: (key.startswith("config."), key)):
        was, now = repr(old[key]) if key in old else "absent", repr(new[key]) if key in new else "absent"
        name = key.removeprefix("config.")
        if was != now and not is_free(name):
            raise TrainingError(
                f"cannot resume from {checkpoint.path}: {name!r} was {was} there and is {now} now; set it back "
                "or train into another folder"
            )


def _read(seal: Path) -> Checkpoint:
    content = json.loads(seal.read_text(encoding="utf-8"))
    if content["format"] != FORMAT:
        raise ValueError(f"its format is {content['format']!r}")
    if content["version"] != VERSION:
        raise TrainingError(
            f"{seal} was written as version {content['version']} of its format; this toolkit reads version {VERSION}"
        )
    path = seal.with_suffix(".safetensors")
    if path.stat().st_size != content["tensors"]["size"] or file_sha256(path) != content["tensors"]["sha256"]:
        raise ValueError(f"{path.name} is not the file that was written")
    state = unpack(content["state"], read_tensors(path)[0])
    return Checkpoint(int(content["step"]), content["identity"], state, seal)


def _prune(folder: Path, keep: int, spared: int | None) -> None:
    seals = sorted(folder.glob("step-*.json"))
    kept = {seal.stem for seal in seals[-keep:]} | ({f"step-{spared:08d}"} if spared is not None else set())
    for seal in seals:
        if seal.stem not in kept:
            seal.unlink()
    for tensors in folder.glob("step-*.safetensors"):
        if tensors.stem not in kept:
            tensors.unlink()
