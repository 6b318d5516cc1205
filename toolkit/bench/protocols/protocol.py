"""What a bench run measures, as a typed configuration; the shipped ones lie in configs/protocols."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from toolkit.configuration import Config, config_names, config_path, load_config
from toolkit.errors import ConfigError
from toolkit.registry import unknown_name

Kind = Literal["reconstruction", "fid360", "gt360", "multiview", "speed"]
_FOLDER = "protocols/"
ALL = "all"
ORDER = ("reconstruction", "gt360", "multiview", "fid360", "speed")
"""What `all` stands for, in the order of the report."""


class BenchProtocol(Config):
    """One way to measure methods; a change of what it measures raises its version."""

    kind: Kind
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

    @property
    def title(self) -> str:
        """What results call the protocol."""
        return self.name or self.kind

    @property
    def starts(self) -> tuple[float, ...]:
        """Yaws in degrees of the pictures that are inverted; empty: every picture."""
        return self.input_yaws or ((0.0,) if self.kind in ("gt360", "multiview") else ())

    @property
    def digest(self) -> str:
        """Short hash over everything that decides what is measured."""
        decisive = self.model_dump(mode="json", exclude={"about", "name", "metrics", "views"})
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:12]


def open_protocol(name: str, overrides: Sequence[str] = ()) -> BenchProtocol:
    """Read a protocol by its shipped name, or from a YAML file.

    Raises:
        ConfigError: Unknown name, unreadable file, unknown key or impossible value.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        known = protocol_names()
        if name not in known:
            raise ConfigError(unknown_name("protocol", name, known))
        path = config_path(_FOLDER + name)
    return load_config(BenchProtocol, path, overrides)


def open_protocols(names: str, overrides: Sequence[str] = ()) -> list[BenchProtocol]:
    """Read protocols from a comma-separated list; `all` stands for every shipped one.

    Overrides that only some protocols know how to take are applied to all of them alike.

    Raises:
        ConfigError: No name, or see `open_protocol`.
    """
    wanted: list[str] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        wanted += ORDER if name == ALL else [name]
    if not wanted:
        raise ConfigError("--protocol names no protocol")
    return [open_protocol(name, overrides) for name in dict.fromkeys(wanted)]


def protocol_names() -> list[str]:
    """The shipped protocols."""
    return [name.removeprefix(_FOLDER) for name in config_names() if name.startswith(_FOLDER)]
