"""The parts of the page as HTML; every text from outside is escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence

from toolkit.bench.records.schema import CurvePoint, Row
from toolkit.bench.records.shown import ARROWS
from toolkit.bench.report.charts import time_chart, yaw_chart
from toolkit.bench.report.tables import NOT_METHODS, Column, Table, number

Colours = Mapping[str, int]


def escape(text: object) -> str:
    """Text that is safe between tags and in attributes."""
    return html.escape(str(text))


def table_html(table: Table, colours: Colours, ties: Mapping[tuple[str, str], bool]) -> str:
    """A sortable table; below each number its interval on the column's scale.

    Args:
        table: What to show.
        colours: Colour number by method.
        ties: Whether a method cannot be told from the best, by (method, column's key).
    """
    line = '<tr><th scope="col" data-sort="text">method</th>'
    for column in table.columns:
        above = f"<small>{escape(column.head)}</small>" if column.head else ""
        name, _, part = column.label.partition("@")
        below = f"<i>{escape(part)}</i>" if part else ""
        better = "ascending" if column.direction == "lower" else "descending"
        unit = f" <small>{escape(column.unit)}</small>" if column.unit else ""
        line += (
            f'<th scope="col" data-sort="{better}" title="{escape(column.direction)} is better">'
            f"{above}<span>{escape(name)} {ARROWS[column.direction]}{unit}</span>{below}</th>"
        )
    if not table.is_glance:
        line += '<th scope="col" data-sort="descending" title="comparisons used, and failed">n</th>'
    line += "</tr>"
    scales = {column.key: _scale(table, column) for column in table.columns}
    ranks = {column.key: table.ranks(column) for column in table.columns}
    body = ""
    for method in table.methods:
        swatch = f'<b class="swatch m{colours[method]}"></b>' if method in colours else ""
        body += f'<tr{" class=aside" if method in NOT_METHODS else ""}><th scope="row">{swatch}{escape(method)}</th>'
        for column in table.columns:
            row = table.cells.get((method, column.key))
            tied = ties.get((method, column.key), False)
            body += _cell(
                row,
                ranks[column.key].get(method, 0),
                scales[column.key],
                tied,
                table.places(column),
                table.fewer(method, column),
            )
        used, failed = table.counts(method)
        lost = f'<em class="lost">+{failed}</em>' if failed else ""
        body += "</tr>" if table.is_glance else f'<td data-v="{used}" class="n">{used}{lost}</td></tr>'
    return f'<div class="scroll"><table class="numbers"><thead>{line}</thead><tbody>{body}</tbody></table></div>'


def _scale(table: Table, column: Column) -> tuple[float, float]:
    ends = [
        end
        for method in table.methods
        if (row := table.cells.get((method, column.key)))
        for end in (row.value, row.low, row.high)
        if end is not None
    ]
    return (min(ends), max(ends)) if ends else (0.0, 0.0)


def _cell(
    row: Row | None, rank: int, scale: tuple[float, float], tied: bool, places: int | None, fewer: int | None
) -> str:
    if row is None or row.value is None:
        return '<td class="none" title="no comparison could be made">–</td>' if row else "<td></td>"
    value = {1: "<b>{}</b>", 2: "<u>{}</u>"}.get(rank, "{}").format(number(row.value, places))
    note = f"{row.value:.6g}, {row.n} used, {row.failed} failed"
    track = ""
    if row.low is not None and row.high is not None and scale[1] > scale[0]:
        low, high, middle = (100 * (end - scale[0]) / (scale[1] - scale[0]) for end in (row.low, row.high, row.value))
        track = (
            f'<i class="track"><i style="left:{low:.1f}%;width:{max(high - low, 0.5):.1f}%"></i>'
            f'<i class="mid" style="left:{middle:.1f}%"></i></i>'
        )
        note += f", interval {number(row.low)} to {number(row.high)}"
    mark = (
        '<span class="tie" title="cannot be told from the best: the interval of the paired difference holds 0">≈</span>'
    )
    less = "" if fewer is None else f" <small>n={fewer}</small>"
    return f'<td data-v="{row.value!r}" title="{note}">{mark if tied else ""}{value}{less}{track}</td>'


def curves_html(curves: Sequence[CurvePoint], colours: Colours) -> str:
    """A chart per metric over the yaw of the view, one shown at a time."""
    labels = list(dict.fromkeys(point.metric for point in curves))
    figures = {}
    for label in labels:
        points = [point for point in curves if point.metric == label and point.value is not None]
        start = min((point.input_yaw for point in points), default=None)
        lines: dict[str, list[tuple[float, float]]] = {}
        for point in sorted(points, key=lambda point: point.yaw):
            if point.input_yaw == start and point.method in colours and point.value is not None:
                lines.setdefault(point.method, []).append((point.yaw, point.value))
        if lines:
            arrow = ARROWS[points[0].direction]
            numbered = {colours[method]: line for method, line in lines.items()}
            data = {method: {str(yaw): number(value) for yaw, value in line} for method, line in lines.items()}
            figures[label] = (
                f"<div data-lines='{escape(json.dumps(data))}'>{yaw_chart(numbered, f'{label} {arrow} per yaw')}</div>"
            )
    return choice_html(figures, "Metric", legend_html(colours)) if figures else ""


def times_html(table_rows: Sequence[Row], seconds: Mapping[str, float], colours: Colours) -> str:
    """Charts of quality against seconds per inversion, one shown at a time."""
    figures = {}
    keys = dict.fromkeys((row.protocol, row.metric) for row in table_rows)
    for key in sorted(keys, key=lambda key: (key[0] != "gt360", "@" in key[1])):
        if key[1].partition("@")[0] in ("seconds", "peak_memory"):
            continue
        rows = [row for row in table_rows if (row.protocol, row.metric) == key]
        points = {
            row.method: (colours[row.method], seconds[row.method], row.value)
            for row in rows
            if row.method in colours and seconds.get(row.method, 0) > 0 and row.value is not None
        }
        if len(points) > 1:
            label = f"{key[0]}: {key[1]} {ARROWS[rows[0].direction]}"
            figures[label] = time_chart(points, f"{label} against seconds per inversion")
    return choice_html(figures, "Quality") if figures else ""


def choice_html(figures: Mapping[str, str], word: str, below: str = "") -> str:
    """Figures of which one is shown, chosen by a list."""
    options = "".join(f"<option>{escape(name)}</option>" for name in figures)
    shown = "".join(
        f'<div class="option" data-name="{escape(name)}"{"" if place == 0 else " hidden"}>{figure}</div>'
        for place, (name, figure) in enumerate(figures.items())
    )
    return (
        f'<figure class="choice"><label>{escape(word)} <select>{options}</select></label>{shown}'
        f'<output class="readout" hidden></output>{below}</figure>'
    )


def legend_html(colours: Colours) -> str:
    """Names and colours of the methods; pointing at one shows its line alone."""
    chips = "".join(
        f'<button type="button" class="chip" data-m="{place}"><b class="swatch m{place}"></b>{escape(method)}</button>'
        for method, place in colours.items()
    )
    return f'<div class="legend">{chips}</div>'
