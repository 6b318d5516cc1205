"""results.json as a typed document.

The text below a key is its description; the tables of docs/bench.md are made from it. SCHEMA_VERSION rises when the
meaning of a key changes.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, ConfigDict, Field

from toolkit.bench.records.base import Count, Measured, Number, Record
from toolkit.bench.records.shown import rows_as_frame, rows_as_html

FORMAT, SCHEMA_VERSION = "toolkit-bench", 4
FLOOR = "floor"
"""The rows of random heads against other random heads (`fid360`)."""


class Row(Record):
    """A method's number under one metric."""

    method: str
    """As registered; `floor`: random heads against other random heads (`fid360`)."""
    protocol: str
    """As results call it."""
    metric: str
    """Registered name, with `@part` where it looks at a part only."""
    value: Measured
    """Mean over items, or a distance between distributions; null where nothing could be measured."""
    low: Measured
    """Lower end of the 95 % interval that the run's `interval` describes."""
    high: Measured
    """Upper end."""
    n: Count
    """Comparisons that entered the value."""
    failed: Count
    """Comparisons that could not be made."""
    direction: Literal["lower", "higher"]
    """Which is better."""
    unit: str
    """Empty: a plain number."""
    backend: str
    """Which networks computed it: none, embedded, reference, or a network's name."""
    world: str
    """Of the generator: numbers of two worlds never stand in one table."""
    data: str
    """Name of the data set, domain included."""


class CurvePoint(Row):
    """A row of one yaw alone."""

    input_yaw: Number
    """Degrees."""
    yaw: Number
    """Of the view, in degrees."""


class ValueTable(Record):
    """A method's value of a metric on each item: what comparisons, best and worst cases come from."""

    protocol: str
    """As in a row."""
    data: str
    """As in a row."""
    method: str
    """As in a row."""
    metric: str
    """As in a row."""
    values: dict[str, Number] = Field(min_length=1)
    """By item."""


class Difference(Record):
    """Two methods compared on the items that both have."""

    protocol: str
    """As in a row."""
    data: str
    """As in a row."""
    metric: str
    """As in a row."""
    first: str
    """A method."""
    second: str
    """The other method."""
    difference: float
    """First minus second: of means over items, or of distances between distributions."""
    low: float
    """Lower end of the 95 % interval that the run's `comparison` describes."""
    high: float
    """Upper end."""
    n: Count
    """Items that both have."""


class RunDifference(Difference):
    """A method of one run and a method of another one, compared."""

    direction: Literal["lower", "higher"]
    """Which is better."""


class Cell(Record):
    """An item that was worked on."""

    protocol: str
    """As in a row."""
    data: str
    """As in a row."""
    item: str
    """The picture that is inverted."""
    subject: str
    """Whole subjects are resampled for intervals."""
    pictures: str = ""
    """Digest of the files of all pictures that it depends on."""


class Failure(Record):
    """What went wrong, once per item (and target)."""

    protocol: str
    """As in a row."""
    data: str
    """As in a row."""
    method: str | None
    """Null: the protocol's precompute."""
    item: str | None
    """Null: the whole protocol."""
    stage: str
    """What failed: build, read, invert, score, time_limit, precompute, worker, machine (disk, memory or device)."""
    target: str | None = None
    """The picture to compare with that could not be read."""
    error: str
    """One line."""


class RunWarning(Record):
    """What did not fail, but makes results doubtful: odd cameras, methods that changed the generator or the process."""

    protocol: str
    """As in a row."""
    data: str
    """As in a row."""
    method: str | None = None
    """Null: it is about the data."""
    item: str | None = None
    """The picture; null: all."""
    text: str
    """One sentence."""


class Unavailable(Record):
    """A metric that could not be computed."""

    protocol: str
    """As in a row."""
    data: str
    """As in a row."""
    metric: str
    """Registered name."""
    reason: str
    """One sentence."""


class LeftOut(Record):
    """A protocol that the data does not permit."""

    protocol: str
    """As in a row."""
    data: str
    """As in a row."""
    reason: str
    """One sentence."""


class Head(Record):
    """Where the small pictures of a head are."""

    data: str
    """As in a row."""
    item: str
    """The picture that was inverted."""
    method: str | None
    """Null: the truth."""
    frames: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    """Name of the file in the folder `frames`, without ending."""
    yaw: Measured = None
    """Of the truth: the input's, in degrees."""


class RunSettings(Record):
    """The protocol's settings, all of them (see `toolkit.bench.ProtocolSettings`), with its name filled in."""

    model_config = ConfigDict(extra="allow")

    kind: str = ""
    """The registered protocol."""
    name: str = ""
    """What results call the protocol."""
    about: str = ""
    """The question that it answers."""
    seed: Count = 0
    """Of methods, random heads and resampling."""
    digest: str
    """Short hash over everything that decides what is measured."""


class Pictures(Record):
    """The data that a run inverted: where it came from, how it was read, and how many pictures were chosen."""

    source: str = ""
    """As requested."""
    reader: str | None = None
    """Registered data set that read it (several: joined by +); null: the toolkit's own layout."""
    domain: str = ""
    """Of a procedural data set."""
    pictures: Count = 0
    """In the data set."""
    cells: Count
    """Items that were inverted."""


