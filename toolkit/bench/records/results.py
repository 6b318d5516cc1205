"""Reading and writing results.json; any other file ends in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from toolkit.bench.records.schema import FORMAT, SCHEMA_VERSION, Results
from toolkit.documents import read_bounded
from toolkit.errors import InputError
from toolkit.files import atomic_write

if TYPE_CHECKING:
    import os

RESULTS_FILE = "results.json"
_LARGEST = 2**31
"""Bytes beyond which no file is read."""


def read_results(folder: str | os.PathLike[str]) -> Results:
    """Read the results of a run: of its folder, or of a results.json.

    Raises:
        InputError: There are none, they are damaged, of another shape, or of another version of the schema.
    """
    path = Path(folder)
    path = path / RESULTS_FILE if path.is_dir() else path
    try:
        content = read_bounded(path, _LARGEST)
    except ValueError as error:
        raise InputError(f"{path} holds no results of toolkit bench: {error}") from error
    except OSError as error:
        raise InputError(f"{folder} holds no results of toolkit bench ({error.strerror or error})") from error
    try:
        return Results.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise InputError(_fault(path, error)) from error


def write_results(folder: Path, results: Results) -> None:
    """Write results.json into a run's folder.

    Raises:
        OutputError: The folder cannot be written.
    """
    with atomic_write(folder / RESULTS_FILE) as path:
        text = json.dumps(results.as_json(), indent=1, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")


def _fault(path: Path, error: ValidationError) -> str:
    """What is wrong with a file, in one sentence."""
    faults = {".".join(map(str, fault["loc"])): fault for fault in error.errors(include_url=False)}
    unreadable = faults.get("")
    if unreadable is not None and unreadable["type"] == "json_invalid":
        return f"{path} holds no results of toolkit bench ({_plain(unreadable['msg'])})"
    if unreadable is not None or "format" in faults or "generator" in faults:
        return f"{path} is not a results file of toolkit bench (its format must be {FORMAT!r})"
    if "schema_version" in faults:
        return (
            f"{path} has schema version {str(faults['schema_version']['input'])[:40]!r}, this toolkit reads "
            f"{SCHEMA_VERSION}: run the same bench command again (what is known is not computed again)"
        )
    place, fault = next(iter(faults.items()))
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    return f"{path} is damaged: {_plain(place)[:120]!r}: {_plain(fault['msg'])}{more}"


def _plain(text: str) -> str:
    return " ".join(text.split())
