"""`toolkit bench`: compare inversion methods resumably; `bench compare` and `bench report` work on finished runs."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from toolkit.errors import InputError

bench_app = typer.Typer(
    name="bench",
    help="Compare inversion methods: tables, and a report to look at.",
    invoke_without_command=True,
    no_args_is_help=True,
)


@bench_app.callback()
def bench_command(
    context: typer.Context,
    methods: Annotated[str, typer.Option(help="Comma-separated methods; all = every headline method.")] = "",
    data: Annotated[str, typer.Option(help="A data set folder or zip, or heads360 (made once).")] = "heads360",
    protocol: Annotated[
        str, typer.Option(help="Comma-separated protocols or YAML files; all = every one that the data permits.")
    ] = "all",
    limit: Annotated[
        int | None, typer.Option(help="Subjects (or pictures) at most; heads360: how many are made, default 8.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; the same command goes on in it.")] = Path(
        "bench"
    ),
    generator: Annotated[str, typer.Option(help="What to invert into.")] = "panohead-mini",
    weights: Annotated[Path | None, typer.Option(help="Weights of the generator; default: its own.")] = None,
    method_weights: Annotated[
        list[str] | None, typer.Option("--method-weights", help="A method's checkpoint: METHOD=FILE. Repeatable.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Preset of all methods: fast, default or quality.")] = None,
    options: Annotated[
        list[str] | None, typer.Option("--option", help="A setting of a method: METHOD.KEY=VALUE. Repeatable.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the protocols: KEY=VALUE. Repeatable.")
    ] = None,
    outside: Annotated[
        list[Path] | None, typer.Option("--results", help="Renders made elsewhere, as one more method. Repeatable.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Metric networks: auto (the generator's world), reference, embedded or none.")
    ] = "auto",
    domain: Annotated[str, typer.Option(help="heads360: wild, or clean.")] = "wild",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Repeat what failed before.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of tables.")] = False,
) -> None:
    """Compare methods: report.html, tables, results.json, and every inversion, kept for next time.

    Each cell is written down as soon as it is known: after any stop, the same command goes on. A failing method or a
    broken picture costs its cell and is listed; exit code 1 says that there were some.
    """
    if context.invoked_subcommand is not None:
        return
    import torch

    from toolkit import load_generator
    from toolkit.bench import BenchRequest, as_tables, method_names, open_contenders, open_protocols, run_suite
    from toolkit.bench.outside import open_outside
    from toolkit.cli.bench_progress import BenchProgress
    from toolkit.inverting import checked_device

    if threads is not None:
        torch.set_num_threads(threads)
    names = method_names(methods) if methods or not outside else []
    chosen = open_protocols(protocol, settings or [])
    model = load_generator(generator, weights, checked_device(device))
    files = {method: Path(text) for method, text in _pairs("--method-weights", method_weights or []).items()}
    contenders, broken = open_contenders(names, model, _by_method(options or []), files, preset)
    contenders += [open_outside(folder, model.spec.image_size, names) for folder in outside or []]
    if not contenders:
        raise InputError(f"no method can be run: {'; '.join(broken.values())}")
    command = shlex.join(["toolkit", *sys.argv[1:]])
    requests = [
        BenchRequest(each, data, out, limit, backend, domain, retry_failed, broken, command) for each in chosen
    ]  # fmt: skip
    with BenchProgress([contender.name for contender in contenders]) as progress:
        results = run_suite(requests, model, contenders, progress)
    typer.echo(json.dumps(results, indent=1, ensure_ascii=False) if as_json else as_tables(results["rows"]))
    mine = _report_losses(results, {request.protocol.title for request in requests}, requests[0].data_name)
    typer.echo(f"report in {out / 'report.html'}", err=True)
    if mine:
        raise typer.Exit(1)


@bench_app.command("compare")
def compare_command(
    first: Annotated[Path, typer.Argument(help="Folder of a run, or its results.json.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Put two runs side by side, paired by picture; what is not the same protocol, pictures and metrics is refused."""
    from toolkit.bench.compare import as_text, compare_runs
    from toolkit.bench.results import read_results

    found = compare_runs(read_results(first), read_results(second))
    typer.echo(json.dumps(found, indent=1, ensure_ascii=False) if as_json else as_text(found))


@bench_app.command("report")
def report_command(folder: Annotated[Path, typer.Argument(help="Folder of a run.")]) -> None:
    """Write tables and report.html again from a run's results.json."""
    from toolkit.bench import read_results, write_report

    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of a bench run")
    typer.echo(str(write_report(folder, read_results(folder))))


def _report_losses(results: dict[str, Any], protocols: set[str], data: str) -> bool:
    """Say what failed and what was left out of these protocols; whether anything failed."""

    def ours(part: str) -> list[dict[str, Any]]:
        return [entry for entry in results[part] if entry["protocol"] in protocols and entry["data"] == data]

    failures = dict.fromkeys(
        (entry["method"], entry.get("target") or entry["item"] or "", entry["error"]) for entry in ours("failures")
    )
    for method, item, error in failures:
        typer.echo(f"failed   {method} {item}: {error}".replace(" :", ":"), err=True)
    for name, reason in dict.fromkeys((entry["metric"], entry["reason"]) for entry in ours("unavailable")):
        typer.echo(f"left out {name}: {reason}", err=True)
    for entry in ours("left_out"):
        typer.echo(f"left out {entry['protocol']}: {entry['reason']}", err=True)
    return bool(failures)


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise InputError(f"{option} takes METHOD=FILE, got {text!r}")
        pairs[name] = value
    return pairs


def _by_method(texts: list[str]) -> dict[str, dict[str, Any]]:
    from toolkit.settings import parse_settings

    found: dict[str, dict[str, Any]] = {}
    for key, value in parse_settings(texts, "--option").items():
        method, separator, name = key.partition(".")
        if not separator or not method or not name:
            raise InputError(f"--option takes METHOD.KEY=VALUE, got {key!r}")
        found.setdefault(method, {})[name] = value
    return found
