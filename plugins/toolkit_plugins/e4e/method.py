"""The method `e4e`: one pass from an image to a code near W."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.encoders import CodeMethod, open_code_method
from toolkit.interfaces import Generator
from toolkit_plugins.e4e.encoder import ProgressiveEncoder

KIND, ENCODER = "e4e", "e4e_encoder"


def open_e4e(generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> CodeMethod:
    """Make the method for a generator.

    Raises:
        ConfigError: Unknown or impossible option.
        WeightsError: There are no weights for this generator, or they cannot be used.
    """
    return open_code_method(KIND, ENCODER, "toolkit_plugins.e4e", ProgressiveEncoder, generator, weights, options)
