"""`--config FILE`: the same keys as the options, the command line before the file, one sentence for what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from toolkit.cli.config_file import ConfigFile
from toolkit.cli.main import app as toolkit_app
from toolkit.errors import ConfigError
from toolkit.options import parse_settings

app = typer.Typer()
heard: dict[str, object] = {}


@app.command()
def command(
    config: ConfigFile = None,
    method: Annotated[str, typer.Option()] = "mean",
    limit: Annotated[int | None, typer.Option(min=1)] = None,
    method_weights: Annotated[list[str] | None, typer.Option("--method-weights")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set")] = None,
    video: Annotated[bool, typer.Option()] = True,
    out: Annotated[Path, typer.Option("--out", "-o")] = Path("out"),
) -> None:
    """Keep what came."""
    heard.clear()
    heard.update(method=method, limit=limit, weights=method_weights, settings=settings, video=video, out=out)


def called(tmp_path: Path, text: str, *options: str) -> dict[str, object]:
    file = tmp_path / "c.yaml"
    file.write_text(text, encoding="utf-8")
    ended = CliRunner().invoke(app, ["--config", str(file), *options])
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert ended.exit_code == 0, ended.output
    return dict(heard)


def test_the_file_has_the_options_keys_and_the_command_line_goes_before_it(tmp_path: Path) -> None:
    text = "method: wplus\nlimit: 3\nmethod-weights: {psp: a.safetensors}\nvideo: false\nout: there\n"
    found = called(tmp_path, text)
    assert (found["method"], found["limit"], found["video"], found["out"]) == ("wplus", 3, False, Path("there"))
    assert found["weights"] == ["psp=a.safetensors"]
    assert called(tmp_path, text, "--method", "pti", "--video")["method"] == "pti"
    assert called(tmp_path, text, "--limit", "5", "--video")["video"] is True
    assert called(tmp_path, "")["limit"] is None
    assert called(tmp_path, "method_weights: [psp=a, e4e=b]")["weights"] == ["psp=a", "e4e=b"]


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 5, "lr": 1e-3},
        {"mask": {"closing": 3, "edge": 0.5}, "name": "fast"},
        {"views": [1, 2], "flag": True, "nothing": None},
        {"text": "5", "colon": "a: b", "equals": "a=b", "dash": "- x", "empty": "", "nested": {}},
    ],
)
def test_settings_arrive_as_they_stand_in_the_file(tmp_path: Path, settings: dict[str, object]) -> None:
    import yaml

    found = called(tmp_path, yaml.safe_dump({"set": settings}))["settings"]
    assert isinstance(found, list)
    assert parse_settings(found) == settings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("methd: x", "unknown key 'methd'; did you mean 'method'?"),
        ("limit: many", ", got 'many'"),
        ("limit: 0", ", got 0"),
        ("limit: true", "'limit' takes no truth value, got True"),
        ("video: 3", "'video' takes true or false, got 3"),
        ("method: [a, b]", "'method' takes one value, got ['a', 'b']"),
        ("set: [{a: 1}]", "'set' takes a list of values, or keys with values"),
        ("config: other.yaml", "unknown key 'config'"),
        ("help: true", "unknown key 'help'"),
        ("- a", "must hold a mapping"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_it(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        called(tmp_path, text)
    assert str(tmp_path / "c.yaml") in str(caught.value) and expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["invert", "bench"])
def test_invert_and_bench_take_one(name: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("no-such-option: 1")
    ended = CliRunner().invoke(toolkit_app, [name, "--config", str(file), *(["a.png"] if name == "invert" else [])])
    assert isinstance(ended.exception, ConfigError) and "'no-such-option'" in str(ended.exception)
    file.write_text("generator: no-such-generator")
    ended = CliRunner().invoke(toolkit_app, [name, "--config", str(file), *(["a.png"] if name == "invert" else [])])
    assert ended.exit_code != 0
