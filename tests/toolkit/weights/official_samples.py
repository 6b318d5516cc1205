"""Files in the formats of others, written here from tiny networks, and pickles that try to run something."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import tarfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

TRAP = "raise SystemExit('the source text in a file was executed')"


class _Stored:
    """What torch_utils.persistence makes of an object: a call with a description."""

    def __init__(self, class_name: str, state: Mapping[str, Any]) -> None:
        self.meta = {
            "type": "class", "version": 6, "module_src": TRAP, "class_name": class_name, "state": dict(state),
        }  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (self.meta,)


@contextmanager
def fake_modules() -> Iterator[None]:
    """Modules of the names that official pickles refer to, while one is written."""
    package, persistence = ModuleType("torch_utils"), ModuleType("torch_utils.persistence")

    def _reconstruct_persistent_obj(meta: object) -> object:
        raise AssertionError("never called")

    _reconstruct_persistent_obj.__module__ = persistence.__name__
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj
    sys.modules |= {"torch_utils": package, "torch_utils.persistence": persistence}
    try:
        yield
    finally:
        del sys.modules["torch_utils"], sys.modules["torch_utils.persistence"]


def stored_module(tensors: Mapping[str, Tensor], class_name: str, **attributes: Any) -> _Stored:
    """A persistent network with tensors by dotted names; those whose name says so are buffers."""
    own: dict[str, Tensor] = {}
    below: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        head, dot, rest = key.partition(".")
        if dot:
            below.setdefault(head, {})[rest] = value
        else:
            own[key] = value
    state = {
        "training": False,
        "_parameters": OrderedDict((key, nn.Parameter(value, False)) for key, value in own.items() if "avg" not in key),
        "_buffers": OrderedDict((key, value) for key, value in own.items() if "avg" in key),
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": OrderedDict(),
        "_modules": OrderedDict((name, stored_module(part, "Part")) for name, part in below.items()),
        **attributes,
    }
    return _Stored(class_name, state)


def persistence_pickle(path: Path, tensors: Mapping[str, Tensor], init: Mapping[str, Any], **attributes: Any) -> Path:
    """A generator's file as NVIDIA's trainings write them."""
    with fake_modules():
        renderer = {"renderer": stored_module({}, "ImportanceRenderer", plane_axes=attributes.pop("plane_axes"))}
        made = stored_module(tensors, "TriPlaneGenerator", _init_args=(), _init_kwargs=dict(init), **attributes)
        made.meta["state"]["_modules"].update(renderer)
        broken = stored_module({key: value * 0 for key, value in tensors.items()}, "TriPlaneGenerator")
        content = {"training_set_kwargs": {"path": "images.zip"}, "G": broken, "D": None, "G_ema": made}
        path.write_bytes(pickle.dumps(content, protocol=4))
    return path


def torch_tar(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    """The format of torch 0.1, written by hand after the description of its reader."""
    storages, described = io.BytesIO(), io.BytesIO()
    pickle.dump(len(tensors), storages, protocol=2)
    pickle.dump(len(tensors), described, protocol=2)
    for number, value in enumerate(tensors.values()):
        pickle.dump((number, "cpu", torch.FloatStorage), storages, protocol=2)
        storages.write(struct.pack("<q", value.numel()) + value.contiguous().numpy().tobytes())
        pickle.dump((number, number, torch.FloatTensor), described, protocol=2)
        described.write(struct.pack("<ii", value.ndim, 0))
        described.write(struct.pack(f"<{value.ndim}q", *value.shape))
        described.write(struct.pack(f"<{value.ndim}q", *value.contiguous().stride()) + struct.pack("<q", 0))
    pickle.dump([], storages, protocol=2)

    class Ids(pickle.Pickler):
        def persistent_id(self, value: object) -> str | None:
            return next((str(i) for i, each in enumerate(tensors.values()) if each is value), None)

    content = io.BytesIO()
    Ids(content, protocol=2).dump(dict(tensors))
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, part in (("storages", storages), ("tensors", described), ("pickle", content)):
            entry = tarfile.TarInfo(name)
            entry.size = len(part.getvalue())
            archive.addfile(entry, io.BytesIO(part.getvalue()))
    return path


def random_like(module: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Random weights for a network, positive where they are variances."""
    source = torch.Generator().manual_seed(seed)
    return {
        key: torch.rand(value.shape, generator=source) + 0.5 if value.is_floating_point() else value.clone()
        for key, value in module.state_dict().items()
    }


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{key}": value for key, value in tensors.items()}


def some_tensors() -> dict[str, Tensor]:
    """Tensors of several types and layouts."""
    return {
        "whole": torch.arange(6.0).reshape(2, 3),
        "turned": torch.arange(6.0).reshape(2, 3).t(),
        "part": torch.arange(20.0)[3:12:2],
        "half": torch.tensor([0.5, -2.0]).half(),
        "brain": torch.tensor([0.5, -2.0]).bfloat16(),
        "long": torch.tensor([1, -(2**40)]),
        "yes": torch.tensor([True, False]),
        "number": torch.tensor(7, dtype=torch.int64),
        "empty": torch.zeros(0, 3),
    }


def array() -> np.ndarray:
    return np.linspace(0, 1, 14 * 8, dtype=np.float32).reshape(14, 8)
