"""Data that is made from a generator once, within minutes, and kept in the user's cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from toolkit.cache import cache_folder
from toolkit.files import check_folder_place
from toolkit.interfaces import Generator
from toolkit.tensors import read_tensors, write_tensors
from toolkit.training.distribution import main_process_first


def kept_tensors(
    generator: Generator, title: str, plan: Mapping[str, Any], make: Callable[[], Mapping[str, Tensor]]
) -> Mapping[str, Tensor]:
    """The tensors of a plan, made first where they are missing; of several processes one makes them.

    Args:
        generator: What they are made of; its name begins the file's.
        title: Goes on in the file's name.
        plan: Everything that the tensors depend on, in plain types.
        make: Makes them.

    Raises:
        OutputError: The cache cannot be written; found out before they are made.
    """
    key = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]
    file = cache_folder("pairs") / f"{generator.spec.name}-{title}-{key}.safetensors"
    with main_process_first():
        if not file.is_file():
            check_folder_place(file.parent)  # before minutes of work
            write_tensors(file, dict(make()), {"plan": dict(plan)})
    return read_tensors(file)[0]
