"""A method in another environment: asked and answered through files, contained whatever it does."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from toolkit import load_method
from toolkit.camera import Camera
from toolkit.errors import CapabilityError, ConfigError, PluginError
from toolkit.external.exchange import write_request
from toolkit.external.method import open_external
from toolkit.interfaces import Generator
from toolkit.testing import conformance
from toolkit.testing.spherical import build_spherical

EXAMPLE = Path(__file__).parents[3] / "experiments" / "external_method"
RUN = (EXAMPLE / "run.py").read_text()


@pytest.fixture(scope="module")
def generator() -> Generator:
    return build_spherical()


def declared(folder: Path, script: str, **keys: object) -> Path:
    """A declaration whose command is a Python script."""
    (folder / "run.py").write_text(textwrap.dedent(script))
    settings = {"name": "other", "command": [sys.executable, "run.py"], "depends_on": ["run.py"], **keys}
    (folder / "other.yaml").write_text(json.dumps(settings))  # JSON is YAML
    return folder / "other.yaml"


def picture() -> torch.Tensor:
    return torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_example_keeps_the_contract_of_a_method(tmp_path: Path, generator: Generator) -> None:
    method = load_method(str(declared(tmp_path, RUN)), generator)
    conformance.check_method(method, generator)
    heard: list[tuple[int, int]] = []
    method.on_step = lambda step, total, losses: heard.append((step, total))  # type: ignore[attr-defined]
    inversion = method.invert(picture(), Camera.orbit(), generator)
    assert heard == [(1, 2), (2, 2)]
    assert inversion.method == "other" and inversion.timings["command"] > 0


def test_the_fingerprint_follows_the_files_that_results_depend_on(tmp_path: Path) -> None:
    path = declared(tmp_path, RUN)
    before = open_external(path).fingerprint
    assert open_external(path).fingerprint == before
    (tmp_path / "run.py").write_text(RUN + "\n# changed")
    assert open_external(path).fingerprint != before
    (tmp_path / "run.py").unlink()
    with pytest.raises(ConfigError, match=r"depends_on names run\.py"):
        open_external(path)


ANSWER = "import json, sys, pathlib\nresult = pathlib.Path(sys.argv[2])\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import sys; sys.exit('no checkpoint found')", "exit code 1: no checkpoint found"),
        ("raise ValueError('a\\nb')", "exit code 1: b"),
        ("import os; os._exit(7)", "exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "exit code -11"),
        ("pass", "no such file"),
        (ANSWER + "(result / 'result.json').write_text('{')", "no JSON"),
        (ANSWER + "(result / 'result.json').write_text('[1]')", "must hold an object"),
        (ANSWER + "(result / 'result.json').write_text('{}')", "names no file of ws"),
        (ANSWER + "(result / 'result.json').write_text(json.dumps({'ws': '../x'}))", "leads out"),
        (ANSWER + "(result / 'result.json').write_text(json.dumps({'ws': '/etc/passwd'}))", "leads out"),
        (ANSWER + "(result / 'w').symlink_to('/etc/passwd')\n(result / 'result.json').write_text('{\"ws\": \"w\"}')",
         "leads out"),
        (ANSWER + "(result / 'result.json').write_text(' ' * 2_000_000)", "larger than"),
    ],
)  # fmt: skip
def test_a_command_that_fails_or_answers_badly_is_one_sentence(
    script: str, words: str, tmp_path: Path, generator: Generator
) -> None:
    method = open_external(declared(tmp_path, script))
    with pytest.raises(PluginError, match=words) as caught:
        method.invert(picture(), Camera.orbit(), generator)
    assert "\n" not in str(caught.value) and method.name in str(caught.value)


def test_the_page_names_every_key_of_a_request(tmp_path: Path, generator: Generator) -> None:
    page = Path(__file__).parents[3] / "docs" / "plugins" / "elsewhere.md"
    write_request(tmp_path, picture(), Camera.orbit(), generator, Camera.orbit(), 0, "renders")
    request = json.loads((tmp_path / "request.json").read_text())
    for key in (*request, *request["generator"]):
        assert f"`{key}`" in page.read_text(), key


@pytest.mark.parametrize("values", [np.zeros((1, 2, 3)), np.full((1, 3, 24), np.nan), np.zeros((2, 3, 24))])
def test_a_code_of_another_shape_or_not_finite_is_refused(
    values: np.ndarray, tmp_path: Path, generator: Generator
) -> None:
    np.save(tmp_path / "values.npy", values)
    script = RUN.replace("    average = read_tensor", "    values = np.load('values.npy'); average = read_tensor")
    script = script.replace("ws.reshape(1, *average.shape[-2:])", "values")
    with pytest.raises(PluginError, match="ws of the method"):
        open_external(declared(tmp_path, script)).invert(picture(), Camera.orbit(), generator)


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, generator: Generator) -> None:
    script = """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
        open("child", "w").write(str(child.pid))
        print("progress 1/3", flush=True)
        time.sleep(300)
    """
    method = open_external(declared(tmp_path, script, time_limit=3))
    started = time.monotonic()
    with pytest.raises(PluginError, match="longer than its limit of 3 s"):
        method.invert(picture(), Camera.orbit(), generator)
    assert time.monotonic() - started < 60
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_it_gets_none_of_our_packages_and_much_output_does_not_block_it(
    tmp_path: Path, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("SECRET_TOKEN", "x")
    checks = "import os\nassert 'PYTHONPATH' not in os.environ and 'SECRET_TOKEN' not in os.environ\n"
    script = RUN.replace("import json\n", checks + "print('x' * 3_000_000)\nimport json\n", 1)
    inversion = open_external(declared(tmp_path, script)).invert(picture(), Camera.orbit(), generator)
    assert torch.isfinite(inversion.ws).all()


def test_renders_are_pictures_from_the_wanted_cameras(tmp_path: Path, generator: Generator) -> None:
    script = ANSWER + textwrap.dedent("""
        import shutil
        request = pathlib.Path(sys.argv[1])
        asked = json.loads((request / "request.json").read_text())
        names = [f"{i}.png" for i in range(len(asked["wanted"]))]
        for name in names:
            shutil.copy(request / asked["picture"], result / name)
        (result / "result.json").write_text(json.dumps({"renders": names}))
    """)
    method = open_external(declared(tmp_path, script, returns="renders"))
    wanted = Camera.orbit(torch.tensor([0.0, 1.0, 2.0]))
    seen = method.render(picture(), Camera.orbit(), generator, wanted)
    assert seen.shape == (3, 3, 48, 48)
    torch.testing.assert_close(seen[:1], picture(), atol=0.005, rtol=0)
    with pytest.raises(CapabilityError, match="returns renders"):
        method.invert(picture(), Camera.orbit(), generator)


@pytest.mark.parametrize(
    ("keys", "words"),
    [({"command": []}, "command"), ({"returns": "planes"}, "returns"), ({"time_limit": -1}, "time_limit"),
     ({"comand": ["x"]}, "did you mean 'command'"), ({"name": "a b"}, "name"),
     ({"command": ["/no/such/program"]}, "cannot be started")],
)  # fmt: skip
def test_a_declaration_of_another_form_is_one_sentence(
    keys: dict[str, object], words: str, tmp_path: Path, generator: Generator
) -> None:
    with pytest.raises((ConfigError, PluginError), match=words) as caught:
        open_external(declared(tmp_path, "", **keys)).invert(picture(), Camera.orbit(), generator)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_it_runs_in_a_virtual_environment_with_another_numpy(tmp_path: Path, generator: Generator) -> None:
    """The example as its README has it; needs a package index."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    pip = [tmp_path / "env" / "bin" / "python", "-m", "pip", "install", "-q", "-r", EXAMPLE / "requirements.txt"]
    if subprocess.run(pip, check=False).returncode:
        pytest.skip("no package index is reached")
    path = declared(tmp_path, RUN, command=["env/bin/python", "run.py"])
    inversion = open_external(path).invert(picture(), Camera.orbit(), generator)
    assert torch.isfinite(inversion.ws).all()
    version = [tmp_path / "env" / "bin" / "python", "-c", "import numpy; print(numpy.__version__)"]
    theirs = subprocess.run(version, capture_output=True, text=True, check=True).stdout.strip()
    assert theirs == "1.26.4" != np.__version__
