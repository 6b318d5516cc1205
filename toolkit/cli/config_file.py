"""`--config FILE` of a command: a YAML file with the same keys as its options; options on the command line win."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from toolkit.errors import ConfigError


def read_config_file(context: typer.Context, path: Path | None) -> Path | None:
    """Take the file's values as the defaults of the command's options (called by typer before any other option).

    Raises:
        ConfigError: The file cannot be read, a key is not an option, or an option does not take its value.
    """
    if path is None or context.resilient_parsing:
        return path
    from toolkit.configuration import read_mapping
    from toolkit.registry import unknown_name

    options = {
        name.removeprefix("--"): parameter
        for parameter in context.command.params
        for name in parameter.opts
        if name.startswith("--") and parameter.name not in ("config", "help")
    }
    defaults: dict[str, Any] = {}
    for key, value in read_mapping(path).items():
        option = str(key).replace("_", "-")
        if option not in options:
            raise ConfigError(f"{path}: {unknown_name('key', str(key), options)}")
        parameter: Any = options[option]
        where = f"{path}: {key!r}"
        typed = _values(value, where) if parameter.multiple else _value(value, parameter, where)
        try:
            parameter.process_value(context, typed)
        except Exception as error:  # click's own family, of which typer may bring its own copy
            raise ConfigError(f"{where}: {getattr(error, 'message', error)}, got {value!r}") from error
        defaults[parameter.name] = typed
    context.default_map = {**(context.default_map or {}), **defaults}
    return path


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="YAML file with the same keys as these options. Options on the command line win.",
        callback=read_config_file,
        is_eager=True,
    ),
]
"""The type of a command's parameter `config`."""


def _value(value: Any, parameter: Any, where: str) -> Any:
    """A value as it would be typed; a truth value only for a switch, and nothing else for one."""
    if isinstance(value, (list, Mapping)):
        raise ConfigError(f"{where} takes one value, got {value!r}")
    if bool(parameter.is_flag) != isinstance(value, bool) and value is not None:
        raise ConfigError(f"{where} takes {'true or false' if parameter.is_flag else 'no truth value'}, got {value!r}")
    return value if value is None or parameter.is_flag else str(value)


def _values(value: Any, where: str) -> list[str]:
    """A list as it is; a mapping as what the user would type: `a.b=c` each."""
    if isinstance(value, Mapping):
        return [f"{name}={text}" for name, text in _flat(value)]
    entries = value if isinstance(value, list) else [value]
    if any(isinstance(entry, (list, Mapping)) for entry in entries):
        raise ConfigError(f"{where} takes a list of values, or keys with values, got {value!r}")
    return [str(entry) for entry in entries]


def _flat(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield (
                f"{prefix}{key}",
                value if isinstance(value, str) and _is_plain(value) else json.dumps(value, default=str),
            )


def _is_plain(text: str) -> bool:
    """Whether YAML reads a text as that very text."""
    from toolkit.options import parse_yaml

    try:
        return bool(parse_yaml(text, "") == text)
    except ConfigError:
        return False
