"""What long commands show of themselves: bars on a terminal, a line now and then in a log, names as they are."""

from __future__ import annotations

import io

import pytest

from toolkit.cli.progress import TerminalProgress
from toolkit.progress import losses_as_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_come_at_intervals_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("toolkit.cli.progress.time.monotonic", lambda: now)
    stream = io.StringIO()
    with TerminalProgress(stream=stream) as progress:
        progress.step("toy", 10, 110)
        for done in range(11, 111):
            now += 1.0
            progress.step("toy", done, 110, "total 0.5")
    assert stream.getvalue().splitlines() == [
        f"toy: {done} of 110, total 0.5, about 0:{left // 60:02d}:{left % 60:02d} left"
        for done, left in ((15, 95), (30, 80), (45, 65), (60, 50), (75, 35), (90, 20), (105, 5))
    ] + ["toy: 110 of 110, total 0.5"]


def test_a_part_of_a_piece_of_work_is_told_in_a_log_only_where_it_takes_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("toolkit.cli.progress.time.monotonic", lambda: now)
    stream = io.StringIO()
    with TerminalProgress(stream=stream) as progress:
        for seconds in (0.1, 4.0):
            for done in range(3):
                progress.step("head: orbit.mp4", done, 2)
                now += seconds
        progress.step("photos", 1, 1)
    assert stream.getvalue().splitlines() == ["head: orbit.mp4: 2 of 2", "photos: 1 of 1"]


def test_the_next_photo_has_a_pace_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("toolkit.cli.progress.time.monotonic", lambda: now)
    stream = io.StringIO()
    with TerminalProgress(stream=stream) as progress:
        for first in (22, 23):  # so many views of this head were there before
            for done in range(first, 41):
                progress.step("head: viewer.html", done, 40 + 1)
                now += 0.5
            now += 100.0  # another inversion
    assert stream.getvalue().splitlines() == [
        "head: viewer.html: 32 of 41, about 0:00:04 left",
        "head: viewer.html: 33 of 41, about 0:00:04 left",
    ]


def test_a_terminal_gets_a_bar_for_each_piece_of_work() -> None:
    stream = Terminal()
    with TerminalProgress(["first"], stream=stream) as progress:
        progress.step("second", 2, 4, "about it")
    text = stream.getvalue()
    assert "first" in text and "second" in text and "2/4" in text


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("me [edited].png", "me [edited].png"),
        ("a[/b].png", "a[/b].png"),
        (":smile:.png", ":smile:.png"),
        ("[bold red]x[/]", "[bold red]x[/]"),
        ("two\nlines", "two\\nlines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("caf\udce9", "caf\\xe9"),
        ("\u202estays", "\u202estays"),
    ],
)
def test_names_are_text(name: str, shown: str, terminal: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    with TerminalProgress(stream=stream) as progress:
        progress.note(f"photo {name}")
        progress.step(name, 1, 3, name, error=name)
        progress.step(name, 3, 3)
    assert f"photo {shown}" in stream.getvalue()
    assert f"{shown} failed on {shown}: {shown}" in stream.getvalue()


def test_losses_are_told_in_one_short_line() -> None:
    assert losses_as_text({"total": 0.25, "b": 1.0}) == "total 0.25  b 1"
    assert losses_as_text({name: 1.0 for name in "abcdef"}) == "a 1  b 1  c 1  d 1 ..."
