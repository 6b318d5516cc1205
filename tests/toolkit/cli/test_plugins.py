from __future__ import annotations

import json

import pytest

from toolkit import registry


@pytest.fixture
def some(monkeypatch: pytest.MonkeyPatch) -> None:
    """One working plugin and one that does not exist."""
    monkeypatch.setattr(registry, "default_registry", lambda: registry.discover("optimisation,optimization"))


@pytest.mark.usefixtures("some")
def test_the_list_names_what_works_and_why_the_rest_does_not(program) -> None:
    ended = program("plugins", "list")
    assert ended.code == 0
    assert ended.out.startswith("methods\n  mean   ")
    assert "[optimisation]" in ended.out
    assert "broken: optimization: unknown plugin 'optimization'; did you mean 'optimisation'?" in ended.out


@pytest.mark.usefixtures("some")
def test_scripts_get_json(program) -> None:
    document = json.loads(program("plugins", "list", "--json").out)
    assert {entry["name"] for entry in document["registrations"]} == {"wplus", "pti", "mean"}
    assert document["registrations"][0]["target"].startswith("toolkit_plugins.optimisation.")
    assert [plugin["plugin"] for plugin in document["broken"]] == ["optimization"]


def test_no_plugins_is_an_empty_list(program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "default_registry", lambda: registry.discover(""))
    assert program("plugins", "list") == (0, "", "")
    assert json.loads(program("plugins", "list", "--json").out) == {"registrations": [], "broken": []}
