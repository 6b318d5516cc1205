"""`toolkit bench compare`, `report` and `check-results`: finished results are read, compared and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import Threads, use_threads
from toolkit.cli.text import counted_faults, say, say_lines
from toolkit.errors import InputError


def compare_command(
    first: Annotated[Path, typer.Argument(help="Folder of a run, or its results.json.")],
    second: Annotated[Path, typer.Argument(help="Folder of the other run, or its results.json.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare two runs, paired by picture. Runs with other protocols, pictures or metrics are refused."""
    from toolkit.bench.records.results import read_results
    from toolkit.bench.report.compare import as_text, compare_runs

    folders = first if first.is_dir() else first.parent, second if second.is_dir() else second.parent
    found = compare_runs(read_results(first), read_results(second), folders)
    say_lines(json.dumps(found.as_json(), indent=1) if as_json else as_text(found))


def report_command(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    leaderboard: Annotated[Path | None, typer.Option(help="Also write a Markdown page of the tables here.")] = None,
) -> None:
    """Write tables and report.html again from a run's results.json."""
    from toolkit.bench import read_results, write_report
    from toolkit.bench.report import as_leaderboard
    from toolkit.files import atomic_write

    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of a bench run")
    results = read_results(folder)
    typer.echo(str(write_report(folder, results)))
    if leaderboard is not None:
        with atomic_write(leaderboard) as path:
            path.write_text(as_leaderboard(results), encoding="utf-8")
        typer.echo(str(leaderboard))


def check_results_command(
    folder: Annotated[Path, typer.Argument(help="Folder of renders made elsewhere, with renders.json.")],
    wanted: Annotated[Path | None, typer.Option(help="A run's wanted.json: are all of its renders there?")] = None,
    threads: Threads = None,
) -> None:
    """Check renders made elsewhere, before a run with --results: pictures, cameras, faces; exit code 1 for faults."""
    from toolkit.bench.subjects.outside_check import check_outside

    use_threads(threads)
    report = check_outside(folder, wanted)
    sizes = ", ".join(f"{count} of {side} px" for side, count in sorted(report.sizes.items())) or "none readable"
    say(f"method   {report.method}")
    say(f"renders  {report.renders} of {report.inputs} inputs ({sizes})")
    for fault in report.faults:
        say(f"fault    {fault}")
    say(counted_faults(len(report.faults)))
    if report.faults:
        raise typer.Exit(1)
