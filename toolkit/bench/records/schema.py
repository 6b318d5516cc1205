"""What a run writes down: typed records of finished work (cells.jsonl, inversions.jsonl) and results.json.

The text below a key is its description; the table of docs/bench.md is made from it. A change of a key's meaning raises
SCHEMA_VERSION.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

FORMAT, SCHEMA_VERSION = "toolkit-bench", 4


def _finite_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Measured = Annotated[float | None, BeforeValidator(_finite_or_none)]
"""A finite number; None where there is none (NaN and infinity become None)."""


class Record(BaseModel):
    """Base of everything that is written down: unknown keys, NaN and infinity are refused when it is read."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        populate_by_name=True,
        ser_json_inf_nan="null",
    )

    def as_json(self) -> dict[str, Any]:
        """What strict JSON can hold; keys that were never set are left out."""
        return self.model_dump(mode="json", exclude_unset=True)


class ScoreRecord(Record):
    """What a metric said about one comparison."""

    metric: str
    """Registered name, with `@part` where it looked at a part."""
    value: Measured
    used: int
    failed: int
    yaw: float | None = None
    """Of the view that was compared with, in whole degrees."""
    input_yaw: float | None = None
    target: str | None = None
    """Where the picture to compare with could not be read: its name."""
    error: str | None = None
    """Why it could not be read."""


class FeaturesRecord(Record):
    """Where the features of one render lie, for distances between distributions."""

    metric: None = None
    features: str
    """File in the folder `features`."""
    yaw: float | None = None
    group: str | None = None
    """Which distance they belong to, where a protocol has several."""


Scores = list[ScoreRecord | FeaturesRecord]


class CellRecord(Record):
    """One unit of work as cells.jsonl holds it: a method on an item in one protocol, or a piece of a precompute."""

    key: str = ""
    protocol: str
    method: str | None
    """None: a piece of the protocol's precompute."""
    item: str
    error: str | None = None
    """None: it went well."""
    stage: str | None = None
    """What failed: build, read, invert, score, precompute, worker."""
    scores: Scores = []
    precompute: str | None = Field(None, validation_alias=AliasChoices("precompute", "groundwork"))
    """Whose piece it is; runs of earlier versions called it `groundwork`."""
    size: int = 1
    """How much it is beside other units of its kind."""
    took: Measured = None
    """Seconds."""

    @property
    def measured(self) -> list[ScoreRecord]:
        """Its scores."""
        return [score for score in self.scores if isinstance(score, ScoreRecord)]

    @property
    def features(self) -> list[FeaturesRecord]:
        """Where its features lie."""
        return [score for score in self.scores if isinstance(score, FeaturesRecord)]


class InversionRecord(Record):
    """How one inversion went, as inversions.jsonl holds it."""

    key: str = ""
    method: str
    item: str
    warm: bool
    """Whether the method had inverted before in its process: a first time includes what is done once."""
    folder: str = ""
    """Below `inversions/`; empty: made elsewhere."""
    error: str | None = None
    seconds: Measured = None
    peak_memory: Measured = None
    """MiB."""

    @property
    def effort(self) -> dict[str, float | None]:
        """What was measured, by the name of its metric; what nobody told is left out."""
        told = {"seconds": self.seconds, "peak_memory": self.peak_memory}
        return {name: value for name, value in told.items() if name in self.model_fields_set}


class Row(Record):
    """A method's number under one metric."""

    method: str
    """As registered; `floor`: random heads against other random heads (`fid360`)."""
    protocol: str
    metric: str
    """Registered name, with `@part` where it looks at a part only."""
    value: Measured
    """Mean over items, or a distance between distributions; null where nothing could be measured."""
    low: Measured
    """Lower end of the 95 % interval that the run's `interval` describes."""
    high: Measured
    n: int
    """Comparisons that entered the value."""
    failed: int
    """Comparisons that could not be made."""
    direction: Literal["lower", "higher"]
    """Which is better."""
    unit: str
    backend: str
    """Which networks computed it: none, embedded, reference, or a network's name."""
    world: str
    """Of the generator: numbers of two worlds never stand in one table."""
    data: str
    """Name of the data set, domain included."""


class CurvePoint(Row):
    """A row of one yaw alone."""

    input_yaw: float
    """Degrees."""
    yaw: float
    """Of the view, in degrees."""


class ValueTable(Record):
    """A method's value of a metric on each item: what comparisons, best and worst cases come from."""

    protocol: str
    data: str
    method: str
    metric: str
    values: dict[str, float] = Field(min_length=1)
    """By item."""


class Difference(Record):
    """Two methods compared on what both did."""

    protocol: str
    data: str
    metric: str
    first: str
    second: str
    difference: float
    """First minus second: of means over items, or of distances between distributions."""
    low: float
    high: float
    n: int
    """Items that both have."""


