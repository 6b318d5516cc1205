from __future__ import annotations

import io

import pytest

from toolkit.training import LineProgress, terminal_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_come_at_intervals_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("toolkit.training.progress.time.monotonic", lambda: now)
    stream = io.StringIO()
    progress = LineProgress(stream, seconds=30.0)
    progress.start("toy", 10, 110)
    for done in range(11, 111):
        now += 1.0
        progress.advance(done, {"total": 0.5})
    assert stream.getvalue().splitlines() == [
        "toy: step 10 of 110",
        "toy: step 15 of 110, total 0.5, 1 steps/s, 0:01:35 left",
        "toy: step 45 of 110, total 0.5, 1 steps/s, 0:01:05 left",
        "toy: step 75 of 110, total 0.5, 1 steps/s, 0:00:35 left",
        "toy: step 105 of 110, total 0.5, 1 steps/s, 0:00:05 left",
        "toy: step 110 of 110, total 0.5, 1 steps/s, 0:00:00 left",
    ]


def test_a_terminal_gets_a_bar_and_plain_sentences() -> None:
    stream = Terminal()
    progress = terminal_progress(stream)
    progress.start("toy [1]", 0, 2)
    progress.say("the [bold]file[/bold] is damaged")
    progress.advance(2, {"total": 0.25, "b": 1.0, "c": 1.0, "d": 1.0, "e": 1.0})
    progress.stop()
    text = stream.getvalue()
    assert "the [bold]file[/bold] is damaged" in text and "toy [1]" in text and "2/2" in text


def test_a_pipe_gets_lines() -> None:
    assert isinstance(terminal_progress(io.StringIO()), LineProgress)
