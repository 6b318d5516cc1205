"""Typed configurations from YAML files and `--set a.b=c`, and the ones that ship with the toolkit and its plugins.

A configuration is a `Config` subclass; `toolkit.options` says how values are read and what is said of a wrong one.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from toolkit.errors import ConfigError
from toolkit.options import Config, apply_settings, is_model, parse_yaml, validated
from toolkit.registry import default_registry, unknown_name

__all__ = ["BASE", "Config", "config_names", "config_path", "load_config", "read_mapping", "settings_for_others"]

MAX_BYTES = 1 << 20
"""A configuration file beyond this size is refused unread."""

BASE = "base"
"""Key of the configuration that another one changes."""

_Model = TypeVar("_Model", bound=BaseModel)


def load_config(model_type: type[_Model], path: str | Path | None = None, overrides: Sequence[str] = ()) -> _Model:
    """Read a configuration, apply overrides, validate.

    A mapping given for a nested configuration changes only the keys that it names. The key `base` names another
    configuration (one that ships, or a file) that these keys are put on top of, likewise.

    Args:
        model_type: The pydantic model (usually a `Config`) that says which keys and values are allowed.
        path: A YAML file; None takes the model's defaults.
        overrides: `a.b=c` each, applied in order; the value is read as YAML.

    Raises:
        ConfigError: The file cannot be read, or a key is unknown, missing or has an impossible value. The message names
            the file (or the override), the key, and for an unknown key the nearest valid one.
    """
    source = "defaults" if path is None else str(path)
    data = {} if path is None else read_mapping(Path(path))
    origins = apply_settings(data, overrides)
    if BASE in data and BASE not in model_type.model_fields:
        data = _on_base(data, source)
    complete = _with_nested_defaults(model_type, data)
    return validated(model_type, complete, source, origins=origins)


def config_path(name: str) -> Path:
    """Find a configuration that ships with the toolkit or with a plugin, in a checkout as in an installed wheel.

    Args:
        name: Its path below a `configs` folder, with or without `.yaml`, for example `training/dual-encoder`.

    Raises:
        ConfigError: No such configuration; the message suggests near names and lists all.
    """
    shipped = _shipped_configs()
    wanted = name.removesuffix(".yaml")
    if wanted not in shipped:
        raise ConfigError(unknown_name("configuration", name, shipped))
    return shipped[wanted]


def config_names() -> list[str]:
    """Names of all shipped configurations, sorted, as `config_path` takes them."""
    return sorted(_shipped_configs())


def _shipped_configs() -> dict[str, Path]:
    """Configurations by name; the toolkit's own come first, so no plugin can put another in their place."""
    found: dict[str, Path] = {}
    for folder in (_configs_folder(), *(place / "configs" for place in default_registry().folders.values())):
        for path in folder.rglob("*.yaml"):
            found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    return found


def _configs_folder() -> Path:
    try:
        return Path(str(importlib.resources.files("toolkit_configs")))
    except ModuleNotFoundError:  # a checkout on sys.path that was never installed
        return Path(__file__).resolve().parent.parent / "configs"


def settings_for_others(settings: BaseModel, exclude: Any = None) -> str:
    """Settings as JSON for a file that is given away: it does not tell where things lay on the machine that made it.

    Args:
        settings: Any.
        exclude: What is left out, as pydantic's `model_dump` takes it.

    Returns:
        JSON; of absolute paths the last folder and the name are left.
    """
    return json.dumps(_without_folders(settings.model_dump(mode="json", exclude=exclude)), separators=(",", ":"))


def _without_folders(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_folders(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_folders(value) for value in node]
    if isinstance(node, str) and (Path(node).is_absolute() or node.startswith("~")):
        return "/".join(part for part in Path(node).parts[-2:] if part not in ("/", "~"))
    return node


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping; an empty one is an empty mapping.

    Raises:
        ConfigError: It cannot be read, is too large, no YAML, or holds something else.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration {path} is not UTF-8 text") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"the configuration {path} is larger than {MAX_BYTES} bytes")
    data = parse_yaml(text, str(path))
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold a mapping of keys to values, got a {type(data).__name__}")
    return data


def _on_base(data: Mapping[str, Any], source: str) -> dict[str, Any]:
    above = dict(data)
    name = above.pop(BASE)
    if not isinstance(name, str):
        raise ConfigError(f"{source}: {BASE!r} must name a configuration, got {name!r}")
    below = read_mapping(config_path(name) if not Path(name).is_file() else Path(name))
    if BASE in below:
        raise ConfigError(f"{source}: its base {name!r} has a base itself; put the changes on top of that one")
    return _merged(below, above)


def _with_nested_defaults(model_type: type[BaseModel], data: Mapping[str, Any]) -> dict[str, Any]:
    """Complete mappings for nested configurations from the field's own default, not only from their class."""
    complete = dict(data)
    for name, field in model_type.model_fields.items():
        given, default = complete.get(name), field.get_default(call_default_factory=False)
        inner: Any = field.annotation
        if not isinstance(given, dict) or not is_model(inner):
            continue
        complete[name] = _with_nested_defaults(inner, given)
        if type(default) is inner:
            complete[name] = _merged(default.model_dump(mode="json"), complete[name])
    return complete


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
