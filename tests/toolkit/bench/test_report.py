"""Tables and page from a made-up document: what is best, what shares a table, what a browser shows."""

from __future__ import annotations

import csv
import io
import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit.bench.protocols.comparisons import compare_all
from toolkit.bench.protocols.registered import open_protocol, protocol_class
from toolkit.bench.protocols.rows import RowOrigin
from toolkit.bench.records.schema import Results, Row
from toolkit.bench.records.views import ViewFiles
from toolkit.bench.report import as_csv, as_latex, as_leaderboard, as_markdown, as_tables, build_page, write_report
from toolkit.bench.report.charts import nice_range, time_chart, yaw_chart
from toolkit.bench.report.paper import differences_from_paper, is_comparable, paper_html, read_paper
from toolkit.bench.report.shown import is_case_metric
from toolkit.bench.report.tables import number, tables_of
from toolkit.bench.subjects.inputs import BenchItem
from toolkit.registry import default_registry

METHODS = ("near & dear", "far", "mean")
ITEMS = ("00000/front.png", "00001/front.png")
YAWS = (0.0, 90.0, 180.0, -90.0)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def row(method: str, metric: str, value: float | None, **others: Any) -> Row:
    spread = {"low": None, "high": None} if value is None else {"low": value * 0.9, "high": value * 1.1}
    usual = {"protocol": "gt360", "data": "heads", "world": "embedded", "backend": "none", "unit": "", "n": 8}
    about = {**usual, "method": method, "metric": metric, "value": value, **spread, "failed": 0, "direction": "lower"}
    return Row.model_validate({**about, **others})


def document(folder: Path) -> Results:
    """Results of three methods on two heads by two protocols."""
    rows, values, curves = [], [], []
    for place, method in enumerate(METHODS):
        level = 0.01 * (place + 1)
        rows += [
            row(method, "l2", level),
            row(method, "l2@occluded", level * 2),
            row(method, "psnr", 20.0 - place, direction="higher", unit="dB"),
            row(method, "lpips_lite", level * 10, backend="embedded", n=8 - place, failed=place),
            row(method, "seconds", 10.0 ** (1 - place), protocol="speed", unit="s"),
        ]
        curves += [
            {**row(method, "l2", level * (1 + abs(yaw) / 180)).as_json(), "input_yaw": 0.0, "yaw": yaw} for yaw in YAWS
        ]
        spread = {ITEMS[0]: level * 0.9, ITEMS[1]: level * 1.1}
        values.append({"protocol": "gt360", "data": "heads", "method": method, "metric": "l2", "values": spread})
    frames, heads = ViewFiles(folder / "frames"), []
    for item in ITEMS:
        for place, method in enumerate((None, *METHODS)):
            key = f"{item[:5]}-{place}"
            shades = torch.arange(4).float().reshape(4, 1, 1, 1) / 3 * 2 - 1  # white from behind, black at -90
            frames.write(key, YAWS, shades.expand(4, 3, 16, 16))
            yaw = {"yaw": 0.0} if method is None else {}
            heads.append({"data": "heads", "item": item, "method": method, "frames": key, **yaw})
    items = [BenchItem(item, item[:5]) for item in ITEMS]
    run = {
        "settings": {"about": "What <it> does.", "seed": 0, "digest": "1"},
        "pictures": {"cells": 2},
        "interval": "bootstrap",
        "compared_at": "256 px",
        "methods": {},
        "environment": {"torch": "2", "threads": 1, "seed": 0},
        "machine": {"cores": 2, "processor": "any", "device": "cpu"},
        "command": "toolkit bench --methods all",
    }
    found = Results.model_validate({
        "generator": {"name": "mini", "fingerprint": "0123456789abcdef", "world": "embedded", "licence": "free"},
        "runs": {f"{name} on heads": {"protocol": name, "data": "heads", **run} for name in ("gt360", "speed")},
        "rows": rows,
        "curves": curves,
        "values": values,
        "comparisons": [],
        "cells": [{"protocol": "gt360", "data": "heads", "item": item.id, "subject": item.subject} for item in items],
        "failures": [{"protocol": "gt360", "data": "heads", "method": "far", "item": ITEMS[0], "stage": "invert",
                      "error": "RuntimeError: <script>alert(1)</script>"}],
        "unavailable": [{"protocol": "gt360", "data": "heads", "metric": "ms_ssim", "reason": "too small"}],
        "left_out": [{"protocol": "fid360", "data": "heads", "reason": "no network"}],
        "heads": heads,
    })  # fmt: skip
    found.comparisons = compare_all(RowOrigin("gt360", "embedded", "heads", 0), items, found.values)
    return found


