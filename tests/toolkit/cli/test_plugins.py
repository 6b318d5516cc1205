from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from toolkit import registry, strangers


@pytest.fixture
def some(monkeypatch: pytest.MonkeyPatch) -> None:
    """One working plugin and one that does not exist."""
    monkeypatch.setattr(registry, "default_registry", lambda: registry.discover("optimisation,optimization"))


@pytest.mark.usefixtures("some")
def test_the_list_names_what_works_and_why_the_rest_does_not(program) -> None:
    ended = program("plugins", "list")
    assert ended.code == 1
    assert ended.out.startswith("broken: optimization: unknown plugin 'optimization'; did you mean 'optimisation'?")
    assert "\nmethods\n  mean   " in ended.out and "[optimisation]" in ended.out


@pytest.mark.usefixtures("some")
def test_scripts_get_json(program) -> None:
    ended = program("plugins", "list", "--json")
    assert ended.code == 1
    document = json.loads(ended.out)
    assert {entry["name"] for entry in document["registrations"]} == {"wplus", "pti", "mean"}
    assert document["registrations"][0]["target"].startswith("toolkit_plugins.optimisation.")
    assert [plugin["plugin"] for plugin in document["broken"]] == ["optimization"]


def test_no_plugins_is_an_empty_list(program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "default_registry", lambda: registry.discover(""))
    assert program("plugins", "list") == (0, "", "")
    assert json.loads(program("plugins", "list", "--json").out) == {
        "registrations": [],
        "broken": [],
        "slow": {},
        "printed": {},
        "changed": {},
    }


def test_what_a_plugin_changes_while_it_loads_is_told_by_the_list_and_by_every_command(
    program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "_changes", {"odd": {"torch's default dtype": None, "sys.stdout": None}})
    ended = program("plugins", "list")
    assert "meddling: odd changes torch's default dtype; sys.stdout while it is loaded (undone)" in ended.out
    assert ended.err == "note: the plugin 'odd' changed torch's default dtype; sys.stdout: that was undone\n"
    assert json.loads(program("plugins", "list", "--json").out)["changed"]["odd"] == [
        "torch's default dtype",
        "sys.stdout",
    ]


def test_what_is_slow_or_noisy_is_named_and_results_stay_clean(program, monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry.discover("optimisation")
    found.load_plugin("sleepy", lambda: print("[bold]hello\x1b[0m") or SimpleNamespace())
    found.seconds["sleepy"] = 3.25
    monkeypatch.setattr(registry, "default_registry", lambda: found)
    ended = program("plugins", "list")
    assert ended.code == 0
    assert ended.out.splitlines()[:2] == [
        "slow: sleepy takes 3.2 s to load, whatever the command",
        "noisy: sleepy prints while it is loaded: [bold]hello\\x1b[0m",
    ]
    document = json.loads(program("plugins", "list", "--json").out)
    assert document["slow"] == {"sleepy": 3.25} and "hello" in document["printed"]["sleepy"]
