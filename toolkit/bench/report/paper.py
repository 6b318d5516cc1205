"""Numbers that papers print: shown apart from measured ones, with a note whether the two can be compared."""

from __future__ import annotations

from pydantic import Field

from toolkit.bench.protocols.registered import open_protocol
from toolkit.bench.records.schema import Results, Run
from toolkit.bench.report.conditions import changed_settings, conditions_of
from toolkit.bench.report.sections import escape
from toolkit.configuration import Config, config_path, load_config

_NAME = "reference/paper_tables"
_NETWORKS = {"lpips": "lpips_alex", "id": "id_curricularface", "fid": "fid"}
"""The measured metric that a printed column is nearest to, of those that a network computes."""


class PaperTable(Config):
    """A table as printed."""

    name: str
    caption: str
    data: str
    """Reader of the data set (READER:PATH): a folder's name says nothing about what is in it."""
    protocol: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]


class Paper(Config):
    """Tables of a paper."""

    source: str
    world: str
    tables: tuple[PaperTable, ...]
    presets: dict[str, str] = Field(default_factory=dict)
    """By method: the preset by which it does what the paper says, where its default does something else."""


def read_paper() -> Paper:
    """The numbers that ship with the toolkit."""
    return load_config(Paper, config_path(_NAME))


def is_comparable(table: PaperTable, paper: Paper, results: Results) -> bool:
    """Whether results hold numbers of the same metrics, protocol with its settings, data set and world.

    Which networks the paper's LPIPS and ID are of is not printed: those that this toolkit puts first are taken.
    """
    digest = open_protocol(table.protocol).digest
    same = {
        (run.protocol, run.data)
        for run in results.runs.values()
        if table.data in readers_of(run) and run.settings.digest == digest and not trained_on_inputs(run)
    }
    wanted = {_NETWORKS[name] for column in table.columns if (name := column.partition("@")[0]) in _NETWORKS}
    return any(
        (row.protocol, row.world, row.backend) == (table.protocol, paper.world, "reference")
        and (row.protocol, row.data) in same
        and row.metric.partition("@")[0] in wanted
        for row in results.rows
    )


def readers_of(run: Run) -> list[str]:
    """The registered data sets that read a run's pictures."""
    return (run.pictures.reader or "").split("+")


def trained_on_inputs(run: Run) -> dict[str, int]:
    """How many of a run's inputs each method was trained on; methods without any are left out."""
    return {name: entry.seen for name, entry in run.methods.items() if entry.seen}


def differences_from_paper(table: PaperTable, paper: Paper, results: Results) -> list[str]:
    """What still differs between a printed table and the runs that come nearest to it, each in a few words.

    What the paper does not print (pixel range, networks, pictures) is never known to be equal: it is listed last.
    """
    settings = open_protocol(table.protocol)
    runs = [run for run in results.runs.values() if run.settings.kind == settings.kind]
    if not runs:
        return [f"no run of the protocol {table.protocol}", *_fid_conditions(table, results)]
    found = []
    if results.generator.world != paper.world:
        found.append(f"world: {results.generator.world}, not {paper.world} scale")
    run = max(runs, key=lambda each: (table.data in readers_of(each), each.settings.digest == settings.digest))
    if table.data not in readers_of(run):
        found.append(f"pictures: {run.data}, not read as {table.data}")
    found += [
        f"{method} was trained on {count} of the {run.pictures.cells} pictures"
        for method, count in trained_on_inputs(run).items()
    ]
    if run.settings.digest != settings.digest:
        changed = "; ".join(changed_settings(run))
        found.append(f"settings of {table.protocol} were changed{changed and f': {changed}'}")
    found += [
        f"{method} without the preset {preset!r} (--option {method}.preset={preset})"
        for method, preset in paper.presets.items()
        if method in table.rows and method in run.methods and run.methods[method].options.get("preset") != preset
    ]
    found += _options_set(table, run)
    if run.pictures.cells < run.pictures.pictures and table.protocol == "reconstruction":
        found.append(f"{run.pictures.cells} of {run.pictures.pictures} pictures")
    measured = {row.metric.partition("@")[0] for row in results.rows if row.backend == "reference"}
    wanted = {_NETWORKS[name] for column in table.columns if (name := column.partition("@")[0]) in _NETWORKS}
    missing = sorted(wanted - measured)
    if missing:
        found.append(f"not measured: {', '.join(missing)}")
    if "fid" in {column.partition("@")[0] for column in table.columns} and table.protocol == "reconstruction":
        found.append("its FID is over rendered views all around (here: protocol fid360)")
    found += _fid_conditions(table, results)
    if "seconds" in table.columns:
        found.append(f"seconds: taken on {run.machine.device}, not on the paper's machine")
    pictures = f"which pictures and how many (here: {run.pictures.cells})"
    return [*found, f"not printed: pixel range of L2, networks of LPIPS and ID, how FID was computed, {pictures}"]


def _options_set(table: PaperTable, run: Run) -> list[str]:
    """Methods of a table that did not run with their own settings, with what the user set beside a preset."""
    set_by_user = {
        method: [f"{key}={value}" for key, value in entry.options.items() if key != "preset"]
        for method, entry in run.methods.items()
        if method in table.rows
    }
    return [f"{method} with {', '.join(options)}" for method, options in set_by_user.items() if options]


def _fid_conditions(table: PaperTable, results: Results) -> list[str]:
    """What runs of fid360 did otherwise than as shipped, beside a printed FID over 360 degrees."""
    runs = [run for run in results.runs.values() if run.settings.kind == "fid360" and "fid" in table.columns]
    return [f"{run.protocol} on {run.data}: {each}" for run in runs for each in conditions_of(run)]


def paper_differences(results: Results) -> dict[str, list[str]]:
    """By printed table: what still differs from it, for the tables whose protocol ran in the paper's world.

    Results of another world have none: their tables say that they must not be compared with a paper's.
    """
    paper, kinds = read_paper(), {run.settings.kind for run in results.runs.values()}
    if results.generator.world != paper.world:
        return {}
    return {
        table.name: differences_from_paper(table, paper, results)
        for table in paper.tables
        if table.protocol in kinds or ("fid" in table.columns and "fid360" in kinds)
    }


def paper_html(results: Results) -> str:
    """All printed tables, folded away unless they are comparable with something measured."""
    paper = read_paper()
    text = (
        f"<p>Printed in {escape(paper.source)}; nothing in this section was measured here. It is full scale, on other "
        "pictures and with other metric networks than any embedded result.</p>"
    )
    for table in paper.tables:
        comparable = is_comparable(table, paper, results)
        word = (
            f"same protocol, and pictures read as {table.data}, as measured above; which pictures, and which networks "
            "LPIPS and ID are of, is not printed"
            if comparable
            else "not comparable with this run"
        )
        heads = "".join(f"<th>{escape(name)}</th>" for name in ("method", *table.columns))
        body = "".join(
            f"<tr><td>{escape(method)}</td>{''.join(f'<td>{escape(value)}</td>' for value in values)}</tr>"
            for method, values in table.rows.items()
        )
        apart = "".join(f"<li>{escape(each)}</li>" for each in differences_from_paper(table, paper, results))
        body += f'<tr><td colspan="{len(table.columns) + 1}">What differs from this run:<ul>{apart}</ul></td></tr>'
        text += (
            f"<details{' open' if comparable else ''}><summary>{escape(table.name)}: {escape(table.caption)} "
            f"<small>({word})</small></summary><div class='scroll'><table class='plain'><thead><tr>{heads}</tr></thead>"
            f"<tbody>{body}</tbody></table></div></details>"
        )
    return text
