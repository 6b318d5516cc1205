"""report.html: one file with everything inside, which opens from disk without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from toolkit.bench.report.paper import paper_html
from toolkit.bench.report.pictures import Pictures
from toolkit.bench.report.sections import cases_html, curves_html, escape, gallery_html, table_html, times_html
from toolkit.bench.report.tables import ASIDE, Table, glance_of, number, tables_of
from toolkit.rendering.pixels import GENERATED_BY

COLOURS = 12
_WORLDS = {
    "embedded": "embedded world: synthetic heads, a miniature generator and small metric networks; these numbers say "
    "nothing about photographs or about PanoHead",
    "full": "full scale",
}


def build_page(results: dict[str, Any], frames: Path) -> str:
    """The page about results (as `read_results` returns them), with pictures from a folder of frames."""
    methods = [name for name in dict.fromkeys(row["method"] for row in results["rows"]) if name not in ASIDE]
    colours = {method: place % COLOURS for place, method in enumerate(methods)}
    pictures = Pictures(results, frames)
    parts = []
    for data in dict.fromkeys(row["data"] for row in results["rows"]):
        parts += _about_data(results, data, methods, colours, pictures)
    parts += [("failures", "Failures", _failures(results)), ("again", "How to reproduce", _again(results))]
    paper = paper_html(results)
    if paper:
        parts.append(("paper", "Printed in the paper", paper))
    worlds = dict.fromkeys(row["world"] for row in results["rows"])
    values = {
        "GENERATED": escape(GENERATED_BY),
        "LEAD": escape(_lead(results, methods)),
        "WORLD": escape("; ".join(_WORLDS.get(world, world) for world in worlds)),
        "NAV": "".join(f'<a href="#{name}">{escape(title)}</a>' for name, title, _ in parts),
        "BODY": "".join(
            f'<section id="{name}"><h2>{escape(title)}</h2>{body}</section>' for name, title, body in parts
        ),
        "DATA": json.dumps(pictures.embedded, separators=(",", ":")).replace("<", "\\u003c"),
    }
    head, *rest = files("toolkit.bench.report").joinpath("report.html").read_text(encoding="utf-8").split("@@")
    # Names and texts alternate, so that a value that looks like a placeholder stays what it is.
    return head + "".join(values[part] if index % 2 == 0 else part for index, part in enumerate(rest))


def _about_data(
    results: dict[str, Any], data: str, methods: Sequence[str], colours: Mapping[str, int], pictures: Pictures
) -> list[tuple[str, str, str]]:
    """The sections about one data set: name, title and HTML of each."""
    several = len({row["data"] for row in results["rows"]}) > 1
    after, tail = (f" · {data}", f"-{_anchor(data)}") if several else ("", "")
    tables = [table for table in tables_of(results["rows"]) if table.data == data]
    rows = [row for row in results["rows"] if row["data"] == data]
    seconds = {
        row["method"]: row["value"] for row in rows if row["metric"] == "seconds" and row["value"] is not None
    }  # fmt: skip
    found = []
    glance = _glance(tables, colours, results)
    if glance:
        found.append((f"glance{tail}", f"At a glance{after}", glance + times_html(rows, seconds, colours)))
    names = {cell["item"]: cell["subject"] for cell in results["cells"] if cell["data"] == data}
    gallery = gallery_html(pictures, data, methods, _item_numbers(results, data), names)
    if gallery:
        help_ = "<p>Drag any head, or the slider, to turn all of them together.</p>"
        found.append((f"heads{tail}", f"Heads side by side{after}", help_ + gallery))
    for table in tables:
        run = results["runs"].get(f"{table.protocol} on {data}", {})
        text = f"<p>{escape(run.get('settings', {}).get('about', ''))}</p>"
        text += table_html(table, colours, _ties(results, table))
        paired = f" ≈: {run['comparison']}." if "comparison" in run else ""
        text += f'<p class="small">Bars: {escape(run.get("interval", "") + ".")}{escape(paired)}</p>'
        curves = [
            point for point in results["curves"]
            if (point["protocol"], point["data"]) == (table.protocol, data)
            and point["metric"] in {column.label for column in table.columns}
        ]  # fmt: skip
        name = f"{_anchor(table.protocol)}{tail}{'-' + table.backend if table.backend == 'reference' else ''}"
        found.append((name, f"{table.protocol}{after}", text + curves_html(curves, colours)))
    cases = cases_html(results, pictures, data, methods)
    if cases:
        found.append((f"cases{tail}", f"Best and worst{after}", cases))
    return found


def _glance(tables: Sequence[Table], colours: Mapping[str, int], results: dict[str, Any]) -> str:
    table = glance_of(tables)
    if table is None:
        return ""
    note = "<b>Best</b>, <u>second</u>; ≈ not to be told from the best (paired bootstrap). Click a heading to sort."
    return f'{table_html(table, colours, _ties(results, table))}<p class="small">{note}</p>'


def _ties(results: dict[str, Any], table: Table) -> dict[tuple[str, str], bool]:
    """Methods whose paired difference from the best cannot be told from 0, by (method, column's key)."""
    found = {}
    for column in table.columns:
        best = next((method for method, rank in table.ranks(column).items() if rank == 1), None)
        for entry in results["comparisons"]:
            pair = (entry["first"], entry["second"])
            origin = (entry["protocol"], entry["data"], entry["metric"])
            if origin == (column.head or table.protocol, table.data, column.label) and best in pair:
                other = pair[1] if pair[0] == best else pair[0]
                found[other, column.key] = entry["low"] <= 0 <= entry["high"]
    return found


def _item_numbers(results: dict[str, Any], data: str) -> dict[tuple[str, str], str]:
    """What is written below a head: its distance from the truth all around, or from the input."""
    found: dict[tuple[str, str], str] = {}
    for protocol in ("reconstruction", "gt360"):
        for table in results["values"]:
            if (table["protocol"], table["data"], table["metric"]) == (protocol, data, "psnr"):
                for item, value in table["values"].items():
                    key = (table["method"], item)
                    word = "input" if protocol == "reconstruction" else "around"
                    found[key] = " · ".join(filter(None, [found.get(key), f"{word} {number(value)} dB"]))
    return found


def _lead(results: dict[str, Any], methods: Sequence[str]) -> str:
    pictures = max((run["pictures"]["cells"] for run in results["runs"].values()), default=0)
    data = ", ".join(dict.fromkeys(run["data"] for run in results["runs"].values()))
    return f"{len(methods)} methods, {pictures} heads of {data}, inverted into {results['generator']['name']}."


def _failures(results: dict[str, Any]) -> str:
    entries = [
        (
            entry["protocol"],
            entry["method"] or "all",
            entry.get("target") or entry["item"] or "all",
            entry["stage"],
            entry["error"],
        )
        for entry in results["failures"]
    ]
    text = _plain_table(("protocol", "method", "picture", "stage", "message"), list(dict.fromkeys(entries)))
    left = [(entry["protocol"], entry["metric"], entry["reason"]) for entry in results["unavailable"]]
    left += [(entry["protocol"], "whole protocol", entry["reason"]) for entry in results["left_out"]]
    text = text or "<p>None.</p>"
    if left:
        text += "<h3>Left out</h3>" + _plain_table(("protocol", "what", "why"), list(dict.fromkeys(left)))
    return text


def _plain_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    return f'<div class="scroll"><table class="plain"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _again(results: dict[str, Any]) -> str:
    generator, text = results["generator"], ""
    for command in dict.fromkeys(run["command"] for run in results["runs"].values() if run.get("command")):
        text += f"<pre>{escape(command)}</pre>"
    facts = [("generator", f"{generator['name']}, fingerprint {generator['fingerprint'][:16]}"),
             ("licence of its weights", generator["licence"] or "not stated")]  # fmt: skip
    for run in list(results["runs"].values())[:1]:
        facts += [(name, str(value)) for name, value in {**run["environment"], **run["machine"]}.items()]
        facts.append(("images compared at", run["compared_at"]))
    text += _plain_table(("what", "value"), facts)
    for title, run in results["runs"].items():
        body = json.dumps({"settings": run["settings"], "methods": run["methods"]}, indent=1, ensure_ascii=False)
        text += f"<details><summary>Settings of {escape(title)}</summary><pre>{escape(body)}</pre></details>"
    return text + "<p>All numbers: results.json, table.csv, table.tex beside this page.</p>"


def _anchor(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text)
