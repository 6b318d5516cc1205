"""The `toolkit` program: mounts the commands and turns user errors into one line and an exit code."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from toolkit.cli.bench import bench_app
from toolkit.cli.bench_results import check_results_command, compare_command, report_command
from toolkit.cli.data import data_app
from toolkit.cli.demo import demo_command
from toolkit.cli.doctor import doctor_command
from toolkit.cli.examples import add_examples
from toolkit.cli.invert import invert_command
from toolkit.cli.mesh import mesh_command
from toolkit.cli.plugins import plugins_app
from toolkit.cli.plugins_own import check_command, new_command, show_command
from toolkit.cli.render import render_command
from toolkit.cli.text import accept_all_text, say
from toolkit.cli.train import train_command
from toolkit.cli.weights import weights_app
from toolkit.containment import EndWanted
from toolkit.cores import wait_asleep
from toolkit.errors import ToolkitError
from toolkit.strangers import changes
from toolkit.version import VERSION

app = typer.Typer(
    name="toolkit",
    help="From a single photo to a full 360-degree 3D head, by inverting a 3D GAN.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # help prints what is written: "[x, y]" is not markup
)
app.command("demo")(demo_command)
app.command("invert")(invert_command)
app.command("render")(render_command)
app.command("mesh")(mesh_command)
app.command("train")(train_command)
app.add_typer(bench_app, name="bench")
bench_app.command("compare")(compare_command)
bench_app.command("report")(report_command)
bench_app.command("check-results")(check_results_command)
app.add_typer(data_app, name="data")
app.add_typer(plugins_app, name="plugins")
plugins_app.command("show")(show_command)
plugins_app.command("check")(check_command)
plugins_app.command("new")(new_command)
app.add_typer(weights_app, name="weights")
app.command("doctor")(doctor_command)
add_examples(app)

_debug = False
_KEPT = "interrupted; everything finished so far is kept"


class _Terminated(EndWanted):
    """SIGTERM came; passes every `except Exception`, as Ctrl-C does, and lets what is half-written be undone."""


class _CtrlC(KeyboardInterrupt, EndWanted):
    """SIGINT came: no stranger's code raised it."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"toolkit {VERSION}")
        raise typer.Exit


@app.callback()
def _global_options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    global _debug
    _debug = debug


def main() -> None:
    """Run the program; exit codes: 0 done, 1 some work failed, 2 wrong usage or input, 130/143 interrupted."""
    wait_asleep()
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    accept_all_text()
    try:
        app(prog_name="toolkit")
    except _Terminated:
        print(_KEPT, file=sys.stderr)
        sys.exit(128 + signal.SIGTERM)
    except SystemExit as leaving:
        if leaving.code == 128 + signal.SIGINT:  # typer's way of passing on Ctrl-C
            print(_KEPT, file=sys.stderr)
        raise
    except ToolkitError as error:
        if _debug:
            raise
        say(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    finally:
        for plugin, what in changes().items():
            say(f"note: the plugin {plugin!r} changed {'; '.join(what)}: that was undone", err=True)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise _Terminated


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise _CtrlC


if __name__ == "__main__":
    main()
