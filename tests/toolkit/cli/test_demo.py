from __future__ import annotations

from pathlib import Path

import pytest

import toolkit.apps.demo as demonstration
from toolkit.apps.invert import Outcome

pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--preset", "fst"], "did you mean 'fast'?"), (["--out", "a-file"], "is not a folder")],
    ids=["preset", "out"],
)
def test_what_must_fail_is_refused_before_anything_is_made(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a-file").touch()
    ended = program("demo", *words)
    assert ended.code == 2
    assert ended.err.startswith("error: ") and message in ended.err and ended.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a-file"]


def test_the_demo_says_where_to_look_and_ends_with_1_if_a_face_failed(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = [
        Outcome(Path("a.png"), tmp_path / "wplus" / "a", "done", 2.0),
        Outcome(Path("b.png"), tmp_path / "wplus" / "b", "failed", 1.0, "no face was found"),
    ]
    monkeypatch.setattr(demonstration, "run_demo", lambda *_: outcomes)
    ended = program("demo", "--out", tmp_path)
    assert ended.code == 1
    assert f"open {tmp_path / 'wplus' / 'a' / 'viewer.html'}" in ended.out
    assert "no face was found" in ended.out
