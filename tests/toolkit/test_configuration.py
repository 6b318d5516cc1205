from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from toolkit import configuration
from toolkit.configuration import Config, config_names, config_path, load_config, settings_for_others
from toolkit.errors import ConfigError
from toolkit.registry import Registry, default_registry


class Optimiser(Config):
    kind: Literal["adam", "ranger"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)


class Training(Config):
    name: str
    steps: Annotated[int, Field(ge=1)] = 100
    flip: bool = False
    views: tuple[str, ...] = ("front",)
    folder: Path | None = None
    optimiser: Optimiser = Optimiser(learning_rate=0.5, betas=(0.0, 0.99))
    losses: dict[str, float] = Field(default_factory=dict)
    others: tuple[Optimiser, ...] = ()


def written(folder: Path, text: str) -> Path:
    path = folder / "training.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def sentence(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(Training, written(folder, text), overrides)
    return str(caught.value)


def test_a_file_and_overrides_make_a_typed_configuration(tmp_path: Path) -> None:
    path = written(tmp_path, "name: a\nviews: [front, back]\nfolder: some/where\noptimiser: {betas: [0.5, 0.9]}\n")
    config = load_config(Training, path, ["steps=7", "optimiser.learning_rate=1e-4", "losses.lpips=0.8", "flip=true"])
    assert config.views == ("front", "back") and config.folder == Path("some/where")
    assert config.optimiser == Optimiser(learning_rate=1e-4, betas=(0.5, 0.9))
    assert (config.steps, config.losses, config.flip) == (7, {"lpips": 0.8}, True)


def test_settings_that_are_given_away_do_not_tell_where_things_lay(tmp_path: Path) -> None:
    config = Training(
        name="a", folder=tmp_path / "run" / "weights.safetensors", views=("~/heads", "runs/psp/w", "/", "x")
    )
    told = json.loads(settings_for_others(config, exclude={"optimiser"}))
    assert told["folder"] == "run/weights.safetensors"
    assert told["views"] == ["heads", "runs/psp/w", "", "x"]
    kept = json.loads(config.model_dump_json(exclude={"optimiser", "folder", "views"}))
    assert {key: value for key, value in told.items() if key not in ("folder", "views")} == kept


def test_without_a_file_the_defaults_hold() -> None:
    assert load_config(Training, None, ["name=x"]) == Training(name="x")


def test_naming_one_nested_key_keeps_the_outer_default_of_the_others() -> None:
    config = load_config(Training, None, ["name=x", "optimiser.kind=ranger"])
    assert config.optimiser == Optimiser(kind="ranger", learning_rate=0.5, betas=(0.0, 0.99))


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "+1e-4", "1.e-4", "0.0001", "1e-04"])
def test_numbers_with_an_exponent_are_numbers(text: str) -> None:
    assert load_config(Training, None, ["name=x", f"optimiser.learning_rate={text}"]).optimiser.learning_rate == 1e-4


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_every_float_survives_being_written_as_python_writes_it(value: float) -> None:
    assert load_config(Training, None, ["name=x", f"losses.a={value!r}"]).losses["a"] == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: a\nstepz: 5", "unknown key 'stepz'; did you mean 'steps'?"),
        (
            "name: a\noptimiser: {learning_rat: 1}",
            "unknown key 'optimiser.learning_rat'; did you mean 'optimiser.learn",
        ),
        ("name: a\nothers: [{kin: adam}]", "unknown key 'others.0.kin'; did you mean 'others.0.kind'?"),
        (
            "name: a\nzzz: 1",
            "unknown key 'zzz'; available: flip, folder, losses, name, optimiser, others, steps",
        ),
        ("steps: 5", "the key 'name' is missing"),
        ("name: a\nsteps: many", "'steps': input should be a valid integer, got 'many'"),
        ("name: a\nsteps: '5'", "'steps': input should be a valid integer, got '5'"),
        ("name: a\nsteps: true", "'steps': input should be a valid integer, got True"),
        ("name: a\nsteps: 0", "'steps': input should be greater than or equal to 1, got 0"),
        ("name: a\nflip: 1", "'flip': input should be a valid boolean, got 1"),
        ("name: 5", "'name': input should be a valid string, got 5"),
        ("name: a\noptimiser: {kind: adm}", "'optimiser.kind': input should be 'adam' or 'ranger', got 'adm'"),
        ("name: a\noptimiser: {learning_rate: .nan}", "'optimiser.learning_rate': input should be"),
        ("name: a\nsteps: 0\nflip: 3", "(and 1 more)"),
        ("name: a\nname: b", "the key 'name' is given twice (line 2, column 1)"),
        ("name: &a x\nviews: [*a]", "aliases are not allowed (line 2, column 9)"),
        ("name: [", "is not valid YAML"),
        ("- a\n- b", "must hold a mapping of keys to values, got a list"),
        ("name: !!python/object/apply:os.system ['true']", "is not valid YAML"),
        ("name: 2024-13-45", "is not valid YAML"),
        ("name: a\x00b", "is not valid YAML"),
        ("views: " + "[" * 3000, "is nested too deeply"),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_file_and_key(tmp_path: Path, text: str, expected: str) -> None:
    message = sentence(tmp_path, text)
    assert message.startswith(str(tmp_path / "training.yaml"))
    assert expected in message and "\n" not in message


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("stepz=5", "--set stepz=5: unknown key 'stepz'; did you mean 'steps'?"),
        ("steps=many", "--set steps=many: 'steps': input should be a valid integer, got 'many'"),
        ("optimiser.kid=1", "--set optimiser.kid=1: unknown key 'optimiser.kid'; did you mean 'optimiser.kind'?"),
        ("steps", "--set takes KEY=VALUE with dots between nested keys, got 'steps'"),
        ("=5", "--set takes KEY=VALUE"),
        ("optimiser..kind=1", "--set takes KEY=VALUE"),
        ("steps.a=5", "--set steps.a=5: 'steps' holds 100, not nested keys"),
        ("losses=[", "the value of --set losses=[ is not valid YAML"),
    ],
)
def test_a_wrong_override_is_named_as_such(tmp_path: Path, override: str, expected: str) -> None:
    assert sentence(tmp_path, "name: a\nsteps: 100", override).startswith(expected)


