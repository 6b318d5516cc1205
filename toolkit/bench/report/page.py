"""report.html: one file with everything inside, which opens from disk without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from toolkit.bench.records.schema import Results, Run
from toolkit.bench.report.conditions import conditions_of, title_of
from toolkit.bench.report.gallery_sections import cases_html, gallery_html
from toolkit.bench.report.glance import glance_of
from toolkit.bench.report.paper import paper_html
from toolkit.bench.report.pictures import Pictures
from toolkit.bench.report.sections import curves_html, escape, table_html, times_html
from toolkit.bench.report.tables import NOT_METHODS, Table, number, tables_of
from toolkit.rendering.pixels import GENERATED_BY

COLOURS = 12
_WORLDS = {
    "embedded": "Embedded world: synthetic heads, a miniature generator and small metric networks; these numbers say "
    "nothing about photographs or about PanoHead",
    "full": "Full scale",
    "untrained": "Untrained: the generator has random weights; these numbers say nothing about quality",
}


class Section(NamedTuple):
    """A part of the page."""

    name: str
    """Anchor."""
    title: str
    html: str


@dataclass(frozen=True)
class _Page:
    """What all sections are made from."""

    results: Results
    methods: Sequence[str]
    colours: Mapping[str, int]
    pictures: Pictures


def build_page(results: Results, frames: Path) -> str:
    """The page about results (as `read_results` returns them), with pictures from a folder of views."""
    methods = [name for name in dict.fromkeys(row.method for row in results.rows) if name not in NOT_METHODS]
    colours = {method: place % COLOURS for place, method in enumerate(methods)}
    page = _Page(results, methods, colours, Pictures(results, frames))
    parts = [part for data in dict.fromkeys(row.data for row in results.rows) for part in _about_data(page, data)]
    parts.append(Section("failures", "Failures", _failures(results)))
    parts.append(Section("again", "How to reproduce", _again(results)))
    paper = paper_html(results)
    if paper:
        parts.append(Section("paper", "Printed in the paper", paper))
    worlds = dict.fromkeys(row.world for row in results.rows)
    embedded = {name: views.as_json() for name, views in page.pictures.embedded.items()}
    values = {
        "GENERATED": escape(GENERATED_BY),
        "LEAD": escape(_lead(results, methods)),
        "WORLD": escape(". ".join(_WORLDS.get(world, world) for world in worlds)),
        "NAV": "".join(f'<a href="#{escape(part.name)}">{escape(part.title)}</a>' for part in parts),
        "BODY": "".join(
            f'<section id="{escape(part.name)}"><h2>{escape(part.title)}</h2>{part.html}</section>' for part in parts
        ),
        "DATA": json.dumps(embedded, separators=(",", ":")).replace("<", "\\u003c"),
    }
    head, *rest = files("toolkit.bench.report").joinpath("report.html").read_text(encoding="utf-8").split("@@")
    # Names and texts alternate, so that a value that looks like a placeholder stays what it is.
    return head + "".join(values[part] if index % 2 == 0 else part for index, part in enumerate(rest))


def _about_data(page: _Page, data: str) -> list[Section]:
    """The sections about one data set; several data sets are told apart by their titles."""
    tables = [table for table in tables_of(page.results.rows) if table.data == data]
    found = [
        Section("glance", "At a glance", _glance_section(page, tables, data)),
        Section("heads", "Heads side by side", _gallery_section(page, data)),
        *(_protocol_section(page, table) for table in tables),
        Section("cases", "Best and worst", cases_html(page.results, page.pictures, data, page.methods)),
    ]
    several = len({row.data for row in page.results.rows}) > 1
    after, tail = (f" · {data}", f"-{_anchor(data)}") if several else ("", "")
    return [Section(part.name + tail, part.title + after, part.html) for part in found if part.html]


def _glance_section(page: _Page, tables: Sequence[Table], data: str) -> str:
    glance = _glance(tables, page.colours, page.results)
    if not glance:
        return ""
    rows = [row for row in page.results.rows if row.data == data]
    seconds = {row.method: row.value for row in rows if row.metric == "seconds" and row.value is not None}
    return glance + times_html(rows, seconds, page.colours)


def _gallery_section(page: _Page, data: str) -> str:
    names = {cell.item: cell.subject for cell in page.results.cells if cell.data == data}
    gallery = gallery_html(page.pictures, data, page.methods, _item_numbers(page.results, data), names)
    return gallery and f"<p>Drag any head, or the slider, to turn all of them together.</p>{gallery}"


def _protocol_section(page: _Page, table: Table) -> Section:
    results = page.results
    run = results.runs.get(table.run_title)
    told = [] if run is None else [run.settings.about, *(f"{each}." for each in conditions_of(run))]
    text = "".join(f"<p>{escape(each)}</p>" for each in told)
    text += table_html(table, page.colours, _ties(results, table))
    text += "" if run is None else f'<p class="small">{escape(_intervals(run))}</p>'
    labels = {column.label for column in table.columns}
    curves = [
        point
        for point in results.curves
        if (point.protocol, point.data) == (table.protocol, table.data) and point.metric in labels
    ]
    name = _anchor(table.protocol) + ("-reference" if table.backend == "reference" else "")
    return Section(name, title_of(table.protocol, run), text + curves_html(curves, page.colours))


def _intervals(run: Run) -> str:
    """What bars and ties of a table mean."""
    return f"Bars: {run.interval}." + (f" ≈: {run.comparison}." if run.comparison else "")


def _glance(tables: Sequence[Table], colours: Mapping[str, int], results: Results) -> str:
    table = glance_of(tables)
    if table is None:
        return ""
    note = (
        "<b>Best</b>, <u>second</u> best; ≈: cannot be told from the best (paired bootstrap). A column without marks "
        "cannot tell the methods apart. Click a heading to sort."
    )
    return f'{table_html(table, colours, _ties(results, table))}<p class="small">{note}</p>'


def _ties(results: Results, table: Table) -> dict[tuple[str, str], bool]:
    """Methods whose paired difference from the best cannot be told from 0, by (method, column's key)."""
    found = {}
    for column in table.columns:
        best = next((method for method, rank in table.ranks(column).items() if rank == 1), None)
        for entry in results.comparisons:
            pair = (entry.first, entry.second)
            origin = (entry.protocol, entry.data, entry.metric)
            if origin == (column.head or table.protocol, table.data, column.label) and best in pair:
                other = pair[1] if pair[0] == best else pair[0]
                found[other, column.key] = entry.low <= 0 <= entry.high
    return found


def _item_numbers(results: Results, data: str) -> dict[tuple[str, str], str]:
    """What is written below a head: its distance from the truth all around, or from the input."""
    found: dict[tuple[str, str], str] = {}
    for protocol, word in (("reconstruction", "input"), ("gt360", "around")):
        for table in results.values:
            if (table.protocol, table.data, table.metric) == (protocol, data, "psnr"):
                for item, value in table.values.items():
                    key = (table.method, item)
                    found[key] = " · ".join(filter(None, [found.get(key), f"{word} {number(value)} dB"]))
    return found


def _lead(results: Results, methods: Sequence[str]) -> str:
    pictures = max((run.pictures.cells for run in results.runs.values()), default=0)
    data = ", ".join(dict.fromkeys(run.data for run in results.runs.values()))
    compared, heads = _counted(len(methods), "method"), _counted(pictures, "head")
    return f"{compared}, {heads} of {data}, inverted into {results.generator.name}."


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing if count == 1 else thing + 's'}"