def results_of(rows: list[Row], **others: Any) -> Results:
    generator = {"name": "mini", "fingerprint": "", "world": "embedded"}
    return Results.model_validate({"generator": generator, "rows": [each.as_json() for each in rows], **others})


def test_numbers_of_two_worlds_or_backends_share_no_table():
    rows = [
        row("m", "l2", 1.0),
        row("m", "lpips_lite", 1.0, backend="embedded"),
        row("m", "lpips_alex", 1.0, backend="reference"),
        row("m", "l2", 1.0, world="full"),
        row("m", "l2", 1.0, data="others"),
    ]
    found = {(table.world, table.data, table.backend): [c.label for c in table.columns] for table in tables_of(rows)}
    assert found == {
        ("embedded", "heads", "embedded"): ["l2", "lpips_lite"],
        ("embedded", "heads", "reference"): ["lpips_alex"],
        ("full", "heads", ""): ["l2"],
        ("embedded", "others", ""): ["l2"],
    }


def test_the_best_and_the_second_follow_the_direction_and_the_floor_is_never_best():
    rows = [row("floor", "psnr", 99.0, direction="higher")]
    rows += [row(name, "psnr", value, direction="higher") for name, value in (("a", 1.0), ("b", 3.0), ("c", 3.0))]
    rows += [row("d", "psnr", 2.0, direction="higher"), row("e", "psnr", None, direction="higher")]
    (table,) = tables_of(rows)
    assert table.ranks(table.columns[0]) == {"b": 1, "c": 1, "d": 2}
    assert tables_of([row("only", "l2", 1.0)])[0].ranks(table.columns[0]) == {}


def distances(floor: tuple[float, float, float], **methods: float) -> list[Row]:
    """Distances to random heads: a floor with its interval, and methods with small ones."""
    value, low, high = floor
    usual = {"protocol": "fid360", "backend": "embedded", "n": 3}
    rows = [row("floor", "fd_lite", value, low=low, high=high, **usual)]
    return rows + [row(name, "fd_lite", at, low=at - 0.1, high=at + 0.1, **usual) for name, at in methods.items()]


