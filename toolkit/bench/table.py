"""A run's rows as text tables; numbers of the two worlds, and of two backends, never share one."""

from __future__ import annotations

from collections.abc import Iterable

from toolkit.bench.store import Record

_ARROWS = {"lower": "v", "higher": "^"}
_Key = tuple[str, str, str, str]


def as_tables(rows: Iterable[Record]) -> str:
    """Lay out rows: a table per protocol, data set, world and backend; metrics down, methods across."""
    groups: dict[_Key, list[Record]] = {}
    for row in rows:
        backend = row["backend"] if row["backend"] in ("reference", "embedded") else "none"
        groups.setdefault((row["protocol"], row["data"], row["world"], backend), []).append(row)
    return "\n\n".join(_table(key, found) for key, found in sorted(groups.items()))


def _table(key: _Key, rows: list[Record]) -> str:
    protocol, data, world, backend = key
    metrics = {row["metric"]: row for row in rows}
    methods = list(dict.fromkeys(row["method"] for row in rows))
    found = {(row["method"], row["metric"]): row for row in rows}
    lines = [["metric", "", *methods]]
    for name, row in metrics.items():
        label = f"{name} ({row['unit']})" if row["unit"] else name
        lines.append([label, _ARROWS[row["direction"]], *(_cell(found.get((method, name))) for method in methods)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * max(width, 1) for width in widths])
    return "\n".join(
        [
            f"{protocol} on {data} (world: {world}; metric networks: {backend})",
            "v lower, ^ higher is better; [95 % interval]; n = used + failed",
            "",
            *(
                "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |"
                for line in lines
            ),
        ]
    )


def _cell(row: Record | None) -> str:
    if row is None:
        return ""
    counts = f"n={row['n']}" + (f"+{row['failed']}" if row["failed"] else "")
    if row["value"] is None:
        return f"- {counts}"
    return f"{_number(row['value'])} [{_number(row['low'])}, {_number(row['high'])}] {counts}"


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"