class MethodEntry(Record):
    """Settings and weights of a method in this run."""

    method: str = ""
    """Its own name, where the row has another (`--methods ROW=METHOD`)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What the user set."""
    weights: str = ""
    """sha256 of the checkpoint that the user named."""
    fingerprint: str = ""
    """Of everything else that its results depend on, such as weights that ship."""
    undone: list[str] = Field(default_factory=list)
    """What building it changed in the generator or the process; the change was undone."""
    seen: Count | None = None
    """How many of the inputs it was trained on; null: its weights do not tell."""
    command: str = ""
    """Of the earlier run that it was measured in; not set: this run's."""


class Environment(Record):
    """What can change numbers: versions, threads, seed."""

    model_config = ConfigDict(extra="allow")

    threads: int | None = None
    """CPU threads of each process."""
    arithmetic: list[str] = Field(default_factory=list)
    """Faster and less exact ways to compute that were switched on (`toolkit.devices.ARITHMETIC`)."""
    torch: str = ""
    """Its version."""
    seed: Count = 0
    """The protocol's."""


class Machine(Record):
    """What timings depend on."""

    system: str = ""
    """Operating system and architecture."""
    processor: str | None = None
    """Null: unknown."""
    cores: int | None = None
    """Null: unknown."""
    memory_gib: float | None = None
    """Null: unknown."""
    device: str = "cpu"
    """Name of the GPU, or cpu."""


class EngineEntry(Record):
    """Where units of work were done."""

    name: str = ""
    """local, processes or ray."""
    workers: Count = 1
    """Units at once."""


class Run(Record):
    """How the numbers of one protocol on one data set came about."""

    protocol: str
    """As in a row."""
    data: str
    """As in a row."""
    settings: RunSettings
    """The protocol's."""
    pictures: Pictures
    """What was inverted."""
    compared_at: str = ""
    """Resolution of image metrics."""
    image_size: Count = 0
    """Side of the generator's pictures in pixels."""
    choices: dict[str, Any] = Field(default_factory=dict)
    """What numbers depend on besides settings: truncation, cameras, how distances are computed."""
    networks: dict[str, dict[str, str]] = Field(default_factory=dict)
    """sha256 of the files of each metric's networks, by metric and file."""
    interval: str = ""
    """What `low` and `high` of rows are."""
    comparison: str = ""
    """What `low` and `high` of comparisons are."""
    backend: str = ""
    """As requested."""
    methods: dict[str, MethodEntry] = Field(default_factory=dict)
    """Settings and weights of each method."""
    environment: Environment = Environment()
    """Versions, threads, seed."""
    machine: Machine = Machine()
    """Where it ran."""
    engine: EngineEntry = EngineEntry()
    """How many units at once."""
    command: str = ""
    """How to get these results again."""
    keep: str = ""
    """How much of each inversion was kept; half: numbers are those of inversions in 16 bit."""


class GeneratorEntry(Record):
    """The generator that all methods invert into."""

    name: str
    """As registered."""
    fingerprint: str
    """sha256 over weights and configuration."""
    world: str
    """embedded, full or untrained."""
    licence: str = ""
    """Of its weights."""


class Results(Record):
    """The whole of results.json: what ran, on what data, and every number, failure and note that came of it."""

    format: Literal["toolkit-bench"] = "toolkit-bench"
    """Which kind of file this is."""
    schema_version: Literal[4] = 4
    """Rises when a key's meaning changes."""
    generator: GeneratorEntry
    """The generator that all methods invert into."""
    runs: dict[str, Run] = Field(default_factory=dict)
    """By "PROTOCOL on DATA": how its numbers came about."""
    rows: list[Row] = Field(default_factory=list)
    """Every method's number under every metric."""
    curves: list[CurvePoint] = Field(default_factory=list)
    """Rows per yaw of the view (`gt360`)."""
    values: list[ValueTable] = Field(default_factory=list)
    """Each method's value of each metric on each item."""
    comparisons: list[Difference] = Field(default_factory=list)
    """Comparisons of every two methods on the items that both have."""
    cells: list[Cell] = Field(default_factory=list)
    """Items that were worked on."""
    failures: list[Failure] = Field(default_factory=list)
    """What went wrong."""
    warnings: list[RunWarning] = Field(default_factory=list, validation_alias=AliasChoices("warnings", "doubts"))
    """What did not fail, but makes results doubtful (`doubts` in files of earlier versions)."""
    unavailable: list[Unavailable] = Field(default_factory=list)
    """Metrics that could not be computed."""
    left_out: list[LeftOut] = Field(default_factory=list)
    """Protocols that the data does not permit."""
    heads: list[Head] = Field(default_factory=list)
    """Where the small pictures of heads are."""

    def as_frame(self) -> Any:
        """The rows as a pandas data frame: a line per method and metric.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        return rows_as_frame(self.rows)

    def _repr_html_(self) -> str:
        """What a notebook shows: a table per protocol."""
        return rows_as_html(self.rows)

    def __repr__(self) -> str:
        """One line with generator, methods, number of rows and protocols."""
        methods = list(dict.fromkeys(row.method for row in self.rows))
        return f"Results({self.generator.name}: {', '.join(methods)}; {len(self.rows)} rows of {', '.join(self.runs)})"
