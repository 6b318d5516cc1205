"""Reads weights of a known kind, whichever format they come in: our own safetensors, or official files as they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from toolkit.errors import WeightsError
from toolkit.tensors import check_finite, is_safetensors, read_weights, single
from toolkit.weights.importing import import_files
from toolkit.weights.official_files import read_official


def open_weights(path: str | os.PathLike[str], *kinds: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors (float32 or integers) and header of a file, as `toolkit weights import` would write them.

    Args:
        path: One of our files, or an official one.
        kinds: What it may be; none: anything.

    Raises:
        WeightsError: It is missing, damaged, of another kind, or does not fit.
    """
    if is_safetensors(path):
        tensors, header = read_weights(path)
        if header or not kinds:
            return tensors, header
    failure: WeightsError | None = None
    for kind in kinds or (None,):
        try:
            found = import_files([Path(path)], kind)
        except WeightsError as error:
            failure = failure or error
        else:
            return dict(found.tensors), dict(found.header)
    assert failure is not None
    raise failure


def open_state_dict(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """All tensors of a file by dotted names, float32 or integers, without asking what they are.

    A table that stands alone under one name (`state_dict`) is given without it.

    Raises:
        WeightsError: It is missing or damaged, or a tensor holds NaN or infinity.
    """
    file = read_official(path)
    tensors = single(file.read())
    check_finite(tensors, path)
    if not tensors:
        raise WeightsError(f"{path} holds no tensors")
    groups = {key.split(".")[0] for key in tensors}
    if groups == {"state_dict"}:
        return {key.removeprefix("state_dict."): value for key, value in tensors.items()}
    return tensors