@pytest.mark.parametrize(
    ("rows", "marked"),
    [
        (distances((5.0, 4.0, 6.0), a=3.0, b=9.0), False),  # a is nearer to random heads than random heads are
        (distances((5.0, 4.0, 6.0), a=4.5, b=5.5), False),  # all within the floor's interval
        (distances((5.0, 4.0, 6.0), a=4.5, b=9.0), True),
        (distances((5.0, 4.0, 6.0), a=7.0, b=9.0), True),
        ([row("floor", "fd_lite", None), row("a", "fd_lite", 1.0), row("b", "fd_lite", 2.0)], False),
        ([row(name, "fd_lite", 1.0 + len(name), low=None, high=None, n=4) for name in ("a", "bb")], False),
        ([row(name, "l2", float(len(name)), low=float(len(name)), high=float(len(name)), n=1) for name in ("a", "bb")],
         False),
        ([row("floor", "psnr", 5.0, low=4.0, high=6.0, direction="higher"), row("a", "psnr", 7.0, direction="higher"),
          row("b", "psnr", 3.0, direction="higher")], False),
    ],
)  # fmt: skip
def test_nobody_is_best_where_n_cannot_tell(rows: list[Row], marked: bool):
    for table in tables_of(rows):
        for column in table.columns:
            assert bool(table.ranks(column)) == (table.can_tell(column) and marked) == marked
    printed = as_tables(rows)
    lines = [line for line in printed.splitlines() if line.startswith(("| a", "| b"))]
    assert any("*" in line for line in lines) == marked
    assert ("too few to tell" in printed) == (not marked)
    assert ("**" in as_markdown(results_of(rows)).partition("**Best**")[0]) == marked
    assert (r"\textbf" in as_latex(results_of(rows))) == marked


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [(None, None, "-"), (0.0, None, "0.00"), (0.0123456, None, "0.0123"), (1234.5, None, "1234"),
     (2e-5, None, "2.0e-05"), (0.5, 4, "0.5000"), (-0.0123, None, "-0.0123"), (-1e-9, 5, "0.00000")],
)  # fmt: skip
def test_numbers_are_short(value: float | None, places: int | None, text: str):
    assert number(value, places) == text


def test_text_tables_show_parts_where_the_whole_has_no_value():
    rows = [row("fine", "l2@yaw_30", 0.1), row("broken", "l2", None, n=0, failed=8)]
    printed = as_tables(rows)
    assert "l2@yaw_30" in printed and "0.100" in printed


def test_text_tables_mark_best_and_second_and_count(tmp_path: Path):
    results = document(tmp_path)
    printed = as_tables(results.rows)
    line = next(line for line in printed.splitlines() if line.startswith("| near & dear"))
    assert [cell.strip() for cell in line.split("|")][2:-1] == ["8", "0.0100*", "20.0*", "0.100*"]
    assert "0.300 (n=6)" in printed  # mean failed twice on lpips_lite, and on nothing else
    assert "columns of regions and stages in table.md: 1" in printed
    markdown = as_markdown(results)
    assert "**0.0100** [0.0090, 0.0110]" in markdown
    assert "_0.0200_ [0.0180, 0.0220]" in markdown
    assert r"What \<it\> does." in markdown


def test_latex_is_booktabs_and_escaped(tmp_path: Path):
    latex = as_latex(document(tmp_path))
    assert latex.count(r"\toprule") == latex.count(r"\bottomrule") == 2
    assert r"near \& dear & 8 & \textbf{0.0100}" in latex
    assert r"\underline{0.0200}" in latex
    body = re.sub(r"\\&", "", latex.split(r"\begin{tabular}")[1])
    assert len({line.count("&") for line in body.splitlines() if line.endswith(r"\\")}) == 1


@pytest.mark.parametrize(
    ("name", "set_as"),
    [
        ("[red]x[/red]", "{[}red{]}x{[}/red{]}"),
        ("*", "{*}"),
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("a\n\nb\x1b[2J", r"a b\textbackslash{}x1b{[}2J"),
        (
            "$x_1^2$ ~50% #<b>|",
            r"\$x\_1\textasciicircum{}2\$ \textasciitilde{}50\% \#\textless{}b\textgreater{}\textbar{}",
        ),
    ],
)
def test_latex_sets_a_name_letter_by_letter(tmp_path: Path, name: str, set_as: str):
    results = document(tmp_path)
    rows = [row.model_copy(update={"method": name}) for row in results.rows if row.method == results.rows[0].method]
    latex = as_latex(results.model_copy(update={"rows": rows}))
    assert f"\n    {set_as} & " in latex


