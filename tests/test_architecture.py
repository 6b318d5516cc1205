"""The import rule and the size rules of the house, kept by reading the source."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
CORE = ROOT / "toolkit"
PLUGINS = ROOT / "plugins" / "toolkit_plugins"
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
LARGEST_FILE = 400
LARGEST_FUNCTION = 80

ROOM_ROW = re.compile(r"\| (\d+) \| `(\w+)` \| .+ \|")


def rooms() -> dict[str, int]:
    """The layer of every room, as docs/architecture.md says it; a larger number stands further down."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return {name: int(layer) for layer, name in ROOM_ROW.findall(page)}


LAYERS = rooms()
BENCH_ROW = re.compile(r"\| (\d+) \| `bench/(\w+)` \| .+ \|")


def bench_rooms() -> dict[str, int]:
    """The layer of every room of the benchmark, as docs/architecture.md says it."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return {name: int(layer) for layer, name in BENCH_ROW.findall(page)}


class Import(NamedTuple):
    module: str
    when: str
    """'loading' the file, 'calling' one of its functions, or 'typing' (never at run time)."""


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path) -> Iterator[Import]:
    """Every module that a file imports; `from a import b` counts as a and as a.b."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from _imports(tree.body, "loading")


def _imports(body: list[ast.stmt], when: str) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield Import(node.module, when)
            yield from (Import(f"{node.module}.{alias.name}", when) for alias in node.names)
        else:
            inner = when
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                inner = "typing"
            elif when == "loading" and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                inner = "calling"
            for field in ("body", "orelse", "finalbody", "handlers"):
                children = getattr(node, field, [])
                for child in children if isinstance(children, list) else []:
                    nested = child.body if isinstance(child, ast.ExceptHandler) else [child]
                    yield from _imports(nested, inner)


def room(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def test_the_page_names_every_room_and_no_other():
    here = {room(path) for path in sources(CORE)} - {"__init__", "__main__"}
    assert set(LAYERS) == here


@pytest.mark.parametrize("path", sources(CORE), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_imports_downwards_and_no_plugin(path: Path):
    own = LAYERS.get(room(path))
    assert own is not None or path.name in ("__init__.py", "__main__.py"), f"{room(path)} stands in no layer"
    for module, when in imports(path):
        assert not module.startswith("toolkit_plugins"), f"{path} imports the plugin {module}"
        parts = module.split(".")
        if own is None or when == "typing" or parts[0] != "toolkit" or len(parts) == 1:
            continue
        theirs = LAYERS.get(parts[1])
        assert theirs is None or theirs >= own, f"{path.relative_to(ROOT)} imports {module}, which stands above it"


@pytest.mark.parametrize("path", sources(CORE / "bench"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_rooms_of_the_benchmark_import_downwards(path: Path):
    layers = bench_rooms()
    assert set(layers) == {each.name for each in (CORE / "bench").iterdir() if (each / "__init__.py").is_file()}
    own = path.relative_to(CORE / "bench").parts[0]
    if own == "__init__.py":
        pytest.skip("the front door opens every room")
    for module, when in imports(path):
        parts = module.split(".")
        if when != "typing" and parts[:2] == ["toolkit", "bench"] and len(parts) > 2 and parts[2] in layers:
            assert layers[parts[2]] >= layers[own], f"{path.relative_to(ROOT)} imports {module}, which stands above it"


@pytest.mark.parametrize("path", sources(PLUGINS), ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_import_neither_each_other_nor_the_command_line(path: Path):
    own = path.relative_to(PLUGINS).parts[0]
    for module, _ in imports(path):
        parts = module.split(".")
        assert parts[:2] != ["toolkit", "cli"], f"{path} imports {module}"
        if parts[0] == "toolkit_plugins" and len(parts) > 1:
            assert parts[1] == own, f"{path.relative_to(ROOT)} imports {module}"


@pytest.mark.parametrize("path", sources(PLUGINS), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_plugins_package_imports_no_torch_while_it_registers(path: Path):
    if path.parent.parent != PLUGINS or path.name != "__init__.py":
        pytest.skip("not a plugin's entry module")
    heavy = {"torch", "numpy", "scipy", "PIL", "cv2", "skimage"}
    assert not {module for module, when in imports(path) if when == "loading" and module.split(".")[0] in heavy}


@pytest.mark.parametrize("path", [*sources(CORE), *sources(PLUGINS)], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_small_and_named_after_their_subject(path: Path):
    assert path.stem not in FORBIDDEN_NAMES
    assert path.parent.name not in FORBIDDEN_NAMES
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LARGEST_FILE, f"{path} has {len(text.splitlines())} lines: two ideas"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LARGEST_FUNCTION, f"{path}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", [*sources(CORE), *sources(PLUGINS)], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_below_the_command_line_prints_exits_or_unpickles(path: Path):
    if path.is_relative_to(CORE / "cli"):
        pytest.skip("the command line prints")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            to_a_given_stream = called == "print" and any(keyword.arg == "file" for keyword in node.keywords)
            barred = called in {"print", "exit", "sys.exit", "quit"} and not to_a_given_stream
            assert not barred, f"{path}:{node.lineno} calls {called}"
            if called in {"pickle.load", "torch.load", "np.load", "numpy.load"}:
                safe = any(
                    (keyword.arg, ast.unparse(keyword.value)) in {("weights_only", "True"), ("allow_pickle", "False")}
                    for keyword in node.keywords
                )
                assert safe, f"{path}:{node.lineno}: {called} may run a stranger's code"


ASKED_BY_NAME = {
    "toolkit/bench/execution/machine.py": {"sysconf"},
    "toolkit/cli/config_file.py": {"message"},
    "toolkit/files.py": {"file_digest"},
    "toolkit/inversion.py": {"tolist"},
    "toolkit/options.py": {"item"},
    "toolkit/process_state.py": {"__spec__", "_initializing"},
    "toolkit/training/metrics_log.py": {"detach"},
    "toolkit/training/stepping.py": {"_fields"},
    "toolkit/weights/importing.py": {"config", "settings", "to_dict"},
    "toolkit/weights/method_importing.py": {"config", "settings", "state_dict"},
    "toolkit/weights/pickles.py": {"take_state"},
}
"""Attributes that a file may look for: of Python's, numpy's and torch's objects and of networks, not of contracts."""


@pytest.mark.parametrize("path", [*sources(CORE), *sources(PLUGINS)], ids=lambda path: str(path.relative_to(ROOT)))
def test_optional_capabilities_are_asked_for_by_isinstance(path: Path):
    allowed = ASKED_BY_NAME.get(path.relative_to(ROOT).as_posix(), set())
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "hasattr"} and len(node.args) > 1):
            continue
        asked = node.args[1]
        if isinstance(asked, ast.Constant) and (len(node.args) == 3 or ast.unparse(node.func) == "hasattr"):
            where = f"{path.relative_to(ROOT)}:{node.lineno} looks for {asked.value!r}"
            assert asked.value in allowed, f"{where}: name a Protocol of toolkit.interfaces and ask by isinstance"


def test_the_program_starts_without_torch():
    program = "import sys, toolkit.cli.main; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


def test_a_shipped_encoder_inverts_without_the_compiler_of_torch():
    program = """
import sys, torch, toolkit
generator = toolkit.load_generator("panohead-mini")
method = toolkit.load_method("psp", generator)
method.invert(torch.zeros(1, 3, 64, 64), generator.spec.front_camera, generator)
print("torch._dynamo" in sys.modules, "sympy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False False"
