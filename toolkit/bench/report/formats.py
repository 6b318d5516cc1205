"""Tables as text for a terminal, as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from toolkit.bench.records.schema import Results, Row, Run
from toolkit.bench.records.shown import ARROWS
from toolkit.bench.report.conditions import conditions_of, title_of
from toolkit.bench.report.glance import glance_of
from toolkit.bench.report.paper import paper_differences
from toolkit.bench.report.tables import Column, Table, number, one_line, tables_of

_LATEX_ARROWS = {"lower": r"$\downarrow$", "higher": r"$\uparrow$"}
_LATEX_LETTERS = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{letter: f"{{{letter}}}" for letter in "[]*"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
_MARKUP = re.compile(r"[\\`*\[\]<>|~#!&]|(?<!\w)_|_(?!\w)")
"""What Markdown obeys, wherever it stands; _ obeys nobody inside a word."""
_CSV_FIELDS = ("protocol", "data", "world", "backend", "method", "metric", "value", "low", "high", "n", "failed",
               "direction", "unit")  # fmt: skip


def as_tables(rows: Sequence[Row], runs: Mapping[str, Run] | None = None) -> str:
    """Lay out rows for a terminal: metrics of the whole picture, the best marked with *, the second with +.

    Args:
        rows: Numbers.
        runs: What they are of, by title (`Results.runs`): a table's title says which of its conditions are not usual.
    """
    texts = []
    for table in tables_of(rows):
        whole = table.narrowed(_plain_columns(table))
        lines = [["method", "n", *(one_line(_heading(column)) for column in whole.columns)]]
        for method in whole.methods:
            cells = [_marked(whole, method, column, "*", "+") for column in whole.columns]
            lines.append([one_line(method), _counts(whole, method), *cells])
        note = "* best, + second; n = used + failed"
        parts = len(table.columns) - len(whole.columns)
        note += "; no mark: too few to tell methods apart" if not all(map(whole.can_tell, whole.columns)) else ""
        note += f"; columns of regions and stages in table.md: {parts}" if parts else ""
        title = title_of(table.title, (runs or {}).get(table.run_title))
        texts.append(f"{one_line(title)}\n\n{_grid(lines)}\n\n{note}")
    return "\n\n\n".join(texts)


def _plain_columns(table: Table) -> Sequence[Column]:
    """Metrics of the whole picture; where none of them has a value (a method failed), those of the parts."""
    plain = {column.key: column for column in table.columns if not column.is_part}
    if any(row.value is not None for (_, key), row in table.cells.items() if key in plain):
        return list(plain.values())
    return [column for column in table.columns if column.is_part] or table.columns


def as_markdown(results: Results) -> str:
    """All tables with intervals, how they came about, and what differs from the paper's."""
    texts = [f"# Benchmark: {_markdown(results.generator.name)}\n", _markdown_tables(results)]
    differences = paper_differences(results)
    if differences:
        texts.append("## What differs from the paper's tables\n")
        texts += [f"- {_markdown(name)}: {_markdown('; '.join(found))}." for name, found in differences.items()]
        texts.append("")
    return "\n".join(texts)


def _markdown_tables(results: Results) -> str:
    """All tables with intervals, each with what its protocol says and under which conditions it ran."""
    texts = []
    for table in tables_of(results.rows):
        run = results.runs.get(table.run_title)
        about, interval = (run.settings.about, run.interval) if run is not None else ("", "")
        told = "".join(f"\n\n{_markdown(each)}." for each in (conditions_of(run) if run is not None else []))
        texts.append(
            f"## {_markdown(title_of(table.title, run))}\n\n{_markdown(about)}{told}\n\n{_full_grid(table)}\n\n"
            f"Brackets: {_markdown(interval)}.\n"
        )
    texts.append(
        "**Best** and _second_ best. ↓: lower is better; ↑: higher is better. n: comparisons that were used +"
        " comparisons that failed. A column without marks cannot tell the methods apart.\n"
    )
    return "\n".join(texts)


def as_leaderboard(results: Results) -> str:
    """A page with the first table, how it was made, and all tables below."""
    texts = [
        "# Leaderboard\n",
        "Made by `make leaderboard`; do not edit. In the embedded world, all methods are compared under the same"
        " conditions on synthetic heads. These numbers do not say how good a method is on photographs, and they must"
        " not be compared with numbers of papers. The command below names the preset; [methods](methods.md) has results"
        " of other presets.\n",
    ]
    tables = tables_of(results.rows)
    for data in dict.fromkeys(table.data for table in tables):
        glance = glance_of([table for table in tables if table.data == data])
        if glance is not None:
            texts.append(f"## {_markdown(data)} (world: {_markdown(glance.world)})\n\n{_full_grid(glance)}\n")
    for run in list(results.runs.values())[:1]:
        generator, machine, made, command = results.generator, run.machine, run.environment, one_line(run.command)
        texts.append(
            f"Generator: {_markdown(generator.name)} ({generator.fingerprint[:12]}). Heads: {run.pictures.cells}. "
            f"Machine: {machine.cores} cores ({_markdown(str(machine.processor))}), device {machine.device}, "
            f"torch {made.torch}, threads {made.threads}. Seed: {made.seed}. The command:\n\n    {command}\n"
        )
    failed = len({(entry.method, entry.item, entry.error) for entry in results.failures})
    texts.append(f"Failures: {failed}." + (" They are listed in results.json and report.html.\n" if failed else "\n"))
    return "\n".join(texts) + "\n" + _markdown_tables(results)


