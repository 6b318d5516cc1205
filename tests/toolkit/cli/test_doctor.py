from __future__ import annotations

import pytest

from toolkit import registry


@pytest.mark.usefixtures("stand_in")
def test_the_doctor_says_what_is_here_and_what_is_missing(program) -> None:
    ended = program("doctor")
    assert ended.code == 0, ended.err
    assert "  found    panohead-mini: 48 px" in ended.out
    assert "  missing  panohead: generator 'panohead' needs weights that are not shipped" in ended.out
    assert "panohead-untrained" not in ended.out, "it has no weights to look for, and building it takes seconds"
    for line in ("packages", "  torch  ", "devices", "  cpu: ", "plugins: "):
        assert line in ended.out


def test_a_package_that_is_not_there_is_named(program, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.cli import doctor

    monkeypatch.setattr(doctor, "PACKAGES", ("a-package-of-nobody",))
    monkeypatch.setattr(registry, "default_registry", lambda: registry.discover(""))
    ended = program("doctor")
    assert ended.code == 0
    assert "a-package-of-nobody" in ended.out and "not installed (optional)" in ended.out
    assert "no generators registered" in ended.out


def test_a_broken_plugin_ends_with_1(program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "default_registry", lambda: registry.discover("nobody"))
    ended = program("doctor")
    assert ended.code == 1
    assert "  broken: nobody: unknown plugin 'nobody'" in ended.out
