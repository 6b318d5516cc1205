"""Shards: files of some items each, made once and read whole. An interruption loses no complete file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolkit.files import check_folder_place
from toolkit.tensors import read_metadata, read_tensors, write_tensors


def write_shard(file: Path, items: Sequence[Mapping[str, Tensor]], about: Mapping[str, Any]) -> None:
    """Write items of equal shapes, stacked, with a description by which `read_shards` recognises them.

    Raises:
        OutputError: The place cannot be written.
    """
    write_tensors(file, {key: torch.stack([item[key] for item in items]) for key in items[0]}, about)


def read_shards(
    files: Sequence[Path],
    count: int,
    fits: Callable[[int, Mapping[str, Any]], bool],
    make: Callable[[list[int]], object],
) -> dict[str, Tensor]:
    """Read the first items of all shards, after those that are missing or made for something else are made.

    Args:
        files: The shards, in order.
        count: Items wanted of all shards together.
        fits: Whether the shard of a number, by its description, is what is wanted.
        make: Writes the shards of these numbers (see `write_shard`).

    Returns:
        Tensors by name, each [count, ...].

    Raises:
        WeightsError: A file is damaged.
    """
    missing = [
        number for number, file in enumerate(files) if not (file.is_file() and fits(number, read_metadata(file)))
    ]
    if missing:
        check_folder_place(files[0].parent)  # before minutes of work
        make(missing)
    parts = [read_tensors(file)[0] for file in files]
    return {key: torch.cat([part[key] for part in parts])[:count] for key in parts[0]}
