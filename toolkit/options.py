"""Options that users set: one parser of `a.b=c`, and one form of sentence for a wrong option or key.

A name that has dots itself stands in quotes: `losses."edges.v2"=0.5`.

Values are read as YAML; `1e-4`, which YAML 1.1 takes for a string, is read as the number it looks like. Reading is
strict: no number from a string, no truth value as a number.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeGuard, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from toolkit.errors import ConfigError
from toolkit.registry import unknown_name

_KEYS = re.compile(r'\s*(?:"([^"]+)"|([^."]+?))\s*(?:\.|$)')
"""The next key: as it is, or in quotes where it is a name that has dots itself."""
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")
_Model = TypeVar("_Model", bound=BaseModel)


class Config(BaseModel):
    """Base of all configurations: unknown keys, NaN and infinity refused, immutable once made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True)
    renamed: ClassVar[Mapping[str, str]] = {}
    """Keys that this configuration once had, and what to write now; for the message about an old file."""


def parse_settings(pairs: Iterable[str], option: str = "--set") -> dict[str, Any]:
    """Parse `a.b=c` strings into nested mappings; errors name the option.

    Raises:
        ConfigError: No `=`, an empty key, a key given twice, one that is a value and a group at once, or no YAML value.
    """
    settings: dict[str, Any] = {}
    typed = list(pairs)
    keys = list(apply_settings(settings, typed, option))
    if len(keys) < len(typed):
        twice = next(
            key for key, count in Counter(_parse_setting(each, option)[0] for each in typed).items() if count > 1
        )
        raise ConfigError(f"{option} {'.'.join(twice)} was given twice")
    return settings


def apply_settings(data: dict[str, Any], pairs: Iterable[str], option: str = "--set") -> dict[tuple[str, ...], str]:
    """Put `a.b=c` strings over nested mappings, in their order; return each one's text by its keys, for errors.

    Raises:
        ConfigError: No `=`, an empty key, one that is a value and a group at once, or no YAML value.
    """
    origins: dict[tuple[str, ...], str] = {}
    for pair in pairs:
        keys, value = _parse_setting(pair, option)
        origins[keys] = f"{option} {pair}"
        assign(data, keys, value, origins[keys])
    return origins


def _parse_setting(text: str, option: str) -> tuple[tuple[str, ...], Any]:
    key, equals, value = text.partition("=")
    keys = _keys_of(key)
    if not equals or not keys:
        raise ConfigError(f"{option} takes KEY=VALUE with dots between nested keys, got {text!r}")
    return keys, parse_yaml(value, f"the value of {option} {text}")


def _keys_of(text: str) -> tuple[str, ...]:
    """The nested keys of `a.b` or `a."b.c"`; none where they cannot be told."""
    keys, place = [], 0
    while place < len(text):
        found = _KEYS.match(text, place)
        if found is None:
            return ()
        keys.append(found[1] or found[2])
        place = found.end()
    return () if text.endswith(".") else tuple(keys)


def assign(data: dict[str, Any], keys: Sequence[str], value: Any, source: str) -> None:
    """Put a value at its place in nested mappings; a mapping changes only the keys that it names.

    Raises:
        ConfigError: A value stands where a group is needed; the message begins with the source.
    """
    for position, key in enumerate(keys[:-1]):
        inner = data.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{source}: {'.'.join(keys[: position + 1])!r} holds {inner!r}, not nested keys")
        data = inner
    old = data.get(keys[-1])
    data[keys[-1]] = {**old, **value} if isinstance(old, dict) and isinstance(value, Mapping) else value


def read_options(
    model_type: type[_Model],
    options: Mapping[str, Any],
    method: str,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    default_preset: str = "default",
) -> _Model:
    """Check what a user set on a method.

    Args:
        model_type: The options that the method has.
        options: What the user said; keys of groups may be nested or have dots. `preset` is how `--preset` arrives.
        method: The method's name, for errors.
        presets: Values that `preset` stands for, by name; None: the method has none, and only the name that all methods
            know ('default') will do.
        default_preset: The preset where none is named.

    Raises:
        ConfigError: Unknown preset or option (the nearest is named), wrong type or impossible value.
    """
    values: dict[str, Any] = {}
    for key, value in options.items():
        assign(values, key.split("."), value, f"method {method!r}")
    if presets is not None:
        name = str(values.get("preset") or default_preset)
        if name not in presets:
            raise ConfigError(unknown_name(f"preset of method {method!r}", name, presets))
        chosen: dict[str, Any] = {}
        for key, value in [*presets[name].items(), *values.items(), ("preset", name)]:
            assign(chosen, key.split("."), value, f"method {method!r}")
        values = chosen
    elif "preset" not in model_type.model_fields and (preset := values.pop("preset", None)) not in (None, "default"):
        known = ", ".join(dotted_keys(model_type)) or "none"
        raise ConfigError(f"method {method!r} has no presets, got {preset!r}; its options: {known}")
    return validated(model_type, values, f"method {method!r}", "option")


