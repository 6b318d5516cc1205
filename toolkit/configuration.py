"""Typed configurations from YAML files and `--set a.b=c`, and the ones that ship with the toolkit.

A configuration is a `Config` subclass. Reading is strict (no number from a string, no truth value as a number); only
`1e-4`, which YAML 1.1 takes for a string, is read as the number it looks like.
"""

from __future__ import annotations

import difflib
import importlib.resources
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeGuard, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from toolkit.errors import ConfigError
from toolkit.registry import default_registry, unknown_name

MAX_BYTES = 1 << 20
"""A configuration file beyond this size is refused unread."""

BASE = "base"
"""Key of the configuration that another one changes."""

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")
_Model = TypeVar("_Model", bound=BaseModel)


class Config(BaseModel):
    """Base of all configurations: unknown keys, NaN and infinity refused, immutable once made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)
    renamed: ClassVar[Mapping[str, str]] = {}
    """Keys that this configuration once had, and what to write now; for the message about an old file."""


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
    data = {} if path is None else _read(Path(path))
    origins: dict[tuple[str, ...], str] = {}
    for override in overrides:
        keys, value = _parse_override(override)
        _assign(data, keys, value, override)
        origins[keys] = f"--set {override}"
    if BASE in data and BASE not in model_type.model_fields:
        data = _on_base(data, source)
    complete = _with_nested_defaults(model_type, data)
    try:
        return model_type.model_validate_json(json.dumps(complete, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(_sentence(model_type, error.errors(include_url=False), source, origins)) from error


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


def dotted_keys(model_type: type[BaseModel]) -> list[str]:
    """Every key that a configuration knows, those of nested ones with dots as `--set` takes them, sorted."""
    keys = []
    for name, field in model_type.model_fields.items():
        inner: Any = field.annotation
        keys += [f"{name}.{key}" for key in dotted_keys(inner)] if _is_model(inner) else [name]
    return sorted(keys)


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


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases (they can grow without bound) and without repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key_node.value!r} is given twice", key_node.start_mark
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))


def _parse(text: str, source: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        raise ConfigError(f"{source} is not valid YAML: {error.problem}{place}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{source} is not valid YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise ConfigError(f"{source} is nested too deeply") from error


def _read(path: Path) -> dict[str, Any]:
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
    data = _parse(text, str(path))
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
    below = _read(config_path(name) if not Path(name).is_file() else Path(name))
    if BASE in below:
        raise ConfigError(f"{source}: its base {name!r} has a base itself; put the changes on top of that one")
    return _merged(below, above)


def _parse_override(override: str) -> tuple[tuple[str, ...], Any]:
    key, equals, text = override.partition("=")
    keys = tuple(part.strip() for part in key.split("."))
    if not equals or not all(keys):
        raise ConfigError(f"--set takes KEY=VALUE with dots between nested keys, got {override!r}")
    return keys, _parse(text, f"the value of --set {override}")


def _assign(data: dict[str, Any], keys: tuple[str, ...], value: Any, override: str) -> None:
    for position, key in enumerate(keys[:-1]):
        inner = data.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {override}: {'.'.join(keys[: position + 1])!r} holds {inner!r}, not nested keys")
        data = inner
    data[keys[-1]] = value


def _with_nested_defaults(model_type: type[BaseModel], data: Mapping[str, Any]) -> dict[str, Any]:
    """Complete mappings for nested configurations from the field's own default, not only from their class."""
    complete = dict(data)
    for name, field in model_type.model_fields.items():
        given, default = complete.get(name), field.get_default(call_default_factory=False)
        inner: Any = field.annotation
        if not isinstance(given, dict) or not _is_model(inner):
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


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _sentence(
    model_type: type[BaseModel], errors: list[ErrorDetails], source: str, origins: Mapping[tuple[str, ...], str]
) -> str:
    first = errors[0]
    location = tuple(str(part) for part in first["loc"])
    where = next((text for keys, text in origins.items() if location[: len(keys)] == keys), source)
    key = ".".join(location)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    if first["type"] == "extra_forbidden":
        now = _renamed_at(model_type, location[:-1]).get(location[-1])
        if now is not None:
            return f"{where}: the key {key!r} is now {'.'.join([*location[:-1], now])!r}{more}"
        valid = _keys_at(model_type, location[:-1])
        near = difflib.get_close_matches(location[-1], valid, n=1, cutoff=0.5)
        hint = f"did you mean {'.'.join([*location[:-1], near[0]])!r}?" if near else f"valid: {', '.join(valid)}"
        return f"{where}: unknown key {key!r}; {hint}{more}"
    if first["type"] == "missing":
        return f"{where}: the key {key!r} is missing{more}"
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not key:
        return f"{where}: {message}{more}"
    return f"{where}: {key!r}: {message}, got {first['input']!r}{more}"


def _renamed_at(annotation: Any, location: Sequence[str]) -> Mapping[str, str]:
    """What a (nested) configuration says about its old keys."""
    for part in location:
        field = annotation.model_fields.get(part) if _is_model(annotation) else None
        annotation = None if field is None else field.annotation
    return annotation.renamed if isinstance(annotation, type) and issubclass(annotation, Config) else {}


def _keys_at(annotation: Any, location: Sequence[str]) -> list[str]:
    """Keys that are allowed at a place of a configuration; all candidates where a union leaves it open."""
    if _is_model(annotation):
        fields = annotation.model_fields
        if not location:
            return sorted(fields)
        if location[0] in fields:
            return _keys_at(fields[location[0]].annotation, location[1:])
        return _keys_at(annotation, location[1:])  # pydantic put a union member's name or tag into the path
    arguments = [argument for argument in typing.get_args(annotation) if argument is not types.NoneType]
    inside = location if typing.get_origin(annotation) in (typing.Union, types.UnionType) else location[1:]
    return sorted({key for argument in arguments for key in _keys_at(argument, inside)})