def test_latex_fits_on_paper_and_says_where_fewer_counted():
    parts = ("", "@visible", "@occluded")
    rows = [row("m", f"metric{index}{part}", 1.0) for part in parts for index in range(6)]
    rows += [row("m", "id_dlib", 0.5, backend="embedded", n=3)]
    latex = as_latex(results_of(rows))
    captions = re.findall(r"\\caption{(.*)}", latex)
    assert [caption.rpartition(": ")[2] for caption in captions[1:]] == ["visible", "occluded"]
    assert max(len(columns) for columns in re.findall(r"\\begin{tabular}{l(r+)}", latex)) == 8
    assert r"{\scriptsize ($n$=3)}" in latex


def test_best_and_worst_cases_are_of_every_metric_that_a_picture_shows():
    shown = ("l2", "psnr", "mask_iou", "lpips_lite@yaw_30")
    assert all(is_case_metric(label) for label in shown)
    assert not any(is_case_metric(label) for label in ("l2@occluded", "seconds", "seconds@encode", "peak_memory"))


def test_csv_has_every_row(tmp_path: Path):
    results = document(tmp_path)
    lines = list(csv.DictReader(io.StringIO(as_csv(results))))
    assert len(lines) == len(results.rows)
    assert float(lines[0]["value"]) == results.rows[0].value


def test_the_leaderboard_says_how_it_was_made(tmp_path: Path):
    page = as_leaderboard(document(tmp_path))
    assert "    toolkit bench --methods all" in page
    assert "gt360: l2@occluded" in page
    seconds = [[cell.strip() for cell in line.split("|")][2] for line in page.splitlines() if "| method " in line]
    assert seconds[0].startswith("gt360: ")  # unlike counts of several protocols make no column
    assert set(seconds[1:]) == {"n"}
    assert "Failures: 1." in page


def test_the_leaderboards_texts_are_those_of_the_shipped_protocols():
    page = (Path(__file__).parents[3] / "docs" / "leaderboard.md").read_text(encoding="utf-8").replace("\\", "")
    names = re.findall(r"^## (\w+) on ", page, re.MULTILINE)
    assert len(names) == 5
    for name in names:
        assert f"\n{open_protocol(name).about}\n" in page
        assert f"\nBrackets: {protocol_class(open_protocol(name).kind).interval}.\n" in page


def test_charts_are_well_formed_and_keep_within_their_axes():
    chart = yaw_chart({0: [(-90.0, 1.0), (0.0, 2.0), (180.0, 3.0)], 3: [(0.0, 2.5)]}, "l2 < 3")
    root = ElementTree.fromstring(chart.replace("hidden=", "data-hidden="))
    places = [float(dot.get("cx", "nan")) for dot in root.iter("circle")]
    assert len(places) == 5  # 180 degrees stands at both ends
    assert min(places) >= 58
    assert max(places) <= 744
    ElementTree.fromstring(time_chart({"a & b": (0, 0.01, 1.0), "c": (1, 100.0, 1.0)}, "l2"))
    assert nice_range([0.011, 0.049])[2] == [0.01, 0.02, 0.03, 0.04, 0.05]
    assert nice_range([2.0])[0] <= 2.0 <= nice_range([2.0])[1]


