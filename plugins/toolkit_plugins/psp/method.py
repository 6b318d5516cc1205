"""The method `psp`: one pass from an image to a W+ code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.encoders import CodeMethod, open_code_method
from toolkit.encoders.networks.style_encoder import GradualStyleEncoder
from toolkit.interfaces import Generator

KIND, ENCODER = "psp", "psp_encoder"


def open_psp(generator: Generator, weights: Path | None, options: Mapping[str, Any]) -> CodeMethod:
    """Make the method for a generator.

    Raises:
        ConfigError: Unknown or impossible option.
        WeightsError: There are no weights for this generator, or they cannot be used.
    """
    return open_code_method(KIND, ENCODER, "toolkit_plugins.psp", GradualStyleEncoder, generator, weights, options)