def as_latex(results: Results) -> str:
    r"""All tables as LaTeX (`\usepackage{booktabs}`): best bold, second underlined, without intervals."""
    texts = ["% made by toolkit bench; needs \\usepackage{booktabs}"]
    for table in tables_of(results.rows):
        run = results.runs.get(table.run_title)
        texts += [_latex_table(table, title_of(title, run), columns) for title, columns in table.pages().items()]
    return "\n\n".join(texts) + "\n"


def _latex_table(table: Table, title: str, columns: Sequence[Column]) -> str:
    heads = [rf"{_latex(column.label)} {_LATEX_ARROWS[column.direction]}" for column in columns]
    lines = [" & ".join(["Method", "$n$", *heads]) + r" \\", r"\midrule"]
    for method in table.methods:
        cells = [_latex_cell(table, method, column) for column in columns]
        lines.append(" & ".join([_latex(method), _counts(table, method), *cells]) + r" \\")
    body = "\n    ".join(lines)
    return (
        "\\begin{table}\n  \\centering\n"
        f"  \\caption{{{_latex(title)}}}\n"
        f"  \\begin{{tabular}}{{lr{'r' * len(columns)}}}\n    \\toprule\n    {body}\n    \\bottomrule\n"
        "  \\end{tabular}\n\\end{table}"
    )


def as_csv(results: Results) -> str:
    """Every row of the results, one per line."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _CSV_FIELDS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.as_json() for row in results.rows)
    return buffer.getvalue()


def _full_grid(table: Table) -> str:
    """Every column with its interval."""
    counted = [] if table.is_glance else ["n"]
    lines = [["method", *counted, *(_markdown(_heading(column)) for column in table.columns)]]
    for method in table.methods:
        cells = [_marked(table, method, column, "**", "_", True) for column in table.columns]
        lines.append([_markdown(method), *(_counts(table, method) for _ in counted), *cells])
    return _grid(lines)


def _markdown(text: str) -> str:
    """A name for Markdown, with its special characters escaped."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


def _heading(column: Column) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    head = f"{column.head}: " if column.head else ""
    return f"{head}{column.label}{unit} {ARROWS[column.direction]}"


def _counts(table: Table, method: str) -> str:
    used, failed = table.counts(method)
    return f"{used}+{failed}" if failed else str(used)


def _marked(table: Table, method: str, column: Column, best: str, second: str, interval: bool = False) -> str:
    row = table.cells.get((method, column.key))
    if row is None:
        return ""
    text = number(row.value, table.places(column))
    rank = table.ranks(column).get(method)
    wrap = interval  # Markdown marks both sides, a terminal the end
    if rank in (1, 2):
        mark = best if rank == 1 else second
        text = f"{mark}{text}{mark}" if wrap else f"{text}{mark}"
    fewer = table.fewer(method, column)
    if fewer is not None:
        text += f" (n={fewer})"
    if interval and row.low is not None:
        text += f" [{', '.join(number(end, table.places(column)) for end in (row.low, row.high))}]"
    return text


def _latex_cell(table: Table, method: str, column: Column) -> str:
    row = table.cells.get((method, column.key))
    if row is None:
        return ""
    text = "--" if row.value is None else number(row.value, table.places(column)).replace("-", "$-$", 1)
    fewer = table.fewer(method, column)
    note = "" if fewer is None else rf" {{\scriptsize ($n$={fewer})}}"
    rank = table.ranks(column).get(method, 0)
    return {1: rf"\textbf{{{text}}}", 2: rf"\underline{{{text}}}"}.get(rank, text) + note


def _latex(text: str) -> str:
    """A name as LaTeX sets it, letter by letter; brackets in a group, or the command before them would take them."""
    return "".join(_LATEX_LETTERS.get(letter, letter) for letter in one_line(text))


def _grid(lines: Iterable[Sequence[str]]) -> str:
    lines = [list(line) for line in lines]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(lines[0]))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |"
        for line in [lines[0], rule, *lines[1:]]
    )
