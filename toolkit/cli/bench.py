"""`toolkit bench`: compare inversion methods, resumably."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.bench_losses import report_losses
from toolkit.cli.bench_options import DataOption, DryRunOption, KeepOption, MethodsOption, ProtocolOption
from toolkit.cli.config_file import ConfigFile
from toolkit.cli.options import Arithmetic, Device, ThreadsOfEach, TimeLimit, Workers
from toolkit.cli.text import say, say_lines
from toolkit.containment import stdout_to_stderr
from toolkit.errors import InputError

if TYPE_CHECKING:
    from toolkit.bench.execution.run import Suite
    from toolkit.bench.subjects.description import RunDescription
    from toolkit.bench.subjects.keeping import Keep
    from toolkit.progress import Progress

bench_app = typer.Typer(
    name="bench",
    help="Compare inversion methods: tables, and a report to look at.",
    invoke_without_command=True,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@bench_app.callback()
def bench_command(
    context: typer.Context,
    config: ConfigFile = None,
    methods: MethodsOption = None,
    data: DataOption = None,
    protocol: ProtocolOption = None,
    limit: Annotated[
        int | None,
        typer.Option(help="Maximum number of subjects (or pictures); heads360: how many to make (8)."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; the same command continues it.")] = Path(
        "bench"
    ),
    generator: Annotated[str, typer.Option(help="Generator to invert into.")] = "panohead-mini",
    weights: Annotated[Path | None, typer.Option(help="Weights of the generator; default: its own.")] = None,
    method_weights: Annotated[
        list[str] | None, typer.Option("--method-weights", help="A method's checkpoint: METHOD=FILE. Repeatable.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Preset of all methods that know it: fast, paper, ...")] = None,
    options: Annotated[
        list[str] | None, typer.Option("--option", help="A setting of a method: METHOD.KEY=VALUE. Repeatable.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the protocols: KEY=VALUE. Repeatable.")
    ] = None,
    outside: Annotated[
        list[Path] | None,
        typer.Option("--results", help="Folder of renders made elsewhere, as one more method. Repeatable."),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Metric networks: auto (the generator's world), reference, embedded or none.")
    ] = "auto",
    domain: Annotated[str, typer.Option(help="heads360: wild, or clean.")] = "wild",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Repeat what failed before.")] = False,
    engine: Annotated[
        str, typer.Option(help="local; processes (several at once); ray (a cluster, its address in RAY_ADDRESS).")
    ] = "local",
    workers: Workers = None,
    threads: ThreadsOfEach = None,
    device: Device = "auto",
    keep: KeepOption = "exact",
    arithmetic: Arithmetic = "",
    time_limit: TimeLimit = None,
    dry_run: DryRunOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of tables.")] = False,
) -> None:
    """Compare methods: report.html, tables, results.json, and every inversion, kept for next time.

    Each result is written to disk as soon as it is known. After any stop, the same command resumes the run. If a
    method fails or a picture is broken, only that result is missing; it is listed, and the exit code is 1.
    """
    if context.invoked_subcommand is not None:
        return
    from toolkit.bench import BenchRequest, as_tables, open_protocols
    from toolkit.bench.subjects.description import RunDescription, method_names

    names = method_names(",".join(methods or [])) if methods or not outside else []
    source = ",".join(data or ["heads360"])
    command = shlex.join(["toolkit", *sys.argv[1:]])
    requests = [
        BenchRequest(each, source, out, limit, backend, domain, retry_failed, command=command, keep=_checked_keep(keep))
        for each in open_protocols(",".join(protocol or ["all"]), settings or [])
    ]
    files = {method: Path(text) for method, text in _pairs("--method-weights", method_weights or []).items()}
    described = RunDescription(
        generator, weights, device, threads, tuple(names), tuple(requests), _by_method(options or [], names),
        files, preset, tuple(outside or []), time_limit, tuple(arithmetic.split(",")),
    )  # fmt: skip
    if dry_run:
        _rehearse(described, engine, workers, as_json)
        return
    with stdout_to_stderr(), _opened(described, engine, workers) as (suite, progress):  # stdout is for results
        results = suite.run(progress)
    say_lines(json.dumps(results.as_json(), indent=1) if as_json else as_tables(results.rows, results.runs))
    mine = report_losses(results, {request.settings.title for request in requests}, requests[0].data_name)
    say(f"report in {out / 'report.html'}", err=True)
    if mine:
        raise typer.Exit(1)


@contextmanager
def _opened(described: RunDescription, engine: str, workers: int | None) -> Iterator[tuple[Suite, Progress]]:
    """A run and what shows its progress, with a bar per method."""
    from toolkit.bench.execution.run import open_suite
    from toolkit.cli.progress import TerminalProgress

    suite = open_suite(described, engine, workers)
    with TerminalProgress([method.name for method in suite.methods]) as progress:
        yield suite, progress


def _rehearse(described: RunDescription, engine: str, workers: int | None, as_json: bool) -> None:
    """Print what a run would cost, and what would be missing."""
    with stdout_to_stderr(), _opened(described, engine, workers) as (suite, progress):
        forecast, left_out = suite.rehearse(progress)
    lines = ["bench: no results were written; the first pictures are kept"]
    lines += [f"  {line}" for line in forecast.table("method", "protocol")] if forecast.work else []
    lines.append(f"  projected total  {forecast.total()}")
    typer.echo(json.dumps(forecast.as_json("protocol"), indent=1) if as_json else "\n".join(lines))
    for method, reason in suite.requests[0].broken_methods.items():
        say(f"failed   {method}: {reason}", err=True)
    for entry in left_out:
        say(f"left out {entry.protocol}: {entry.reason}", err=True)


def _checked_keep(text: str) -> Keep:
    from toolkit.bench.subjects.keeping import KEEPS

    found = next((each for each in KEEPS if each == text), None)
    if found is None:
        raise InputError(f"--keep must be one of {', '.join(KEEPS)}, got {text!r}")
    return found


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise InputError(f"{option} takes METHOD=FILE, got {text!r}")
        pairs[name] = value
    return pairs


def _by_method(texts: list[str], methods: list[str]) -> dict[str, dict[str, Any]]:
    """Settings by row of `methods`; its name may have dots."""
    from toolkit.bench.subjects.rows import MethodRow
    from toolkit.options import parse_settings

    rows = [MethodRow.of(method).name for method in methods]
    found = parse_settings([_quoted(text, rows) for text in texts], "--option")
    for method, settings in found.items():
        if not isinstance(settings, dict):
            raise InputError(f"--option takes METHOD.KEY=VALUE, got {method}={settings}")
    return found


def _quoted(text: str, rows: list[str]) -> str:
    """A setting whose row stands in quotes where its name has dots."""
    name = max((each for each in rows if "." in each and text.startswith(f"{each}.")), key=len, default="")
    return f'"{name}"{text[len(name) :]}' if name else text
