"""The examples of docs/python.md run as they are printed, and show themselves as the page says."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from toolkit.apps.demo import write_astronaut
from toolkit.bench import read_results

PAGE = Path(__file__).parent.parent / "docs" / "python.md"
VIEWS, COMPARISON = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run_example(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, str(PAGE), "exec"), names)
    return names


def statements(source: str) -> int:
    return len(re.findall(r"^(?!from |import )[a-z]", source, re.MULTILINE))


def test_a_photo_becomes_views_in_five_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_astronaut(tmp_path / "me.jpg.png").rename(tmp_path / "me.jpg")
    names = run_example(VIEWS)
    assert statements(VIEWS) <= 5
    views, inversion, photo = names["views"], names["inversion"], names["photo"]
    assert views.image.shape[0] == 5
    side = views.image.shape[-1]
    assert Image.open(io.BytesIO(views._repr_png_())).size == (5 * side, side)
    assert Image.open(io.BytesIO(photo._repr_png_())).size == (side, side)
    for shown in (views, inversion, photo):
        assert "\n" not in repr(shown)
        assert len(repr(shown)) < 200
    assert "dual-encoder" in repr(inversion)


def test_methods_are_compared_in_ten_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    names = run_example(COMPARISON)
    results = names["results"]
    assert statements(COMPARISON) + 6 <= 10
    assert names["best"].method == "psp"
    assert names["again"] == results == read_results(Path("runs/small/results.json"))
    assert "\n" not in repr(results)
    assert "reconstruction" in repr(results)
    shown = results._repr_html_()
    assert shown.count("<table>") == 1
    assert "<td>psp</td>" in shown
    frame = results.as_frame()
    assert len(frame) == len(results.rows)
    assert set(frame["method"]) == {"mean", "psp"}


def test_a_data_frame_without_pandas_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from toolkit.bench.records.shown import rows_as_frame
    from toolkit.errors import MissingDependencyError

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match=r"toolkit\[frames\]"):
        rows_as_frame([])


def test_what_a_notebook_shows_holds_names_as_text() -> None:
    from toolkit.notebook import html_table, png

    shown = html_table("<b>", ["a & b"], [["<script>"]])
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    nine = Image.open(io.BytesIO(png(torch.zeros(9, 3, 4, 6))))
    assert nine.size == (48, 8)
