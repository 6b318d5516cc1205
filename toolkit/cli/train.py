"""`toolkit train`: train anything that a plugin registers as trainable, and resume a run that was stopped."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.options import MOST_AT_ONCE, Device, TimeLimit, use_threads
from toolkit.cli.text import say_lines
from toolkit.errors import InputError, WeightsError
from toolkit.files import check_folder_place, is_empty
from toolkit.strangers import checked_time_limit, limit_time

WITHOUT_FILES = "training/without-files"
"""The configuration that, on top of an encoder's, needs no file of the user's."""


def train_command(
    name: Annotated[str, typer.Argument(help="What to train (toolkit plugins list).")],
    config: Annotated[
        str | None, typer.Option(help="YAML file, or the name of a shipped configuration; default: the training's own.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override one key of the configuration: a.b=c. Repeatable.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the run; default: trainings/NAME.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in the folder, with its own settings.")
    ] = False,
    max_seconds: Annotated[
        float | None, typer.Option(min=0.0, help="Stop after this many seconds, with a checkpoint and weights.")
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many steps of this call, with a checkpoint and weights.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, max=MOST_AT_ONCE, help="CPU threads. Numbers repeat exactly only with as many.")
    ] = None,
    device: Device = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Take a few steps and print what the training would cost; write nothing.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard (extra `tensorboard`).")
    ] = False,
    time_limit: TimeLimit = None,
) -> None:
    """Train a network: metrics.jsonl, picture sheets, checkpoints, and at the end weights.safetensors.

    Ctrl-C and SIGTERM save a checkpoint first. --resume continues after any stop, even a power cut, with the run's own
    settings; only cadence, workers, precision and paths may be changed. On several GPUs: torchrun
    --nproc-per-node 2 -m toolkit.cli.main train NAME --device cuda.
    """
    from toolkit.options import parse_settings
    from toolkit.registry import default_registry

    parse_settings(settings or [])  # what can be refused at once is refused before torch is imported
    entry = default_registry().get("trainable", name)
    folder = Path("trainings") / name if out is None else out
    if not dry_run:
        _check_place(folder, resume)
    factory = entry.load()
    config_file = None if config is None else _find_config(config)

    from toolkit.cli.progress import TerminalProgress
    from toolkit.devices import AUTO, best_device, checked_device
    from toolkit.training import rehearse, train
    from toolkit.training.distribution import main_process, main_process_first, process_group

    use_threads(threads)
    limit_time(checked_time_limit(time_limit))
    chosen = best_device() if device == AUTO else device
    with process_group(chosen) as place, _settings_of_run(folder if resume else None, config_file, settings) as own:
        # the first process makes the data that is missing
        running = functools.partial(entry.running, alone=False)
        with main_process_first(), _hint(config if dry_run and not entry.world else None), running():
            job = factory(own, settings or [], checked_device(place))
        if dry_run:
            with running():
                costs = rehearse(job)
            if main_process():
                say_lines("\n".join(costs.lines()))
            return
        with TerminalProgress() as progress, running():
            run = train(
                job,
                folder,
                resume=resume,
                max_steps=max_steps,
                max_seconds=max_seconds,
                progress=progress,
                tensorboard=tensorboard,
            )
        if main_process():
            if not run.finished:
                typer.echo(f"stopped at the limit after step {run.step}; --resume goes on", err=True)
            typer.echo(run.weights)


def _check_place(folder: Path, resume: bool) -> None:
    """Refuse a folder that cannot be written, or is in use, before data is made for minutes."""
    check_folder_place(folder)
    if not resume and not is_empty(folder):
        raise InputError(f"{folder} is not empty; give another --out, or --resume to go on with what is there")


@contextlib.contextmanager
def _settings_of_run(folder: Path | None, config: Path | None, overrides: list[str] | None) -> Iterator[Path | None]:
    """The configuration to build a job from: the run's own where one is resumed, otherwise the one that was given.

    A resumed run's generator is expected meanwhile.
    """
    import json
    import tempfile

    from toolkit.training.resumed_generator import expecting_generator_of
    from toolkit.training.resuming import settings_to_resume

    own = None if folder is None else settings_to_resume(folder, config, overrides or [])
    if own is None:
        yield config
        return
    with tempfile.TemporaryDirectory() as place, expecting_generator_of(folder):
        path = Path(place) / "settings.yaml"
        path.write_text(json.dumps(own), encoding="utf-8")  # JSON is YAML
        yield path


@contextlib.contextmanager
def _hint(config: str | None) -> Iterator[None]:
    """Where a dry run of a configuration lacks files, say how it goes without any; None: there is no such way."""
    try:
        yield
    except (InputError, WeightsError) as error:
        if config is None or config.endswith(WITHOUT_FILES):
            raise
        way = f"--config {WITHOUT_FILES} --set base={config}"
        raise type(error)(f"{error}; a dry run can do without files of yours: {way}") from error


def _find_config(text: str) -> Path:
    from toolkit.configuration import config_path

    path = Path(text)
    return path if path.exists() or path.suffix in (".yaml", ".yml") else config_path(text)
