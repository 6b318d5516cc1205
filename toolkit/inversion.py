"""What a method returns: the head as a generator's code, with everything needed to show it again elsewhere.

On disk it is a folder with `inversion.safetensors` (tensors) and `inversion.json` (everything a person reads);
nothing is ever pickled. The json names the sha256 of the tensors, so a torn or swapped pair is noticed.
"""

from __future__ import annotations

import copy
import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import Module

from toolkit.camera import Camera, as_camera
from toolkit.devices import told_arithmetic
from toolkit.documents import read_document
from toolkit.errors import InputError, ToolkitError, WeightsError
from toolkit.files import atomic_write, file_sha256, sort_metadata
from toolkit.tensors import carries_gradient, check_header, copy_in_32_bit, read_tensors
from toolkit.version import VERSION

__all__ = [
    "RECORD_FILE",
    "SCHEMA_VERSION",
    "STATEMENT",
    "TENSORS_FILE",
    "Inversion",
    "holds_inversion",
    "identity_of",
    "provenance_of",
    "run_provenance",
]

if TYPE_CHECKING:
    from toolkit.interfaces import Generator, GeneratorSpec, Render

SCHEMA_VERSION = 1
TENSORS_FILE = "inversion.safetensors"
RECORD_FILE = "inversion.json"
STATEMENT = "This head is synthetic: a generative model made it, and what the input photo did not show is invented."
_FORMAT = "toolkit-inversion"
_RECORD_LIMIT = 16 * 2**20
_GROUPS = ("tuned", "extra")


