"""Reading JSON that somebody else may have written or damaged: every way in which it is none is a ValueError."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def parsed(text: str | bytes) -> Any:
    """What a JSON text holds.

    Raises:
        ValueError: It is no JSON, no UTF-8, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_document(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: It cannot be read.
        ValueError: As for `parsed`.
    """
    return parsed(path.read_text(encoding="utf-8"))
