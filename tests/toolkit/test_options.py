from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from toolkit.configuration import Config
from toolkit.errors import ConfigError
from toolkit.options import dotted_keys, parse_settings, read_options


class Mask(Config):
    closing: Annotated[int, Field(ge=0)] = 2
    edge: float = 0.5


class Options(Config):
    steps: Annotated[int, Field(ge=1)] = 100
    lr: Annotated[float, Field(gt=0)] = 0.1
    loss: Literal["l1", "l2"] = "l2"
    trunk: Path | None = None
    mask: Mask = Mask()


class Presets(Options):
    preset: str = ""


PRESETS: dict[str, dict[str, Any]] = {"fast": {"steps": 7, "mask": {"closing": 9}}, "default": {}}


def sentence(*pairs: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_settings(pairs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("0.1", 0.1),
        ("1e-3", 0.001),
        ("1E+3", 1000.0),
        ("-2.5e-07", -2.5e-7),
        ("true", True),
        ("fast", "fast"),
        ("[1, 1e-2]", [1, 0.01]),
        ("{a: 1e5}", {"a": 1e5}),
        ("", None),
        ("a=b", "a=b"),
        ("1e", "1e"),
    ],
)
def test_values_are_what_they_look_like(text: str, value: object) -> None:
    assert parse_settings([f"key={text}"]) == {"key": value}
    assert parse_settings([f"a.b.key={text}"]) == {"a": {"b": {"key": value}}}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_arrives_as_that_number(number: float) -> None:
    assert parse_settings([f"lr={number!r}"]) == {"lr": number}


def test_keys_of_one_group_come_together() -> None:
    assert parse_settings(["mask.closing=1", "lr=2", "mask.edge=1e-1"]) == {
        "mask": {"closing": 1, "edge": 0.1},
        "lr": 2,
    }


def test_a_name_with_dots_stands_in_quotes() -> None:
    assert parse_settings(['options."pores.v2".width=4', 'by . "x"=1']) == {
        "options": {"pores.v2": {"width": 4}},
        "by": {"x": 1},
    }


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["steps"], "--set takes KEY=VALUE"),
        (["=3"], "--set takes KEY=VALUE"),
        (["a..b=3"], "--set takes KEY=VALUE"),
        (["a.b.=3"], "--set takes KEY=VALUE"),
        (['a."b=3'], "--set takes KEY=VALUE"),
        (["a=1", "a=2"], "--set a was given twice"),
        (["a=1", "a.b=2"], "--set a.b=2: 'a' holds 1, not nested keys"),
        (["a=[1"], "the value of --set a=[1 is not valid YAML"),
        (["a=2024-13-45"], "the value of --set a=2024-13-45 is not valid YAML"),
        (["a=" + "[" * 5000], "is nested too deeply"),
        (["a=\x00"], "is not valid YAML"),
        (["a=*x"], "aliases are not allowed"),
    ],
)
def test_what_is_no_setting_is_refused_in_one_sentence(pairs: list[str], expected: str) -> None:
    assert expected in sentence(*pairs)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"stps": 3}, "method 'm': unknown option 'stps'; did you mean 'steps'?"),
        ({"mask.closng": 3}, "method 'm': unknown option 'mask.closng'; did you mean 'mask.closing'?"),
        ({"masc.closing": 3}, "method 'm': unknown option 'masc.closing'; did you mean 'mask.closing'?"),
        ({"steps": 0}, "method 'm': 'steps': input should be greater than or equal to 1, got 0"),
        ({"steps": True}, "method 'm': 'steps': input should be a valid integer, got True"),
        ({"lr": "quick"}, "method 'm': 'lr': input should be a valid number, got 'quick'"),
        ({"lr": float("nan")}, "method 'm': 'lr': input should be"),
        ({"mask": 3}, "method 'm': 'mask' is a group, got 3; set mask.closing, mask.edge"),
        ({"steps": 1, "steps.a": 2}, "method 'm': 'steps' holds 1, not nested keys"),
        ({"preset": "fast"}, "method 'm' has no presets, got 'fast'; its options: loss, lr, mask.closing"),
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_options(Options, options, "m")
    assert str(caught.value).startswith(expected) and "\n" not in str(caught.value)


def test_a_method_without_options_says_so() -> None:
    with pytest.raises(ConfigError, match=r"has no presets, got 'fast'; its options: none$"):
        read_options(Config, {"preset": "fast"}, "m")


def test_options_may_be_nested_dotted_or_paths(tmp_path: Path) -> None:
    assert read_options(Options, {"mask.closing": 4, "mask": {"edge": 1.0}}, "m").mask == Mask(closing=4, edge=1.0)
    assert read_options(Options, {"trunk": tmp_path, "preset": "default"}, "m").trunk == tmp_path


def test_options_lie_over_the_preset() -> None:
    chosen = read_options(Presets, {"preset": "fast", "lr": 1.0}, "m", PRESETS)
    assert (chosen.preset, chosen.steps, chosen.lr, chosen.mask.closing) == ("fast", 7, 1.0, 9)
    assert read_options(Presets, {}, "m", PRESETS, "fast").steps == 7
    with pytest.raises(ConfigError, match="unknown preset of method 'm' 'fasst'; did you mean 'fast'"):
        read_options(Presets, {"preset": "fasst"}, "m", PRESETS)


def test_dotted_keys_are_those_that_set_takes() -> None:
    assert dotted_keys(Options) == ["loss", "lr", "mask.closing", "mask.edge", "steps", "trunk"]