@dataclass(eq=False)
class Inversion:
    """One image turned into a generator's code.

    Two inversions are identical (`is_identical`) when everything but `timings` is.
    """

    ws: Tensor
    """[B, num_ws, w_dim]."""
    planes: Tensor
    """[B, *generator.spec.planes_shape], as they are rendered (made by the tuned generator where there is one).

    [B, 0]: left out, because the generator makes them again from `ws`; `tuned_generator` does so."""
    camera: Camera
    """The camera that saw the input."""
    generator: str
    """Name of the generator that the code belongs to."""
    fingerprint: str
    """Its fingerprint, before any tuning."""
    method: str
    world: str = "embedded"
    """'embedded', 'full' or 'untrained', as in `GeneratorSpec.world`."""
    options: dict[str, Any] = field(default_factory=dict)
    """Settings of the method, as plain JSON values."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds by stage; never part of what makes two inversions identical."""
    tuned: dict[str, Tensor] | None = None
    """Weight delta (tuned minus original) by parameter name, from methods that change the generator (PTI)."""
    extra: dict[str, Tensor] = field(default_factory=dict)
    """Further tensors that a method wants to keep, by name (such as un-mixed planes)."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Input name and sha256, seed, threads, versions, notes; `generator_weights` is the weights file if not the own."""
    _tuned_copy: tuple[Generator, Generator] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check shapes.

        Raises:
            InputError: `ws`, `planes` and `camera` do not have one batch size, or `ws` is not [B, num_ws, w_dim].
        """
        self.camera = as_camera(self.camera)
        batch = self.ws.shape[0] if self.ws.ndim == 3 else -1
        if batch < 1 or self.planes.ndim < 2 or self.planes.shape[0] != batch or len(self.camera) not in (1, batch):
            raise InputError(
                "an inversion needs ws [B, num_ws, w_dim], planes [B, ...] and 1 or B cameras, got ws "
                f"{list(self.ws.shape)}, planes {list(self.planes.shape)} and {len(self.camera)} cameras"
            )

    def __repr__(self) -> str:
        """One line: what it was made with, and how large it is."""
        tuned = "" if self.tuned is None else f", {len(self.tuned)} weights tuned"
        sizes = f"ws {list(self.ws.shape)}, planes {list(self.planes.shape)}"
        return f"Inversion(by {self.method!r} into {self.generator!r}: {sizes}{tuned})"

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the two files into `folder` (made if missing), each atomically, and return the folder.

        Raises:
            InputError: A tensor holds NaN or infinity (the method diverged).
            OutputError: The folder cannot be written.
        """
        folder = Path(folder)
        tensors = self._tensors()
        _check_finite(tensors, f"the inversion by {self.method!r}")
        with atomic_write(folder / TENSORS_FILE) as path:
            save_file(tensors, path, metadata={"format": _FORMAT, "generated": "true", "method": self.method})
            sort_metadata(path)
            digest = file_sha256(path)
        text = json.dumps(self._record(digest), indent=1, ensure_ascii=False, allow_nan=False)
        with atomic_write(folder / RECORD_FILE) as path:
            # a name that is no UTF-8 becomes JSON's own escape
            path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        return folder

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Inversion:
        """Read an inversion that `save` wrote; tensors arrive on the CPU, those that were kept in 16 bit in 32.

        Raises:
            InputError: The folder, or one of its files, is missing, damaged, from a newer toolkit, or something else.
        """
        folder = Path(folder)
        record = _read_record(folder)
        tensors = _read_tensors(folder, record)
        groups: dict[str, dict[str, Tensor]] = {group: {} for group in _GROUPS}
        for name, tensor in tensors.items():
            group, _, rest = name.partition(".")
            if group in groups:
                groups[group][rest] = tensor
        try:
            return cls(
                ws=tensors["ws"],
                planes=tensors["planes"],
                camera=Camera.from_label(record["camera"]),
                generator=str(record["generator"]["name"]),
                fingerprint=str(record["generator"]["fingerprint"]),
                method=str(record["method"]),
                world=str(record["world"]),
                options=dict(record["options"]),
                timings=dict(record["timings"]),
                tuned=groups["tuned"] if record["tuned"] else None,
                extra=groups["extra"],
                provenance=dict(record["provenance"]),
            )
        except (KeyError, TypeError, ValueError, ToolkitError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise InputError(f"{folder / RECORD_FILE} is damaged: {what}") from error

    def to(self, device: torch.device | str) -> Inversion:
        """Return the same inversion with its tensors on a device."""
        return replace(
            self,
            ws=self.ws.to(device),
            planes=self.planes.to(device),
            camera=self.camera.to(device),
            tuned=None if self.tuned is None else {name: delta.to(device) for name, delta in self.tuned.items()},
            extra={name: tensor.to(device) for name, tensor in self.extra.items()},
        )

    def is_identical(self, other: Inversion) -> bool:
        """Whether both hold the same numbers, bit by bit, and the same description; timings do not count."""
        mine, theirs = self._tensors(), other._tensors()
        same_tensors = mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
        first, second = self._record(""), other._record("")
        return same_tensors and {**first, "timings": None} == {**second, "timings": None}

    def check_generator(self, generator: Generator) -> None:
        """Make sure that `generator` is the one that this inversion was made with.

        Raises:
            InputError: Another generator, the same one with other weights, or planes that it cannot hold.
        """
        spec = generator.spec
        if spec.name != self.generator:
            raise InputError(f"this inversion was made with generator {self.generator!r}, not with {spec.name!r}")
        if spec.fingerprint != self.fingerprint:
            raise InputError(
                f"this inversion was made with other weights of generator {self.generator!r} "
                f"(fingerprint {self.fingerprint[:12] or 'unknown'}, this one has {spec.fingerprint[:12] or 'none'})"
            )
        if self.planes.numel() and tuple(self.planes.shape[1:]) != tuple(spec.planes_shape):
            raise InputError(
                f"generator {spec.name!r} has planes of shape {list(spec.planes_shape)}, "
                f"this inversion holds {list(self.planes.shape[1:])}"
            )

    def tuned_generator(self, generator: Generator) -> Generator:
        """Return the generator that shows this inversion: `generator` itself, or a copy with the delta added.

        The caller's generator is never changed; the copy is kept, so that asking again costs nothing. Planes that were
        left out are made.

        Raises:
            InputError: Not the generator of this inversion, or the delta does not fit its parameters.
        """
        if self._tuned_copy is not None and any(generator is known for known in self._tuned_copy):
            return self._tuned_copy[1]
        self.check_generator(generator)
        if self.tuned is None:
            self._make_planes(generator)
            return generator
        tuned = copy.deepcopy(generator)
        parameters: dict[str, Tensor] = dict(cast(Module, tuned).named_parameters())
        parameters.update(cast(Module, tuned).named_buffers())  # optimised synthesis noise is a buffer
        for name, delta in self.tuned.items():
            if name not in parameters or parameters[name].shape != delta.shape:
                has = list(parameters[name].shape) if name in parameters else "no such parameter"
                raise InputError(f"the weight delta {name!r} {list(delta.shape)} does not fit the generator ({has})")
            with torch.no_grad():
                parameters[name].add_(delta.to(parameters[name]))
        self._make_planes(tuned)
        self._tuned_copy = (generator, tuned)
        return tuned

    def _make_planes(self, shown: Generator) -> None:
        """Make planes that were left out."""
        if not self.planes.numel():
            with torch.no_grad():
                self.planes = shown.planes(self.ws.to(shown.device)).to(self.ws.device)

    def render(
        self, generator: Generator, camera: Camera | Tensor | None = None, resolution: int | None = None
    ) -> Render:
        """Render views of the inversion, without gradients.

        Args:
            generator: The generator that it was made with (see `tuned_generator`).
            camera: One or more cameras; None takes the input's. A single inversion serves any number of cameras.
            resolution: Side of the ray grid; None takes the generator's own.

        Raises:
            InputError: Not the generator of this inversion, or numbers of heads and cameras that do not go together.
        """
        shown = self.tuned_generator(generator)
        device = shown.device
        cameras = (self.camera if camera is None else as_camera(camera)).to(device)
        batch = max(self.ws.shape[0], len(cameras))
        if self.ws.shape[0] not in (1, batch):
            raise InputError(f"{self.ws.shape[0]} inversions cannot be rendered from {len(cameras)} cameras")
        planes = self.planes.to(device).expand(batch, *self.planes.shape[1:])
        ws = self.ws.to(device).expand(batch, -1, -1)
        with torch.no_grad():
            return shown.render(planes, ws, cameras.expand(batch), resolution)

    def check_savable(self) -> None:
        """Refuse what `save` could not write.

        Raises:
            InputError: A tensor holds NaN or infinity, or a setting or a note is nothing that JSON knows.
        """
        _check_finite(self._tensors(), f"the inversion by {self.method!r}")
        try:
            json.dumps(self._record(""), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"its options, timings or provenance are no JSON: {error}") from error

    def with_gradients(self) -> list[str]:
        """Names of those tensors of it that carry a gradient, among its settings and notes, too."""
        named: dict[str, Any] = {"ws": self.ws, "planes": self.planes, "camera": self.camera.label}
        for group in (*_GROUPS, "options", "timings", "provenance"):
            named |= {f"{group}.{name}": value for name, value in (getattr(self, group) or {}).items()}
        return [name for name, value in named.items() if carries_gradient(value)]

    def _tensors(self) -> dict[str, Tensor]:
        named = {"ws": self.ws, "planes": self.planes}
        named |= {f"tuned.{name}": delta for name, delta in (self.tuned or {}).items()}
        named |= {f"extra.{name}": tensor for name, tensor in self.extra.items()}
        # A copy each: safetensors refuses tensors that share memory, and views of one buffer are common here.
        return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in named.items()}

    def _record(self, digest: str) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "schema_version": SCHEMA_VERSION,
            "generated": True,
            "statement": STATEMENT,
            "method": self.method,
            "world": self.world,
            "generator": {"name": self.generator, "fingerprint": self.fingerprint},
            "options": _plain(self.options),
            "camera": self.camera.label.detach().cpu().tolist(),
            "tuned": self.tuned is not None,
            "timings": _plain(self.timings),
            "provenance": _plain(self.provenance),
            "tensors": {"file": TENSORS_FILE, "sha256": digest},
        }