def _failures(results: Results) -> str:
    entries = [
        (each.protocol, each.method or "all", each.target or each.item or "all", each.stage, each.error)
        for each in results.failures
    ]
    text = _plain_table(("protocol", "method", "picture", "stage", "message"), list(dict.fromkeys(entries)))
    left = [(each.protocol, each.metric, each.reason) for each in results.unavailable]
    left += [(each.protocol, "whole protocol", each.reason) for each in results.left_out]
    text = text or "<p>None.</p>"
    warnings = [(each.protocol, each.method or "data", each.item or "all", each.text) for each in results.warnings]
    if warnings:
        text += "<h3>Not to be trusted as it stands</h3>"
        text += _plain_table(("protocol", "what", "picture", "why"), list(dict.fromkeys(warnings)))
    if left:
        text += "<h3>Left out</h3>" + _plain_table(("protocol", "what", "why"), list(dict.fromkeys(left)))
    return text


def _plain_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    return f'<div class="scroll"><table class="plain"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


_FACTS = {"memory_gib": "memory (GiB)"}


def _again(results: Results) -> str:
    generator, text = results.generator, ""
    for command in dict.fromkeys(_commands(results)):
        words = (
            f"<span>{escape(word)}</span>" for word in command.split(" ")
        )  # an option is not broken at its hyphens
        text += f"<pre>{' '.join(words)}</pre>"
    facts = [("generator", f"{generator.name}, fingerprint {generator.fingerprint[:16]}"),
             ("licence of its weights", generator.licence or "not stated")]  # fmt: skip
    for run in list(results.runs.values())[:1]:
        about = {**run.environment.as_json(), **run.machine.as_json()}
        facts += [(_FACTS.get(name, name), _said(value)) for name, value in about.items()]
        facts.append(("images compared at", run.compared_at))
    text += _plain_table(("what", "value"), facts)
    for title, run in results.runs.items():
        shown = run.model_dump(mode="json", include={"settings", "methods"}, exclude_unset=True)
        body = json.dumps(shown, indent=1, ensure_ascii=False)
        text += f"<details><summary>Settings of {escape(title)}</summary><pre>{escape(body)}</pre></details>"
    return text + "<p>All numbers: results.json, table.csv, table.tex beside this page.</p>"


def _said(value: object) -> str:
    """A fact as text; an empty list is of what makes arithmetic faster and less exact."""
    return (", ".join(map(str, value)) or "exact") if isinstance(value, list) else str(value)


def _commands(results: Results) -> list[str]:
    """How to get these results again: earlier runs' commands first."""
    earlier = [entry.command for run in results.runs.values() for entry in run.methods.values()]
    return [command for command in (*earlier, *(run.command for run in results.runs.values())) if command]


def _anchor(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text)
