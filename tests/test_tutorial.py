"""docs/plugins/tutorial.md is run: its files are installed by pip into a fresh environment, its commands as printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import site
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "plugins" / "tutorial.md").read_text(encoding="utf-8")
_FILE = re.compile(r"^`([\w./-]+\.(?:toml|py|yaml))`.*?^```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
_COMMANDS = [text for language, text in _FENCES if not language][-1].strip().splitlines()


class Reader:
    """Somebody who follows the page."""

    def __init__(self, root: Path) -> None:
        """Make an environment that has the running one's packages, and write the files of the page."""
        self.root, self.bin = root, root / "env" / "bin"
        venv.create(root / "env")
        folder = Path(sysconfig.get_path("purelib", vars={"base": str(root / "env")}))
        shared = [*site.getsitepackages(), str(Path(__file__).parent.parent)]
        lines = [f"import site; site.addsitedir({place!r})" for place in shared]
        (folder / "shared.pth").write_text("\n".join(lines) + "\n")
        for name, text in _FILE.findall(PAGE):
            path = root / "glance" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def follow(self, command: str, *more: str) -> str:
        """Run a command of the page, which must succeed; what it prints."""
        program, *words = shlex.split(command)
        offline = ["--quiet", "--no-index", "--no-build-isolation"] if program == "pip" else []
        hidden = ("PYTHONPATH", "TOOLKIT_PLUGINS", "TOOLKIT_WEIGHTS")
        environment = {key: value for key, value in os.environ.items() if key not in hidden}
        environment |= {"TOOLKIT_CACHE": str(self.root / "cache"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        result = subprocess.run(
            [self.bin / "python", "-m", program, *words, *offline, *more],
            cwd=self.root, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def scores(self, metric: str) -> dict[str, float]:
        """Values of a metric by method, of the run that the page names."""
        rows = json.loads((self.root / "runs" / "first" / "results.json").read_text())["rows"]
        return {row["method"]: row["value"] for row in rows if row["metric"] == metric}


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def test_the_page_prints_all_files_of_a_package() -> None:
    names = [name for name, _ in _FILE.findall(PAGE)]
    configs = ["glance/configs/training/glance.yaml", "glance/configs/training/glance-check.yaml"]
    assert names == ["pyproject.toml", "glance/__init__.py", "glance/encoder.py", "glance/training.py", *configs]
    assert "torch" not in dict(_FILE.findall(PAGE))["glance/__init__.py"]
    assert [command.split()[:2] for command in _COMMANDS] == [
        ["pip", "install"], ["toolkit", "plugins"], ["toolkit", "train"], ["toolkit", "train"], ["toolkit", "bench"],
    ]  # fmt: skip


@pytest.mark.slow
def test_the_tutorial_is_followed_with_a_training_of_a_few_steps(reader: Reader) -> None:
    install, check, _, train, bench = _COMMANDS
    reader.follow(install)
    lines = [line for part in json.loads(reader.follow(check, "--json")).values() for line in part]
    assert {line["verdict"] for line in lines} <= {"passed", "not checked"}
    assert len([line for line in lines if line["verdict"] == "passed"]) > 20
    reader.follow(train, "--config", "training/glance-check")
    reader.follow(bench, "--limit", "1", "--threads", "1")
    assert set(reader.scores("l2")) == {"mean", "glance", "psp"}


@pytest.mark.slow
def test_the_tutorial_as_printed_makes_an_encoder_that_sees(reader: Reader) -> None:
    for command in _COMMANDS:
        said = reader.follow(command)
        assert "projected total" in said or "--dry-run" not in command
    for metric, sign in (("l2", 1), ("lpips_lite", 1), ("id_dlib", 1)):
        found = reader.scores(metric)
        assert sign * found["glance"] < sign * found["mean"], metric