def test_printed_numbers_are_comparable_only_with_the_same_data_and_networks(tmp_path: Path):
    paper = read_paper()
    assert [len(table.rows) for table in paper.tables] == [7, 7, 7, 4, 5, 3]
    assert {table.data for table in paper.tables} <= {entry.name for entry in default_registry().of_kind("dataset")}
    assert all(len(values) == len(table.columns) for table in paper.tables for values in table.rows.values())
    assert "not comparable with this run" in paper_html(document(tmp_path))
    origin = {"protocol": "reconstruction", "data": "crops"}
    settings = {"digest": open_protocol("reconstruction").digest}
    run = {**origin, "settings": settings, "pictures": {"source": "lpff:/crops", "reader": "lpff", "cells": 1}}

    def measured(run: dict[str, Any], **others: Any) -> Results:
        usual = {**origin, "world": "full", "backend": "reference", **others}
        return results_of([row("m", usual.pop("metric", "lpips_alex"), 0.1, **usual)], runs={"any": run})

    same = measured(run)
    assert is_comparable(paper.tables[0], paper, same)
    assert not is_comparable(paper.tables[1], paper, same)
    assert "same protocol, and pictures read as lpff" in paper_html(same)
    assert not is_comparable(paper.tables[0], paper, measured({**run, "settings": {"digest": "another"}}))
    assert not is_comparable(paper.tables[0], paper, measured(run, metric="lpips_vgg"))
    named = {**run, "data": "lpff", "pictures": {"source": "/lpff", "reader": None, "cells": 1}}
    assert not is_comparable(paper.tables[0], paper, measured(named, data="lpff"))  # a folder's name proves nothing
    assert not is_comparable(paper.tables[0], paper, measured(run, world="embedded"))
    pictures = {"source": "ffhq:/a,lpff:/b", "reader": "ffhq+lpff", "cells": 1}
    both = {**run, "pictures": pictures, "settings": {**settings, "kind": "reconstruction"}}
    for seen, comparable in ((None, True), (0, True), (1, False)):
        trained = {**both, "methods": {"m": {"seen": seen}}}
        assert is_comparable(paper.tables[0], paper, measured(trained)) == comparable
    assert "m was trained on 1 of the 1 pictures" in paper_html(measured(trained))


def test_the_page_holds_everything_and_nothing_from_outside(tmp_path: Path):
    page = build_page(document(tmp_path), tmp_path / "frames")
    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r"""(src|href)=["']?(?!#|data:)\w""", re.sub(r"<script>.*?</script>", "", page, flags=re.S))
    assert "@@" not in page
    assert re.search(r"\b(1 method|[2-9] methods), (1 head|[2-9] heads) of ", page)
    for words in (
        "At a glance",
        "Heads side by side",
        "Best and worst",
        "Failures",
        "How to reproduce",
        "near &amp; dear",
    ):
        assert words in page


@pytest.fixture
def open_page(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    path = write_report(tmp_path, document(tmp_path))
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=FLAGS, timeout=120_000)

        def make(width: int) -> Any:
            page = browser.new_context(offline=True, viewport={"width": width, "height": 800}).new_page()
            page.set_default_timeout(60_000)
            page.complaints = []
            page.on("console", lambda message: message.type == "error" and page.complaints.append(message.text))
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.goto(path.as_uri())
            return page

        yield make
        browser.close()


@pytest.mark.browser
def test_a_browser_sorts_turns_and_chooses(open_page: Callable[..., Any]):
    page = open_page(1280)
    first = "document.querySelector('#gt360 tbody tr th').textContent"
    assert page.evaluate(first) == "near & dear"
    head = page.locator("#gt360 thead th").nth(1)
    head.click()
    head.click()
    assert page.evaluate(first) == "mean"
    assert head.get_attribute("aria-sort") == "descending"
    image = page.locator(".turning .head").nth(1).locator("img").first
    before = image.get_attribute("src")
    page.locator(".turning input").first.evaluate(
        "each => { each.value = 90; each.dispatchEvent(new Event('input')); }"
    )
    assert before != image.get_attribute("src")
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] - 65, box["y"] + 10, steps=4)
    page.mouse.up()
    assert image.get_attribute("src") == before
    page.locator("#glance select").select_option("gt360: psnr ↑")
    shown = page.evaluate("[...document.querySelectorAll('#glance .option')].filter(e => !e.hidden).length")
    assert shown == 1
    assert page.complaints == []


@pytest.mark.browser
def test_a_true_picture_does_not_stand_for_a_view_that_it_is_not(open_page: Callable[..., Any], tmp_path: Path):
    results = document(tmp_path)
    ViewFiles(tmp_path / "frames").write("00000-0", [0.0], torch.zeros(1, 3, 16, 16))
    write_report(tmp_path, results)
    page = open_page(1280)
    heads = page.locator(".turning").first.locator(".head")
    assert [heads.nth(place).locator("img.far").count() for place in (0, 1)] == [2, 0]  # truth, and a method
    assert page.complaints == []


