"""Settings of a protocol as a typed configuration; the shipped ones lie in configs/protocols."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import Field, field_validator

from toolkit.configuration import Config
from toolkit.registry import default_registry, unknown_name

OWN = ("reconstruction", "gt360", "multiview", "fid360", "speed")
"""The toolkit's protocols, in the order of the report."""
_READ_BY_ONE = {
    "target_yaws": "multiview",
    "occlusion_tolerance": "gt360",
    "random_sides": "fid360",
    "foreground": "fid360",
}
"""Settings that one protocol of the toolkit reads; to its others, they mean nothing."""


def is_read(key: str, kind: str) -> bool:
    """Whether a setting may change what a protocol measures.

    Args:
        key: The setting's name.
        kind: The registered protocol; one of a plugin may read all.
    """
    return kind not in OWN or _READ_BY_ONE.get(key, kind) == kind


class ProtocolSettings(Config):
    """One way to measure methods; a change of what it measures raises its version."""

    kind: str
    """The registered protocol, which is a class (see `toolkit.bench.protocols.base`)."""
    name: str = ""
    """What results call it; empty: the kind."""
    version: int = Field(1, ge=1)
    about: str = ""
    seed: int = Field(0, ge=0)
    """Of methods, of random heads and of resampling."""
    metrics: tuple[str, ...] = ()
    """Registered metrics; which of the two backends' are used follows from the run's backend."""
    views: tuple[str, ...] = ("front",)
    """Views that are made of each subject of a procedural data set."""
    input_yaws: tuple[float, ...] = ()
    """Yaws in degrees: where the data names subjects, a subject's picture nearest to each of them is inverted. Empty:
    every picture is (gt360, multiview: the front)."""
    target_yaws: tuple[float, ...] = (-60.0, -30.0, 30.0, 60.0)
    """multiview: yaws in degrees of the pictures that are compared with; both signs are pooled."""
    yaw_tolerance: float = Field(5.0, gt=0)
    """How far a picture may be from an input or target yaw (degrees); a subject without an input is left out."""
    occlusion_tolerance: float = Field(0.02, gt=0)
    """gt360: world units by which a place may lie behind the input view's depth and still count as visible."""
    random_sides: int = Field(5, ge=2)
    """fid360: independent draws of random heads, for the interval and the floor."""
    foreground: bool = False
    """fid360: put inversions and random heads on white where a head is seen through (its own mask says so)."""
    subset: Literal["random", "first"] = "random"
    """Which subjects (or pictures) of a data set that is read from files are taken where a limit is given: drawn by the
    seed, or the first ones. A larger limit keeps the drawn ones."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Settings of a protocol that none of the above is meant for; its class checks them."""

    @field_validator("kind")
    @classmethod
    def _is_registered(cls, kind: str) -> str:
        known = [entry.name for entry in default_registry().of_kind("protocol")]
        if kind not in known:
            raise ValueError(unknown_name("protocol", kind, known))
        return kind

    @property
    def title(self) -> str:
        """What results call the protocol."""
        return self.name or self.kind

    @property
    def has_foreground(self) -> bool:
        """Whether `foreground` is set and means something to the protocol."""
        return self.foreground and is_read("foreground", self.kind)

    @property
    def digest(self) -> str:
        """Short hash over everything that decides what is measured."""
        aside = {"about", "name", "metrics", "views", "subset"}  # which pictures are taken does not change a picture's
        later = {"options": self.options, "foreground": self.has_foreground}
        aside |= {key for key, value in later.items() if not value}  # digests of runs before these keys existed stay
        decisive = self._read_values().model_dump(mode="json", exclude=aside)
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:12]

    def _read_values(self) -> ProtocolSettings:
        """The same, with what the protocol does not read as if it had not been set."""
        unread = {key for key in _READ_BY_ONE if not is_read(key, self.kind)}
        return self.model_copy(update={key: type(self).model_fields[key].default for key in unread})