def test_files_that_cannot_be_read_are_config_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*none\.yaml: No such file"):
        load_config(Training, tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load_config(Training, tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe4")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_config(Training, tmp_path / "latin.yaml")
    monkeypatch.setattr(configuration, "MAX_BYTES", 10)
    with pytest.raises(ConfigError, match="is larger than 10 bytes"):
        load_config(Training, written(tmp_path, "name: a" + " " * 20))


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The toolkit's own folder with one configuration, and the package of a plugin with two."""
    folders = {"own": tmp_path / "own", "stranger": tmp_path / "stranger_plugin" / "configs"}
    for folder in folders.values():
        (folder / "training").mkdir(parents=True)
        (folder / "training" / "dual-encoder.yaml").write_text("")
    (folders["stranger"] / "training" / "theirs.yaml").write_text("name: theirs\n")
    (tmp_path / "stranger_plugin" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()
    registry.add_plugin("stranger", importlib.import_module("stranger_plugin"))
    monkeypatch.setattr(configuration, "_configs_folder", lambda: folders["own"])
    monkeypatch.setattr(configuration, "default_registry", lambda: registry)
    return folders


def test_shipped_configurations_are_found_by_name(shipped: dict[str, Path]) -> None:
    assert config_names() == ["training/dual-encoder", "training/theirs"]
    assert config_path("training/dual-encoder") == config_path("training/dual-encoder.yaml")
    assert config_path("training/dual-encoder").is_file()
    with pytest.raises(ConfigError, match="did you mean 'training/dual-encoder'"):
        config_path("training/dual-encodr")
    with pytest.raises(ConfigError, match=r"unknown configuration .\.\./secret.;"):
        config_path("../secret")


def test_a_plugins_configurations_are_found_in_its_own_folder(shipped: dict[str, Path]) -> None:
    assert load_config(Training, config_path("training/theirs")).name == "theirs"
    assert load_config(Training, None, ["base=training/theirs", "steps=3"]) == Training(name="theirs", steps=3)


def test_no_plugin_puts_its_configuration_in_the_place_of_another(shipped: dict[str, Path]) -> None:
    assert config_path("training/dual-encoder").is_relative_to(shipped["own"])


def test_every_built_in_training_has_its_configuration_in_its_plugins_folder() -> None:
    registry = default_registry()
    for entry in registry.of_kind("trainable"):
        name = "dual-encoder" if entry.name == "encoder1" else entry.name
        assert config_path(f"training/{name}").is_relative_to(registry.folders[entry.plugin])


def test_the_folder_of_shipped_configurations_exists_from_any_working_directory(tmp_path: Path) -> None:
    root = Path(configuration.__file__).parents[1]
    code = "from toolkit.configuration import _configs_folder; assert (_configs_folder() / '__init__.py').is_file()"
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)


def test_a_configuration_on_top_of_another_changes_only_what_it_names(tmp_path: Path) -> None:
    below = tmp_path / "below.yaml"
    below.write_text("name: below\nsteps: 5\noptimiser: {kind: ranger, learning_rate: 0.1}\n")
    path = written(tmp_path, f"base: {below}\nname: above\noptimiser: {{learning_rate: 0.2}}\n")
    config = load_config(Training, path, ["flip=true"])
    assert (config.name, config.steps, config.flip) == ("above", 5, True)
    assert config.optimiser == Optimiser(kind="ranger", learning_rate=0.2, betas=(0.0, 0.99))
    other = tmp_path / "other.yaml"
    other.write_text("name: other\nsteps: 9\n")
    assert load_config(Training, path, [f"base={other}"]).steps == 9


def test_a_base_must_be_there_and_have_none_itself(tmp_path: Path) -> None:
    assert "unknown configuration" in sentence(tmp_path, "base: training/nonsense\nname: a\n")
    assert "must name a configuration" in sentence(tmp_path, "base: 3\nname: a\n")
    chain = tmp_path / "chain.yaml"
    chain.write_text("base: x\n")
    assert "has a base itself" in sentence(tmp_path, f"base: {chain}\nname: a\n")


def test_an_old_key_is_answered_with_the_new_one(tmp_path: Path):
    class Inner(Config):
        renamed: ClassVar = {"doubt": "asymmetry"}
        asymmetry: float = 0.0

    class Outer(Config):
        inner: Inner = Inner()

    file = tmp_path / "old.yaml"
    file.write_text("inner: {doubt: 0.5}")
    with pytest.raises(ConfigError, match=r"old\.yaml: the key 'inner\.doubt' is now 'inner\.asymmetry'"):
        load_config(Outer, file)