@pytest.mark.browser
def test_on_a_telephone_only_tables_scroll_sideways(open_page: Callable[..., Any]):
    page = open_page(390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.querySelector('#gt360 .scroll').scrollWidth") > 390
    assert page.complaints == []


def test_what_differs_from_the_paper_stands_beside_every_printed_table(tmp_path: Path):
    paper = read_paper()
    page = paper_html(document(tmp_path))
    assert page.count("What differs from this run") == len(paper.tables)
    origin = {"protocol": "reconstruction", "data": "crops"}
    settings = {"kind": "reconstruction", "digest": open_protocol("reconstruction").digest}
    pictures = {"source": "lpff:/crops", "reader": "lpff", "cells": 500, "pictures": 14_000}
    run = {**origin, "settings": settings, "pictures": pictures, "machine": {"device": "H200"}}
    usual = {**origin, "world": "full", "backend": "reference"}
    rows = [row("m", name, 0.1, **usual) for name in ("lpips_alex", "id_curricularface", "fid")]
    nearest = results_of(rows, runs={"any": run})
    nearest.generator.world = "full"
    first, *_, last = differences_from_paper(paper.tables[0], paper, nearest)
    assert first == "500 of 14000 pictures" and last.startswith("not printed: ")
    told = "; ".join(differences_from_paper(paper.tables[1], paper, results_of(rows[:1], runs={"any": run})))
    for words in ("world: embedded", "not read as celeba-hq", "not measured: fid, id_curricularface", "taken on H200"):
        assert words in told
    changed = results_of(rows, runs={"any": {**run, "settings": {**settings, "digest": "another"}}})
    assert "settings of reconstruction were changed" in differences_from_paper(paper.tables[0], paper, changed)
    assert differences_from_paper(paper.tables[2], paper, nearest) == ["no run of the protocol multiview"]


@pytest.mark.parametrize(("options", "told"), [({}, True), ({"preset": "default"}, True), ({"preset": "paper"}, False)])
def test_a_method_that_has_the_papers_preset_and_ran_without_it_is_named(options: dict[str, Any], told: bool) -> None:
    paper = read_paper()
    run = {
        "protocol": "reconstruction", "data": "crops", "settings": {"kind": "reconstruction", "digest": "x"},
        "pictures": {"source": "lpff:/crops", "reader": "lpff", "cells": 1, "pictures": 1},
        "methods": {"dual-encoder": {"options": options}, "psp": {"options": {}}},
    }  # fmt: skip
    differences = differences_from_paper(paper.tables[0], paper, results_of([], runs={"any": run}))
    sentence = "dual-encoder without the preset 'paper' (--option dual-encoder.preset=paper)"
    assert (sentence in differences) == told and not any(each.startswith("psp") for each in differences)


def foreground_results(**settings: Any) -> Results:
    """A run of fid360 at full scale, with changed settings."""
    shipped = open_protocol("fid360")
    values = {**shipped.model_dump(mode="json"), "foreground": True, **settings, "digest": "another"}
    run = {
        "protocol": "fid360", "data": "crops", "settings": values,
        "pictures": {"source": "lpff:/crops", "reader": "lpff", "cells": 9, "pictures": 9},
    }  # fmt: skip
    rows = [row("m", "fid", 1.0, protocol="fid360", data="crops", world="full", backend="reference")]
    found = results_of(rows, runs={"fid360 on crops": run})
    found.generator.world = "full"
    return found


def test_every_text_says_where_only_the_foreground_was_compared(tmp_path: Path) -> None:
    results, usual = foreground_results(), foreground_results(foreground=False)
    sentence = "Foreground only: inversions and random heads are on white"
    changed = "Not the shipped protocol: foreground = true (shipped: false)"
    markdown, page = as_markdown(results), build_page(results, tmp_path)
    assert all(words in text for words in (sentence, changed) for text in (markdown, page))
    assert "<h2>fid360, foreground only</h2>" in page
    titles = (markdown, as_latex(results), as_tables(results.rows, results.runs))
    assert all("literature's metric networks), foreground only" in text for text in titles)
    for text in (as_markdown(usual), build_page(usual, tmp_path), as_latex(usual), as_tables(usual.rows, usual.runs)):
        assert "oreground only" not in text and "Not the shipped protocol" not in text


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("reconstruction", "foreground=true"),
        ("reconstruction", "random_sides=2"),
        ("multiview", "random_sides=2"),
        ("fid360", "target_yaws=[-90, 90]"),
        ("speed", "occlusion_tolerance=0.5"),
    ],
)
def test_a_setting_that_a_protocol_does_not_read_changes_nothing(kind: str, change: str) -> None:
    shipped, asked = open_protocol(kind), open_protocol(kind, [change])
    assert asked.digest == shipped.digest and not asked.has_foreground
    run = {
        "protocol": kind, "data": "crops", "pictures": {"cells": 2},
        "settings": {**asked.model_dump(mode="json"), "digest": asked.digest},
    }  # fmt: skip
    rows = [row("m", "l2", 1.0, protocol=kind, data="crops")]
    text = as_markdown(results_of(rows, runs={f"{kind} on crops": run}))
    assert "oreground only" not in text and "Not the shipped protocol" not in text


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("fid360", "foreground=true"),
        ("fid360", "random_sides=2"),
        ("multiview", "target_yaws=[-90, 90]"),
        ("gt360", "occlusion_tolerance=0.5"),
        ("reconstruction", "yaw_tolerance=1.5"),
    ],
)
def test_a_setting_that_a_protocol_reads_makes_it_another(kind: str, change: str) -> None:
    asked = open_protocol(kind, [change])
    assert asked.digest != open_protocol(kind).digest and asked.has_foreground == (change == "foreground=true")


