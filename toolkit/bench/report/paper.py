"""The literature's printed numbers: shown apart from measured ones, and said to be comparable only where they are."""

from __future__ import annotations

from toolkit.bench.protocols.settings import open_protocol
from toolkit.bench.records.schema import Results
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
        if run.pictures.reader == table.data and run.settings.digest == digest
    }
    wanted = {_NETWORKS[name] for column in table.columns if (name := column.partition("@")[0]) in _NETWORKS}
    return any(
        (row.protocol, row.world, row.backend) == (table.protocol, paper.world, "reference")
        and (row.protocol, row.data) in same
        and row.metric.partition("@")[0] in wanted
        for row in results.rows
    )


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
        text += (
            f"<details{' open' if comparable else ''}><summary>{escape(table.name)}: {escape(table.caption)} "
            f"<small>({word})</small></summary><div class='scroll'><table class='plain'><thead><tr>{heads}</tr></thead>"
            f"<tbody>{body}</tbody></table></div></details>"
        )
    return text
