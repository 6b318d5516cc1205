"""What others named reaches terminals and Markdown as text: no control character is obeyed, nothing is markup."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from toolkit.bench.records.schema import GeneratorEntry, Results, Row
from toolkit.bench.report.formats import as_markdown, as_tables
from toolkit.camera import Camera
from toolkit.cli.text import counted_faults, printable, say_lines
from toolkit.errors import InputError
from toolkit.registry import BrokenPlugin, default_registry

HOSTILE = ("a\nb", "\x1b[2Jgone", "\x1b]0;title\x07", "c\rd", "\x9b31mred", "e\u2028f", "\x7f\x08", "bell\x07")


def obeyed(text: str) -> list[str]:
    """Characters that a terminal would obey, besides the ends of lines that we write."""
    return [letter for letter in text if (not letter.isprintable() and letter not in "\n ")]


@pytest.mark.parametrize("name", [*HOSTILE, "caf\udce9", "\ud800"])
def test_a_name_is_one_printable_line(name: str) -> None:
    shown = printable(name)
    assert not obeyed(shown) and "\n" not in shown
    assert shown.encode()  # a surrogate could not be written
    assert shown != name and printable(shown) == shown


def test_lines_stay_lines_and_nothing_in_them_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    say_lines("one\n  two \x1b[31m\n\nthree")
    assert capsys.readouterr().out == "one\n  two \\x1b[31m\n\nthree\n"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_message_of_an_error_is_one_printable_line(name: str) -> None:
    assert not obeyed(str(InputError(f"{name} will not do"))) and "\n" not in str(InputError(name))


def test_the_report_of_a_data_set_escapes_every_name(program, tmp_path: Path) -> None:
    label = Camera.orbit(0.1).label[0].tolist()
    names = [f"{name}.png" for name in HOSTILE if "\x7f" not in name]
    for name in names[:3]:
        Image.fromarray(np.zeros((8, 9 if name == names[0] else 8, 3), np.uint8)).save(tmp_path / name)
    (tmp_path / names[1]).write_text("not a picture")
    labels = [[name, label] for name in names[1:]]  # the first is in no label, later ones are missing
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    (tmp_path / "subjects.json").write_text(json.dumps({name: {"subject": name, "view": "x"} for name in names}))
    ended = program("data", "check", tmp_path)
    assert ended.code == 1 and not obeyed(ended.out) and not obeyed(ended.err)
    faults = [line for line in ended.out.splitlines() if line.startswith("fault")]
    assert f"{len(faults)} faults" == ended.out.splitlines()[-1]
    for name in (*names[:2], *names[3:]):  # the third is sound
        assert any(printable(name) in line for line in faults), name
    told = json.loads(program("data", "check", tmp_path, "--json").out)
    assert {fault["name"] for fault in told["faults"]} >= set(names[3:])


@pytest.mark.parametrize("command", [("doctor",), ("plugins", "list")])
def test_broken_plugins_are_told_in_printable_lines(
    program, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    broken = [BrokenPlugin(name, f"ValueError: {name}\nand more") for name in HOSTILE]
    monkeypatch.setattr(default_registry(), "broken", broken)
    ended = program(*command)
    assert ended.code == 1 and not obeyed(ended.out)
    assert sum("broken: " in line for line in ended.out.splitlines()) == len(HOSTILE)


NAMES = ("a|b", "[x](http://y)", "<b>bold</b>", "*star*", "_under_", "`code`", "dual_encoder", "a\\|b", "&amp;")


def results_of(name: str) -> Results:
    common = {"protocol": "p", "data": name, "low": 0.0, "high": 1.0, "n": 3, "failed": 0, "unit": ""}
    rows = [
        Row(**common, method=method, metric=metric, value=value, direction="lower", backend="", world="embedded")
        for method, value in ((name, 0.5), ("other", 0.7))
        for metric in ("l2", f"m{name}")
    ]
    return Results(generator=GeneratorEntry(name=name, fingerprint="f", world="embedded", licence="x"), rows=rows)


@pytest.mark.parametrize("name", [*NAMES, *HOSTILE])
def test_names_in_tables_are_no_markup(name: str) -> None:
    shown, metric = (printable(" ".join(text.split())) for text in (name, f"m{name}"))
    text = as_markdown(results_of(name))
    assert not obeyed(text.replace("↓", "").replace("↑", ""))
    parsed = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    cells: list[str] = []
    kinds: set[str] = set()
    for before, token in itertools.pairwise(parsed):
        if token.type == "inline" and before.type in ("td_open", "th_open", "heading_open"):
            children = [child for child in token.children or [] if child.type != "text_special"]
            kinds |= {child.type for child in children} if before.type != "td_open" or name in token.content else set()
            cells.append("".join(child.content for child in token.children or []))
    assert cells[0] == f"Benchmark: {shown}" and cells.count(shown) == 1
    assert any(cell.startswith(f"{metric} ") for cell in cells)
    assert kinds <= {"text"}
    printed = as_tables(results_of(name).rows)
    assert not obeyed(printed.replace("↓", "").replace("↑", "")) and len(printed.splitlines()) == 8


def test_what_weights_say_of_themselves_is_text(program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from toolkit.weights import embedded

    real = embedded.embedded_weights()[:1]
    hostile = [dataclasses.replace(entry, licence="\x1b[2J\nfree") for entry in real]
    monkeypatch.setattr(embedded, "embedded_weights", lambda: hostile)
    ended = program("weights", "list")
    assert ended.code == 0 and not obeyed(ended.out) and "\\x1b[2J\\nfree" in ended.out


def test_faults_are_counted_in_words_that_fit_their_number() -> None:
    assert [counted_faults(count) for count in (0, 1, 2)] == ["no faults", "1 fault", "2 faults"]
