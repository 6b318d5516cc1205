"""A run's rows as text tables; numbers of the two worlds, and of two backends, never share one."""

from __future__ import annotations

from collections.abc import Iterable

from toolkit.bench.store import Record

_ARROWS = {"lower": "v", "higher": "^"}


def as_tables(rows: Iterable[Record]) -> str:
    """Lay out rows: one table per protocol, world and backend; methods down, metrics across."""
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for row in rows:
        backend = row["backend"] if row["backend"] in ("reference", "embedded") else "no networks"
        groups.setdefault((row["protocol"], row["world"], backend), []).append(row)
    return "\n\n".join(_table(*key, found) for key, found in sorted(groups.items()))


def _table(protocol: str, world: str, backend: str, rows: list[Record]) -> str:
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    found = {(row["method"], row["metric"]): row for row in rows}
    heads = [f"{name} {_ARROWS[next(row for row in rows if row['metric'] == name)['direction']]}" for name in metrics]
    lines = [["method", *heads]]
    for method in methods:
        lines.append([method, *(_cell(found.get((method, name))) for name in metrics)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    body = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    title = (
        f"{protocol} (world: {world}, metric networks: {backend}; v lower or ^ higher is better; [95 % interval]; "
        f"n = used + failed)"
    )
    return "\n".join([title, "", *body])


def _cell(row: Record | None) -> str:
    if row is None:
        return ""
    counts = f"n={row['n']}" + (f"+{row['failed']}" if row["failed"] else "")
    if row["value"] is None:
        return f"- ({counts})"
    return f"{_number(row['value'])} [{_number(row['low'])}, {_number(row['high'])}] {counts}"


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"
