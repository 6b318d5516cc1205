"""Data that is made from heads and kept beside their rays. It is made again if the request or the heads change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from toolkit.interfaces import ProceduralHeads
from toolkit.tensors import read_metadata, read_tensors, write_tensors
from toolkit_plugins.panohead.training.rays import look_alike, looks_of


def kept_tensors(
    file: Path, heads: ProceduralHeads, about: Mapping[str, Any], make: Callable[[], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """The tensors in `file`, made first where they are missing, or were made otherwise or of other heads.

    Args:
        file: Where they are kept.
        heads: What they are made of.
        about: How they are made, in plain types.
        make: Makes them.
    """
    looks = looks_of(heads)
    kept = read_metadata(file) if file.is_file() else {}
    if kept.get("about") != about or not look_alike(kept.get("looks"), looks):
        write_tensors(file, make(), {"about": dict(about), "looks": looks})
    return dict(read_tensors(file)[0])
