"""Plugins' code in this process: what it changes is put back and named, however it ends it ends nothing else."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from toolkit import containment, load_generator, strangers
from toolkit.containment import EndWanted, contained
from toolkit.errors import InputError, PluginError
from toolkit.process_state import SETTINGS, ProcessWatch
from toolkit.registry import Registration, Registry, default_registry
from toolkit.strangers import changes, strangers_code, time_limit, watched


@pytest.fixture(autouse=True)
def _nothing_noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(strangers, "_changes", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)  # as torch begins; commands in this process change it
    before = ProcessWatch()
    yield
    pytests_own = {"sys.stdout", "sys.stderr", "environment variables", "where modules are looked for"}
    assert set(before.undo()) <= pytests_own  # no test leaves anything behind


CHANGES: dict[str, list[Callable[[], object]]] = {
    "the working directory": [lambda: os.chdir("/")],
    "environment variables": [
        os.environ.clear, lambda: os.environ.update(CUDA_VISIBLE_DEVICES="9"), lambda: os.environ.pop("PATH"),
    ],
    "sys.stdout": [lambda: setattr(sys, "stdout", None), lambda: setattr(sys, "stdout", sys.stderr)],
    "sys.stderr": [lambda: setattr(sys, "stderr", None)],
    "where modules are looked for": [
        lambda: sys.path.clear(), lambda: sys.path.insert(0, "/nowhere"), lambda: sys.path.reverse(),
        lambda: sys.path.pop(0),
    ],
    "what signals do": [
        lambda: signal.signal(signal.SIGINT, lambda *_: None), lambda: signal.signal(signal.SIGTERM, lambda *_: None),
        lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL), lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    ],
    "the recursion limit": [lambda: sys.setrecursionlimit(200), lambda: sys.setrecursionlimit(100_000)],
    "the rights of new files": [lambda: os.umask(0o777)],
    "which warnings are errors": [lambda: warnings.simplefilter("error", ResourceWarning)],
    "whether anything is logged": [lambda: __import__("logging").disable(50)],
    "whether garbage is collected": [lambda: __import__("gc").disable()],
    "what becomes of errors": [lambda: setattr(sys, "excepthook", print)],
    "how numpy treats errors": [lambda: np.seterr(all="raise")],
    "torch's default dtype": [
        lambda: torch.set_default_dtype(torch.float64), lambda: torch.set_default_dtype(torch.bfloat16),
    ],
    "whether torch records gradients": [lambda: torch.set_grad_enabled(False)],
    "torch's number of threads": [lambda: torch.set_num_threads(torch.get_num_threads() + 3)],
    "whether torch is deterministic": [
        lambda: torch.use_deterministic_algorithms(True),
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    ],
    "torch's precision of matrix products": [lambda: torch.set_float32_matmul_precision("medium")],
    "torch's default device": [lambda: torch.set_default_device("meta")],
    "whether torch looks for NaN": [lambda: torch.autograd.set_detect_anomaly(True)],
    "switches of torch's backends": [
        lambda: setattr(torch.backends.cudnn, "benchmark", True), lambda: torch.set_flush_denormal(True),
        lambda: setattr(torch.backends.mkldnn, "enabled", False),
        lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
    ],
    "functions of torch": [
        lambda: setattr(torch.nn.functional, "grid_sample", None),
        lambda: setattr(torch.nn.functional, "linear", torch.nn.functional.relu),
        lambda: delattr(torch.nn.functional, "relu"),
    ],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize(
    ("named", "change"), [(name, change) for name, several in CHANGES.items() for change in several]
)
def test_what_code_changes_of_the_process_is_put_back_and_named(named: str, change: Callable[[], object]) -> None:
    before = {name: setting.read() for name, setting in SETTINGS.items()}
    with watched("sx"):
        change()
    assert changes() == {"sx": [named]}
    for name, setting in SETTINGS.items():
        assert setting.same(setting.read(), before[name]), name


def test_every_setting_has_a_test_but_limits_which_may_not_come_back() -> None:
    assert SETTINGS.keys() - CHANGES.keys() == {"limits of the process"}


def test_a_place_for_modules_that_was_added_is_the_last() -> None:
    before = list(sys.path)
    with watched("sx"):
        sys.path.insert(0, "/nowhere")
    assert sys.path == [*before, "/nowhere"]
    sys.path.remove("/nowhere")


def test_random_numbers_are_nobodys_change_and_are_as_they_were() -> None:
    random.seed(3), np.random.seed(3)
    wanted = random.random(), float(np.random.rand())
    random.seed(3), np.random.seed(3)
    with watched("sx"):
        random.seed(9), np.random.seed(9)
    assert (random.random(), float(np.random.rand())) == wanted and changes() == {}


def test_torch_that_was_loaded_by_the_plugin_is_compared_with_a_fresh_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "torch")
        watch = ProcessWatch()
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    assert watch.undo() == ["torch's default dtype", "torch's default device"]
    assert torch.get_default_dtype() == torch.float32 and torch.zeros(1).device.type == "cpu"


class Strange(BaseException):
    """No Exception, as nobody's should be."""


