"""`--set key=value` pairs as a flat mapping of YAML scalars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from toolkit.errors import ConfigError


def parse_settings(pairs: Iterable[str], option: str = "--set") -> dict[str, Any]:
    """Parse `key=value` strings; a value is read as YAML (numbers, true/false, lists, text); errors name the option.

    Raises:
        ConfigError: No `=`, an empty key, a key given twice, or a value that is not YAML.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        key = key.strip()
        if not separator or not key:
            raise ConfigError(f"{option} takes key=value, got {pair!r}")
        if key in settings:
            raise ConfigError(f"{option} {key} was given twice")
        try:
            settings[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            problem = getattr(error, "problem", None) or str(error).splitlines()[0]
            raise ConfigError(f"{option} {key}: {text!r} is not a value: {problem}") from error
    return settings