def test_what_differs_from_the_paper_stands_in_markdown_at_full_scale_only() -> None:
    results = foreground_results(random_sides=3)
    told = as_markdown(results).partition("## What differs from the paper's tables")[2]
    line = next(line for line in told.splitlines() if line.startswith("- Table 1, FFHQ + LPFF:"))
    assert "no run of the protocol reconstruction; fid360 on crops: Foreground only" in line
    assert "random_sides = 3 (shipped: 5)" in line and "Table 2" not in told
    results.generator.world = "embedded"
    assert "What differs from the paper" not in as_markdown(results)


def test_a_changed_setting_of_the_papers_protocol_is_named() -> None:
    settings = {**open_protocol("multiview").model_dump(mode="json"), "yaw_tolerance": 9.5, "digest": "another"}
    run = {"protocol": "multiview", "data": "m", "settings": settings, "pictures": {"cells": 1}}
    found = differences_from_paper(read_paper().tables[2], read_paper(), results_of([], runs={"multiview on m": run}))
    assert "settings of multiview were changed: yaw_tolerance = 9.5 (shipped: 14.0)" in found


def test_options_beside_a_preset_and_the_number_of_pictures_are_told_beside_the_papers_tables() -> None:
    run = {
        "protocol": "reconstruction", "data": "crops", "settings": {"kind": "reconstruction", "digest": "x"},
        "pictures": {"cells": 2, "pictures": 2},
        "methods": {
            "wplus": {"options": {"steps": 2}},
            "pti": {"options": {"preset": "pti"}},
            "mine": {"options": {"a": 1}},
        },
    }  # fmt: skip
    found = differences_from_paper(read_paper().tables[0], read_paper(), results_of([], runs={"any": run}))
    assert "wplus with steps=2" in found and not any(each.startswith(("pti", "mine")) for each in found)
    assert found[-1].endswith("which pictures and how many (here: 2)")
