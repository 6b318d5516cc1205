"""`toolkit bench`: compare inversion methods by a protocol, resumably."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from toolkit.errors import InputError


def bench_command(
    methods: Annotated[str, typer.Option(help="Comma-separated methods; all = every headline method.")],
    data: Annotated[str, typer.Option(help="A data set folder or zip, or heads360 (made on the spot).")] = "heads360",
    protocol: Annotated[str, typer.Option(help="reconstruction, gt360, fid360, or a YAML file.")] = "reconstruction",
    limit: Annotated[
        int | None, typer.Option(help="Pictures (gt360: subjects) at most; heads360: how many are made, default 8.")
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
        list[str] | None, typer.Option("--set", help="A setting of the protocol: KEY=VALUE. Repeatable.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Metric networks: auto (the generator's world), reference, embedded or none.")
    ] = "auto",
    domain: Annotated[str, typer.Option(help="heads360: clean, or wild.")] = "clean",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Repeat what failed before.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of tables.")] = False,
) -> None:
    """Compare methods: results.json (with intervals and counts), table.md, and every inversion, kept for next time.

    Each cell is written down as soon as it is known: after any stop, the same command goes on. A failing method or a
    broken picture costs its cell and is listed; exit code 1 says that there were some.
    """
    import torch

    from toolkit import load_generator
    from toolkit.bench import BenchRequest, as_tables, method_names, open_contenders, open_protocol, run_bench
    from toolkit.inverting import checked_device

    if threads is not None:
        torch.set_num_threads(threads)
    names = method_names(methods)
    chosen = open_protocol(protocol, settings or [])
    model = load_generator(generator, weights, checked_device(device))
    files = {method: Path(text) for method, text in _pairs("--method-weights", method_weights or []).items()}
    contenders, broken = open_contenders(names, model, _by_method(options or []), files, preset)
    if not contenders:
        raise InputError(f"no method can be run: {'; '.join(broken.values())}")
    request = BenchRequest(chosen, data, out, limit, backend, domain, retry_failed, broken)
    results = run_bench(request, model, contenders, _Lines(sys.stderr))
    typer.echo(json.dumps(results, indent=1, ensure_ascii=False) if as_json else as_tables(results["rows"]))
    origin = (chosen.title, request.data_name)
    mine = [entry for entry in results["failures"] if (entry["protocol"], entry["data"]) == origin]
    for failure in mine:
        typer.echo(f"failed   {failure['method']} {failure['item'] or ''}: {failure['error']}", err=True)
    for entry in results["unavailable"]:
        if (entry["protocol"], entry["data"]) == origin:
            typer.echo(f"left out {entry['metric']}: {entry['reason']}", err=True)
    typer.echo(f"results in {out / 'results.json'}", err=True)
    if mine:
        raise typer.Exit(1)


class _Lines:
    """One line per cell on a stream, with a time estimate; rewritten in place on a terminal."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._started = stream, time.monotonic()

    def note(self, text: str) -> None:
        """Something begins that takes a while."""
        print(text, file=self._stream, flush=True)

    def step(self, done: int, total: int, method: str, cell: str, error: str | None) -> None:
        """A cell is done."""
        elapsed = time.monotonic() - self._started
        left = elapsed / done * (total - done)
        text = f"{done} of {total}  {method}  {cell}  {'failed' if error else 'done'}  (about {left:.0f} s left)"
        end = "\r" if self._stream.isatty() and done < total else "\n"
        print(text.ljust(78) if end == "\r" else text, end=end, file=self._stream, flush=True)


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