def holds_inversion(folder: Path) -> bool:
    """Whether a folder, which need not exist, holds an inversion, if perhaps a damaged one."""
    if folder.is_symlink() or not (folder / RECORD_FILE).is_file():
        return False
    try:
        _read_record(folder)
    except InputError:
        return (folder / TENSORS_FILE).is_file()
    return True


def provenance_of(folder: Path) -> dict[str, Any] | None:
    """What the record of an inversion says about its input; None where there is no readable record."""
    if not holds_inversion(folder):
        return None
    try:
        found = _read_record(folder).get("provenance")
    except InputError:
        return None
    return found if isinstance(found, dict) else {}


def identity_of(spec: GeneratorSpec) -> dict[str, Any]:
    """The fields of an `Inversion` that say which generator it belongs to: `Inversion(..., **identity_of(spec))`."""
    return {"generator": spec.name, "fingerprint": spec.fingerprint, "world": spec.world}


def run_provenance(**known: Any) -> dict[str, Any]:
    """What can change the numbers of a run: versions and thread count, with whatever else is `known` (seed, input)."""
    return {
        "toolkit": VERSION,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "arithmetic": told_arithmetic(),
        **known,
    }


def _plain(value: Any) -> Any:
    """Turn a value into what strict JSON can hold; NaN and infinity become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(entry) for entry in value]
    if hasattr(value, "tolist"):  # tensors, numpy arrays and their scalars
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD_FILE
    if not folder.is_dir():
        raise InputError(f"{folder} is not an inversion: there is no such folder")
    if not path.is_file():
        raise InputError(f"{folder} is not an inversion: it has no {RECORD_FILE}")
    try:
        record = read_document(path, _RECORD_LIMIT)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise InputError(f"{path} is not an inversion's record (its format is not {_FORMAT!r})")
    if record.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {record.get('schema_version')!r}, this toolkit reads {SCHEMA_VERSION}"
        )
    return record


def _read_tensors(folder: Path, record: Mapping[str, Any]) -> dict[str, Tensor]:
    path = folder / TENSORS_FILE
    if not path.is_file():
        raise InputError(f"{folder} is not a whole inversion: it has no {TENSORS_FILE}")
    try:
        check_header(path)
        digest = file_sha256(path)
        entry = record.get("tensors")
        if not isinstance(entry, dict) or entry.get("sha256") != digest:
            raise InputError(f"{path} is damaged or belongs to another inversion: its sha256 is not the recorded one")
        # Copies: views into the file lie unaligned in memory, which changes the last bit of what is computed from them.
        tensors = {name: copy_in_32_bit(tensor) for name, tensor in read_tensors(path)[0].items()}
    except (OSError, WeightsError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    _check_finite(tensors, str(path))
    return tensors


def _check_finite(tensors: Mapping[str, Tensor], owner: str) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"{owner}: tensor {name!r} holds NaN or infinity")
