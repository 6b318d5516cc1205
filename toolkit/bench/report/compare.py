"""Two finished runs side by side: every method of the first against every method of the second, paired by picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.bench.protocols.comparisons import paired_difference
from toolkit.bench.report.tables import number
from toolkit.errors import InputError, WeightsError

_SAME = ("world", "backend", "direction", "unit")
_EFFORT = ("seconds", "peak_memory")
"""Metrics that say as much of where a run was made as of the methods."""


def compare_runs(
    first: dict[str, Any], second: dict[str, Any], folders: tuple[Path, Path] | None = None
) -> dict[str, Any]:
    """Compare what two runs have in common.

    Args:
        first: Results, as `read_results` returns them.
        second: Others. The same method may stand in both (other weights, another preset).
        folders: Where the runs lie: needed to compare distances between distributions, which are not of single
            pictures but of what lies there.

    Returns:
        `comparisons`: records of protocol, data, metric, first, second (methods), difference (first minus second),
        low, high, n; and `refused`: sentences about what the runs share by name but must not be compared.

    Raises:
        InputError: Nothing in them may be compared.
    """
    shared = [name for name in first["runs"] if name in second["runs"]]
    refused, found = [], []
    for name in shared:
        reason = _difference_of(first, second, name)
        apart = _metrics_apart(first["runs"][name], second["runs"][name])
        pairs = [] if reason else _compare(first, second, first["runs"][name])
        if folders is not None and not pairs and not reason:
            try:
                pairs = _compare_distances(first, second, first["runs"][name], folders)
            except (InputError, WeightsError) as error:
                reason = str(error)
        refused += [f"{name}: {apart[one]}" for one in sorted({_base(pair["metric"]) for pair in pairs} & apart.keys())]
        pairs = [pair for pair in pairs if _base(pair["metric"]) not in apart]
        if not pairs and not any(sentence.startswith(f"{name}: ") for sentence in refused):
            refused.append(f"{name}: {reason or 'no method of either has a value per picture'}")
        found += pairs
    if not found:
        why = "; ".join(refused) or (
            f"the first has {', '.join(first['runs']) or 'nothing'}, "
            f"the second {', '.join(second['runs']) or 'nothing'}"
        )
        raise InputError(f"these runs have nothing that may be compared: {why}")
    return {"comparisons": found, "refused": refused}


def _difference_of(first: dict[str, Any], second: dict[str, Any], name: str) -> str:
    """Why a run of one name must not be compared with that of the other results; empty where it may."""
    a, b = first["runs"][name], second["runs"][name]
    if a["settings"]["digest"] != b["settings"]["digest"]:
        return "the protocols differ in version or settings"
    if a["image_size"] != b["image_size"]:
        return f"pictures of {a['image_size']} and {b['image_size']} px"
    origin = (a["protocol"], a["data"])
    for row in _rows(first, origin):
        for other in _rows(second, origin):
            if row["metric"] == other["metric"]:
                differing = [key for key in _SAME if row[key] != other[key]]
                if differing:
                    key = differing[0]
                    return f"{row['metric']} has another {key}: {row[key]} and {other[key]}"
    mine, theirs = _pictures(first, origin), _pictures(second, origin)
    if not mine.keys() & theirs.keys():
        return "they have no picture in common"
    changed = [item for item in mine if item in theirs and mine[item] != theirs[item]]
    if changed:
        return f"pictures of the same name differ ({changed[0]})"
    return ""


def _metrics_apart(a: dict[str, Any], b: dict[str, Any]) -> dict[str, str]:
    """Why metrics of two runs must not be compared, by metric without its part."""
    mine, theirs = a.get("networks", {}), b.get("networks", {})
    found = {
        metric: f"{metric} was computed by another network ({', '.join(files)} differs)"
        for metric, files in mine.items()
        if metric in theirs and files != theirs[metric]
    }
    places = [_place(run) for run in (a, b)]
    differing = [key for key in places[0] if places[0][key] != places[1][key]]
    if differing:
        key = differing[0]
        why = f"taken with another {key}: {places[0][key]} and {places[1][key]}"
        found |= {metric: f"{metric} was {why}" for metric in _EFFORT}
    return found


def _place(run: dict[str, Any]) -> dict[str, Any]:
    """What seconds and memory depend on beside the methods."""
    machine, engine = run.get("machine", {}), run.get("engine", {})
    return {
        "device": machine.get("device"),
        "processor": machine.get("processor"),
        "number of cores": machine.get("cores"),
        "number of threads": run.get("environment", {}).get("threads"),
        "engine": engine.get("name"),
        "number of workers": engine.get("workers"),
    }


def _base(metric: str) -> str:
    return metric.partition("@")[0]


def _rows(results: dict[str, Any], origin: tuple[str, str]) -> list[dict[str, Any]]:
    return [row for row in results["rows"] if (row["protocol"], row["data"]) == origin]


def _pictures(results: dict[str, Any], origin: tuple[str, str]) -> dict[str, str]:
    """What identifies each item's pictures, by item."""
    return {cell["item"]: cell["pictures"] for cell in results["cells"] if (cell["protocol"], cell["data"]) == origin}


def _compare(first: dict[str, Any], second: dict[str, Any], run: dict[str, Any]) -> list[dict[str, Any]]:
    origin = (run["protocol"], run["data"])
    subjects = {cell["item"]: cell["subject"] for cell in first["cells"] if (cell["protocol"], cell["data"]) == origin}
    directions = {row["metric"]: row["direction"] for row in _rows(first, origin)}
    seed, found = run["settings"]["seed"], []
    mine, theirs = ([table for table in results["values"] if (table["protocol"], table["data"]) == origin]
                    for results in (first, second))  # fmt: skip
    for table in mine:
        for other in theirs:
            if table["metric"] == other["metric"]:
                difference = paired_difference(table["values"], other["values"], subjects, seed)
                if difference is not None:
                    facts = {"protocol": origin[0], "data": origin[1], "metric": table["metric"]}
                    methods = {"first": table["method"], "second": other["method"]}
                    found.append({**facts, **methods, "direction": directions[table["metric"]], **difference})
    return found


def _compare_distances(
    first: dict[str, Any], second: dict[str, Any], run: dict[str, Any], folders: tuple[Path, Path]
) -> list[dict[str, Any]]:
    from toolkit.bench.report.distances_across import compare_distances  # needs torch

    facts = {"protocol": run["protocol"], "data": run["data"]}
    origin = (run["protocol"], run["data"])
    rows = _rows(first, origin), _rows(second, origin)
    cells = [cell for cell in first["cells"] if (cell["protocol"], cell["data"]) == origin]
    directions = {row["metric"]: row["direction"] for row in rows[0]}
    pairs = compare_distances(folders, run, rows, cells)
    return [{**facts, **pair, "direction": directions[pair["metric"]]} for pair in pairs]


def as_text(found: dict[str, Any]) -> str:
    """The comparison as a table for a terminal."""
    lines = [["protocol", "metric", "first", "second", "first - second", "interval", "n", "better"]]
    for entry in found["comparisons"]:
        if entry["low"] <= 0 <= entry["high"]:
            better = "cannot be told"
        else:
            better = "first" if (entry["difference"] < 0) == (entry["direction"] == "lower") else "second"
        interval = f"[{number(entry['low'])}, {number(entry['high'])}]"
        lines.append([entry["protocol"], entry["metric"], entry["first"], entry["second"], number(entry["difference"]),
                      interval, str(entry["n"]), better])  # fmt: skip
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
    return "\n".join([text, *(f"refused: {reason}" for reason in found["refused"])])