class RunDifference(Difference):
    """A method of one run and a method of another one, compared."""

    direction: Literal["lower", "higher"]


class Cell(Record):
    """An item that was worked on."""

    protocol: str
    data: str
    item: str
    """The picture that is inverted."""
    subject: str
    """Whole subjects are resampled for intervals."""
    pictures: str = ""
    """Digest of the files of all pictures that it depends on."""


class Failure(Record):
    """What went wrong, once per item (and target)."""

    protocol: str
    data: str
    method: str | None
    """Null: the protocol's precompute."""
    item: str | None
    stage: str
    """What failed: build, read, invert, score, precompute, worker."""
    target: str | None = None
    """The picture to compare with that could not be read."""
    error: str


class Unavailable(Record):
    """A metric that could not be computed."""

    protocol: str
    data: str
    metric: str
    reason: str


class LeftOut(Record):
    """A protocol that the data does not permit."""

    protocol: str
    data: str
    reason: str


class Head(Record):
    """Where the small pictures of a head are."""

    data: str
    item: str
    method: str | None
    """Null: the truth."""
    frames: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    """Name of the file in the folder `frames`, without ending."""
    yaw: float | None = None
    """Of the truth: the input's, in degrees."""


class RunSettings(Record):
    """The protocol's settings, all of them (see `toolkit.bench.ProtocolSettings`), with its name filled in."""

    model_config = ConfigDict(extra="allow")

    name: str = ""
    about: str = ""
    seed: int = 0
    digest: str
    """Short hash over everything that decides what is measured."""


class Pictures(Record):
    """What was inverted."""

    source: str = ""
    """As it was asked for."""
    reader: str | None = None
    """Registered data set that read it; null: the toolkit's own layout."""
    domain: str = ""
    pictures: int = 0
    """In the data set."""
    cells: int
    """Items that were inverted."""


class MethodEntry(Record):
    """What a method was in this run."""

    options: dict[str, Any] = {}
    """What the user set."""
    weights: str = ""
    """sha256 of the checkpoint that the user named."""
    fingerprint: str = ""
    """Of everything else that its results depend on, such as weights that ship."""


class Environment(Record):
    """What can change numbers: versions, threads, seed."""

    model_config = ConfigDict(extra="allow")

    threads: int | None = None
    torch: str = ""
    seed: int = 0


class Machine(Record):
    """What timings depend on."""

    system: str = ""
    processor: str | None = None
    cores: int | None = None
    memory_gib: float | None = None
    device: str = "cpu"


class EngineEntry(Record):
    """Where units of work were done."""

    name: str = ""
    workers: int = 1


class Run(Record):
    """How the numbers of one protocol on one data set came about."""

    protocol: str
    data: str
    settings: RunSettings
    pictures: Pictures
    compared_at: str = ""
    """Resolution of image metrics."""
    image_size: int = 0
    choices: dict[str, Any] = {}
    """What numbers rest on beside settings: truncation, cameras, how distances are computed."""
    networks: dict[str, dict[str, str]] = {}
    """sha256 of the files of each metric's networks, by metric and file."""
    interval: str = ""
    """What `low` and `high` of rows are."""
    comparison: str = ""
    """What `low` and `high` of comparisons are."""
    backend: str = ""
    """As it was asked for."""
    methods: dict[str, MethodEntry] = {}
    environment: Environment = Environment()
    machine: Machine = Machine()
    engine: EngineEntry = EngineEntry()
    command: str = ""
    """How to get these results again."""


class GeneratorEntry(Record):
    """What everything was inverted into."""

    name: str
    fingerprint: str
    """sha256 over weights and configuration."""
    world: str
    """embedded, full or untrained."""
    licence: str = ""


class Results(Record):
    """results.json."""

    format: Literal["toolkit-bench"] = "toolkit-bench"
    schema_version: Literal[4] = 4
    generator: GeneratorEntry
    """name, fingerprint (sha256 over weights and configuration), world, licence"""
    runs: dict[str, Run] = {}
    """by "PROTOCOL on DATA": how its numbers came about"""
    rows: list[Row] = []
    """every method's number under every metric"""
    curves: list[CurvePoint] = []
    """rows per yaw of the view (`gt360`)"""
    values: list[ValueTable] = []
    """each method's value of each metric on each item"""
    comparisons: list[Difference] = []
    """every two methods on the items that both did"""
    cells: list[Cell] = []
    """items that were worked on"""
    failures: list[Failure] = []
    """what went wrong"""
    unavailable: list[Unavailable] = []
    """metrics that could not be computed"""
    left_out: list[LeftOut] = []
    """protocols that the data does not permit"""
    heads: list[Head] = []
    """where the small pictures of heads are"""
