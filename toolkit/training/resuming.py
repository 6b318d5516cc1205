"""What a resumed run takes from its folder, and which of its settings may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.configuration import BASE, config_path, read_mapping
from toolkit.documents import read_document
from toolkit.errors import TrainingError
from toolkit.options import parse_settings

RUN_FILE = "run.json"
FREE = (
    "cadence",
    "engine.workers",
    "engine.precision",
    "engine.arithmetic",
    "engine.compile",
    "engine.checkpoint_activations",
    "photos.sources",
    "photos.held_out",
    "photos.workers",
    "generator_weights",
    "recogniser",
    "start",
    "losses.trunk",
    "losses.embedder_weights",
)
"""Settings that may change between a checkpoint and its resumption: how steps are computed and saved, and where files
lie. What lies there must be the same; of the generator that is checked."""


def is_free(key: str) -> bool:
    """Whether a setting, with dots between nested keys, may change."""
    return any(key == free or key.startswith(f"{free}.") for free in FREE)


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dots between keys; an empty one stays a value."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def own_settings(folder: Path) -> dict[str, Any] | None:
    """The settings that a run began with; None where its folder does not tell.

    Raises:
        TrainingError: The file that tells is damaged.
    """
    path = folder / RUN_FILE
    if not path.is_file():
        return None
    try:
        config = read_document(path)["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is damaged, so --resume cannot tell the run's settings: {error}") from error
    if not isinstance(config, dict):
        raise TrainingError(f"{path} is damaged, so --resume cannot tell the run's settings")
    return config


def settings_to_resume(folder: Path, config: Path | None, overrides: Sequence[str]) -> dict[str, Any] | None:
    """The settings of a run with what is given now put over them, before anything is built.

    Args:
        folder: Of the run.
        config: A configuration given now.
        overrides: `a.b=c` given now; compared only, the caller applies them.

    Returns:
        A whole configuration; None where the folder does not tell.

    Raises:
        TrainingError: A setting is given that differs from the run's and may not change.
    """
    saved = own_settings(folder)
    if saved is None:
        return None
    given = {} if config is None else _with_base(read_mapping(config))
    refuse_changes(saved, flat(_over(given, parse_settings(overrides))), str(folder))
    return _over(saved, given)


def refuse_changes(saved: Mapping[str, Any], given: Mapping[str, Any], where: str) -> None:
    """Compare settings given now with a run's own.

    Raises:
        TrainingError: One differs that may not change; names it and both values.
    """
    own = flat(saved)
    for key, value in given.items():
        if key in own and not is_free(key) and _alike(own[key]) != _alike(value):
            raise TrainingError(
                f"cannot resume {where}: {key!r} was {own[key]!r} there and is {value!r} now; leave it out "
                "(without --config, a resumed run takes its own settings) or train into another folder"
            )


def _alike(value: Any) -> Any:
    """Numbers and lists as JSON has them: 1 is 1.0."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, list | tuple):
        return [_alike(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _alike(each) for key, each in value.items()}
    return str(value)


def _with_base(given: dict[str, Any]) -> dict[str, Any]:
    name = given.pop(BASE, None)
    if not isinstance(name, str):
        return given
    below = read_mapping(Path(name) if Path(name).is_file() else config_path(name))
    return _over(below, given)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