def raises(error: BaseException) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


def deep() -> None:
    deep()


ENDS: list[tuple[Callable[[], object], str]] = [
    (raises(ZeroDivisionError("boom")), "ZeroDivisionError: boom"),
    (raises(ValueError("two\nlines")), "ValueError: two$"),
    (raises(Strange("x")), "raised Strange: x"),
    (raises(GeneratorExit()), "raised GeneratorExit"),
    (raises(KeyError("k")), "KeyError: 'k'"),
    (deep, "RecursionError"),
    (lambda: os._exit(0), r"tried to end the program \(os._exit\(0\)\)"),
    (lambda: os.abort(), "tried to end the program"),
    (lambda: sys.exit(0), "SystemExit: 0"),
]


@pytest.mark.parametrize(("does", "told"), ENDS)
def test_however_code_ends_it_is_one_sentence_that_names_its_plugin(does: Callable[[], object], told: str) -> None:
    with pytest.raises(PluginError, match=f"^the part failed: .*{told}") as caught, strangers_code("the part", "sx"):
        does()
    assert "\n" not in str(caught.value)


def test_the_toolkits_own_errors_and_the_machines_pass() -> None:
    for error in (InputError("no face"), OSError(28, "No space left on device"), MemoryError()):
        with pytest.raises(type(error)), strangers_code("the part", "sx"):
            raise error


@pytest.mark.parametrize("error", [EndWanted, type("CtrlC", (KeyboardInterrupt, EndWanted), {})])
def test_whoever_wants_the_program_to_end_is_obeyed(error: type[BaseException]) -> None:
    with pytest.raises(error), strangers_code("the part", "sx"):
        raise error


def test_an_interruption_that_code_raised_itself_is_no_ctrl_c() -> None:
    before = signal.signal(signal.SIGINT, lambda *_: None)  # as the program does: its own error says Ctrl-C
    try:
        with pytest.raises(SystemExit, match="raised KeyboardInterrupt"), contained("it"):
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)


def spins() -> None:
    while True:
        pass


def clings() -> None:
    """Goes on after whatever ends other code, for a while."""
    for _ in range(3):
        with contextlib.suppress(BaseException):
            time.sleep(5)
    time.sleep(5)


@pytest.mark.parametrize("does", [spins, lambda: time.sleep(60), clings], ids=["spins", "waits", "clings"])
def test_a_part_that_takes_for_ever_ends_at_the_limit_that_the_user_gave(
    does: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containment, "_AGAIN", 0.05)
    words = r"^the part failed: .* longer than 0.1 s \(--time-limit\)$"
    with time_limit(0.1), pytest.raises(PluginError, match=words), strangers_code("the part", "sx"):
        does()
    with time_limit(0.1), strangers_code("the part", "sx"):
        pass
    with strangers_code("the part", "sx"):  # nothing is left of the limit
        time.sleep(0.15)


def test_what_code_prints_is_kept_from_results(capfd: pytest.CaptureFixture[str]) -> None:
    with strangers_code("the part", "sx"):
        print("{not json")
        os.write(1, b"raw\n")
    out, err = capfd.readouterr()
    assert out == "" and "{not json" in err and "raw" in err


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise KeyboardInterrupt", "raised KeyboardInterrupt"),
        ("raise GeneratorExit", "raised GeneratorExit"),
        ("class E(BaseException): pass\nraise E('x')", "raised E: x"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("def f(): f()\nf()", "RecursionError"),
    ],
)
def test_a_plugin_that_raises_anything_while_it_is_imported_is_kept_out(body: str, reason: str) -> None:
    found, before = Registry(), signal.signal(signal.SIGINT, lambda *_: None)
    try:
        found.load_plugin("odd", lambda: exec(body, {}))
    finally:
        signal.signal(signal.SIGINT, before)
    assert reason in found.broken[0].reason