def validated(
    model_type: type[_Model],
    data: Mapping[str, Any],
    source: str,
    word: str = "key",
    origins: Mapping[tuple[str, ...], str] | None = None,
) -> _Model:
    """Make a model of nested mappings, strictly.

    Args:
        model_type: What to make.
        data: Values by key.
        source: Where they come from, for errors.
        word: What a key is called in errors.
        origins: Where single keys come from, if not from `source`.

    Raises:
        ConfigError: The first thing that is wrong, in one sentence.
    """
    try:
        return model_type.model_validate_json(json.dumps(data, default=_plain), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise ConfigError(_sentence(model_type, found, source, word, origins or {})) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: a value is nested too deeply, or contains itself") from error


_Made = TypeVar("_Made")


def made_of(kind: type[_Made], values: Any, source: str) -> _Made:
    """Make a plain dataclass of JSON values, as strictly as configurations are made (lists are taken for tuples).

    Args:
        kind: The dataclass.
        values: By field name, as a file's header has them.
        source: Where they come from, for errors.

    Raises:
        ConfigError: Unknown or missing field, wrong type, or what the dataclass itself refuses.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{source}: {kind.__name__} is described by {type(values).__name__}, not by its settings")
    known = [field.name for field in dataclasses.fields(kind) if field.init]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise ConfigError(unknown_name(f"{source} setting", str(key), known))
    try:
        return TypeAdapter(kind).validate_json(json.dumps(dict(values), default=_plain), strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise ConfigError(f"{source}: {place}: {fault['msg']}, got {fault['input']!r}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: a value is nested too deeply, or contains itself") from error


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def dotted_keys(model_type: type[BaseModel]) -> list[str]:
    """Every key that a configuration knows, those of nested ones with dots as `--set` takes them, sorted."""
    keys = []
    for name, field in model_type.model_fields.items():
        inner: Any = field.annotation
        keys += [f"{name}.{key}" for key in dotted_keys(inner)] if is_model(inner) else [name]
    return sorted(keys)


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


def parse_yaml(text: str, source: str) -> Any:
    """Parse YAML text safely; `source` names it in errors.

    Raises:
        ConfigError: It is not YAML, or nested too deeply.
    """
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


def is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    """Whether an annotation is a model, whose fields are nested keys."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _sentence(
    model_type: type[BaseModel],
    errors: list[ErrorDetails],
    source: str,
    word: str,
    origins: Mapping[tuple[str, ...], str],
) -> str:
    first = errors[0]
    location = tuple(str(part) for part in first["loc"])
    where = next((text for keys, text in origins.items() if location[: len(keys)] == keys), source)
    key = ".".join(location)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    if first["type"] == "extra_forbidden":
        if isinstance(first["input"], Mapping) and first["input"] and word == "option":
            key = f"{key}.{next(iter(first['input']))}"  # of an unknown group, name the key that the user typed
        now = _renamed_at(model_type, location[:-1]).get(location[-1])
        if now is not None:
            return f"{where}: the {word} {key!r} is now {'.'.join([*location[:-1], now])!r}{more}"
        beside = [".".join([*location[:-1], each]) for each in _keys_at(model_type, location[:-1])]
        valid = dotted_keys(model_type) if word == "option" else beside
        return f"{where}: {unknown_name(word, key, valid)}{more}"
    if first["type"] == "missing":
        return f"{where}: the {word} {key!r} is missing{more}"
    if first["type"] == "model_type" and key:
        keys = [f"{key}.{each}" for each in _keys_at(model_type, location)]
        return f"{where}: {key!r} is a group, got {first['input']!r}; set {', '.join(keys)}{more}"
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not key:
        return f"{where}: {message}{more}"
    return f"{where}: {key!r}: {message}, got {first['input']!r}{more}"


def _renamed_at(annotation: Any, location: Sequence[str]) -> Mapping[str, str]:
    """What a (nested) configuration says about its old keys."""
    for part in location:
        field = annotation.model_fields.get(part) if is_model(annotation) else None
        annotation = None if field is None else field.annotation
    return annotation.renamed if isinstance(annotation, type) and issubclass(annotation, Config) else {}


def _keys_at(annotation: Any, location: Sequence[str]) -> list[str]:
    """Keys that are allowed at a place of a configuration; all candidates where a union leaves it open."""
    if is_model(annotation):
        fields = annotation.model_fields
        if not location:
            return sorted(fields)
        if location[0] in fields:
            return _keys_at(fields[location[0]].annotation, location[1:])
        return _keys_at(annotation, location[1:])  # pydantic put a union member's name or tag into the path
    arguments = [argument for argument in typing.get_args(annotation) if argument is not types.NoneType]
    inside = location if typing.get_origin(annotation) in (typing.Union, types.UnionType) else location[1:]
    return sorted({key for argument in arguments for key in _keys_at(argument, inside)})
