"""What a person reads: tables in three formats and one page, all made from results.json and the pictures beside it."""

from __future__ import annotations

from pathlib import Path

from toolkit.bench.records.schema import Results
from toolkit.bench.report.formats import as_csv, as_latex, as_leaderboard, as_markdown, as_tables
from toolkit.bench.report.page import build_page
from toolkit.files import atomic_write

__all__ = ["as_csv", "as_latex", "as_leaderboard", "as_markdown", "as_tables", "build_page", "write_report"]

PAGE_FILE = "report.html"


def write_report(folder: Path, results: Results) -> Path:
    """Write table.md, table.tex, table.csv and report.html from results (as `read_results` returns them).

    Returns:
        The page.

    Raises:
        OutputError: The folder cannot be written.
    """
    texts = {
        "table.md": as_markdown(results),
        "table.tex": as_latex(results),
        "table.csv": as_csv(results),
        PAGE_FILE: build_page(results, folder / "frames"),
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as path:
            path.write_text(text, encoding="utf-8")
    return folder / PAGE_FILE