def test_what_a_plugin_changes_while_it_is_imported_is_named() -> None:
    def load() -> object:
        torch.set_default_dtype(torch.float64)
        return SimpleNamespace()

    found = Registry()
    found.load_plugin("odd", load)
    assert found.plugins == ["odd"] and changes() == {"odd": ["torch's default dtype"]}


MODULE = """
import os
import torch
torch.set_grad_enabled(False)
from toolkit.testing.spherical import build_spherical
def boom(weights, device): raise ZeroDivisionError("boom")
def nothing(weights, device): return None
def text(weights, device): return "a generator"
def leaves(weights, device): os._exit(0)
def changes(weights, device):
    torch.set_default_dtype(torch.float64)
    return build_spherical(weights, device)
"""


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Register a stranger's generator of MODULE; its name."""
    (tmp_path / "strange_parts.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)

    def register(attribute: str) -> str:
        sys.modules.pop("strange_parts", None)
        entry = Registration("generator", "odd", f"strange_parts:{attribute}", "s", 1, "sx")
        monkeypatch.setitem(default_registry().registrations, ("generator", "odd"), entry)
        return "odd"

    return register


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ("boom", "failed: ZeroDivisionError: boom"),
        ("nothing", "makes a NoneType, which is no Generator"),
        ("text", "makes a str, which is no Generator"),
        ("leaves", "tried to end the program"),
    ],
)
def test_a_strangers_generator_that_cannot_be_built_is_one_sentence(
    strange: Callable[[str], str], attribute: str, told: str
) -> None:
    with pytest.raises(PluginError, match=f"^generator 'odd' of plugin 'sx' .*{told}"):
        load_generator(strange(attribute))


def test_what_modules_and_factories_of_parts_change_is_put_back(strange: Callable[[str], str]) -> None:
    assert load_generator(strange("changes")).spec.name == "spherical"
    assert set(changes()["sx"]) == {"whether torch records gradients", "torch's default dtype"}
    assert torch.is_grad_enabled() and torch.get_default_dtype() == torch.float32


def ended(body: str) -> subprocess.CompletedProcess[str]:
    program = "\n".join(["import sys, threading, atexit, os, time", "from toolkit import containment",
                         "from toolkit.cli import leaving", body, "leaving.leave(3)"])  # fmt: skip
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "left",
    [
        "atexit.register(print, 'bye')",
        "atexit.register(os.write, 1, b'bye')",
        "with containment.contained('it'): atexit.register(os._exit, 9)",
        "with containment.contained('it'): atexit.register(os.abort)",
        "def end(): os._exit(9)\natexit.register(end)",
        "leaving.PATIENCE = 0.2\nthreading.Thread(target=time.sleep, args=(60,), name='odd').start()",
        "threading.Thread(target=lambda: (time.sleep(0.3), print('late'))).start()",
    ],
)
def test_what_plugins_leave_behind_spoils_neither_results_nor_the_exit_code(left: str) -> None:
    run = ended(f"print('result')\n{left}")
    assert (run.returncode, run.stdout) == (3, "result\n"), run.stderr
    assert ("odd" in run.stderr) == ("odd" in left)


def test_threads_that_end_are_waited_for(tmp_path: Path) -> None:
    run = ended(f"threading.Thread(target=lambda: (time.sleep(0.3), open({str(tmp_path / 'x')!r}, 'w'))).start()")
    assert run.returncode == 3 and (tmp_path / "x").exists() and threading.active_count() >= 1


@pytest.mark.parametrize("end", ["os._exit(0)", "os.abort()"])
def test_a_program_that_strangers_code_ends_wherever_it_runs_says_whose_it_was(end: str) -> None:
    run = ended(f"def end(): {end}\nleaving.main = end\nleaving.program()")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: the module '__main__' tried to end the program (os.")
