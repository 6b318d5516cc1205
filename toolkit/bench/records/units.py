"""Records of finished work: the lines of cells.jsonl and inversions.jsonl.

The text below a key is its description; the tables of docs/bench.md are made from it.
"""

from __future__ import annotations

from pydantic import AliasChoices, Field

from toolkit.bench.records.base import Count, Measured, Record


class ScoreRecord(Record):
    """A metric's value for one comparison."""

    metric: str
    """Registered name, with `@part` where it looked at a part."""
    value: Measured
    """Null: it could not be scored."""
    used: Count
    """Comparisons that entered."""
    failed: Count
    """Comparisons that could not be made."""
    yaw: Measured = None
    """Of the view that was compared with, in whole degrees."""
    input_yaw: Measured = None
    """Of the picture that was inverted."""
    target: str | None = None
    """Where the picture to compare with could not be read: its name."""
    error: str | None = None
    """Why it could not be read; without a target: how a stranger's metric failed."""


class FeaturesRecord(Record):
    """Where the features of one render lie, for distances between distributions."""

    metric: None = None
    """Always null; older versions of the toolkit tell features from scores by it."""
    features: str
    """File in the folder `features`."""
    yaw: Measured = None
    """Of the view, in degrees."""
    group: str | None = None
    """Which distance they belong to, where a protocol has several."""


Scores = list[ScoreRecord | FeaturesRecord]


class CellRecord(Record):
    """One unit of work as cells.jsonl holds it: a method on an item in one protocol, or a piece of a precompute."""

    key: str = ""
    """Identity of the unit, over everything that decides its result."""
    protocol: str
    """As results call it."""
    method: str | None
    """Null: a piece of the protocol's precompute."""
    item: str
    """The picture that was inverted, or the piece."""
    error: str | None = None
    """Null: it went well."""
    stage: str | None = None
    """What failed: build, read, invert, score, time_limit, precompute, worker, machine (disk, memory or device)."""
    scores: Scores = Field(default_factory=list)
    """Values of metrics, and the places of features."""
    seen: bool | None = None
    """Whether the method was trained on the picture; null: it does not tell."""
    precompute: str | None = Field(None, validation_alias=AliasChoices("precompute", "groundwork"))
    """Whose piece it is; runs of earlier versions called it `groundwork`."""
    size: Count = 1
    """Its amount of work, relative to other units of its kind."""
    took: Measured = None
    """Seconds."""
    undone: list[str] = Field(default_factory=list)
    """What the method changed in the generator or the process; the change was undone."""

    @property
    def measured(self) -> list[ScoreRecord]:
        """The scores that metrics gave, without the places where features are kept."""
        return [score for score in self.scores if isinstance(score, ScoreRecord)]

    @property
    def features(self) -> list[FeaturesRecord]:
        """Where its features lie."""
        return [score for score in self.scores if isinstance(score, FeaturesRecord)]


class InversionRecord(Record):
    """How one inversion went, as inversions.jsonl holds it."""

    key: str = ""
    """Identity: method, its settings and weights, generator, picture, camera, seed."""
    method: str
    """As registered."""
    item: str
    """The picture, by the name under which it was inverted first."""
    warm: bool
    """Whether the method had inverted before in its process: the first inversion includes initialisation."""
    folder: str = ""
    """Below `inversions/`; empty: made elsewhere."""
    error: str | None = None
    """Null: it went well."""
    seconds: Measured = None
    """Of the inversion."""
    peak_memory: Measured = None
    """MiB."""
    undone: list[str] = Field(default_factory=list)
    """What the method changed in the generator or the process; the change was undone."""
    time_limit: Measured = None
    """Seconds after which it was ended; null: it was not."""

    @property
    def effort(self) -> dict[str, float | None]:
        """What was measured, by the name of its metric; what is not known is left out."""
        told = {"seconds": self.seconds, "peak_memory": self.peak_memory}
        return {name: value for name, value in told.items() if name in self.model_fields_set}
