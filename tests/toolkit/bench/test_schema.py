"""The schema and its page; and whatever a results file may hold, reading it is one sentence."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from bent_recipes import document

from toolkit.bench import read_results, write_report
from toolkit.bench.records import schema, units
from toolkit.bench.records.base import Record
from toolkit.bench.records.results import write_results
from toolkit.bench.records.schema import Results
from toolkit.bench.records.schema_page import schema_markdown, with_schema
from toolkit.bench.report import as_leaderboard
from toolkit.bench.report.compare import as_text, compare_runs
from toolkit.errors import InputError, ToolkitError

PAGE = Path(__file__).parents[3] / "docs" / "bench.md"
RECORDS = [
    kind
    for module in (schema, units)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Record) and kind is not Record
]


def test_the_tables_of_the_page_are_the_schemas():
    page = PAGE.read_text(encoding="utf-8")
    assert with_schema(page) == page, "run: python -m toolkit.bench.records.schema_page docs/bench.md"
    with pytest.raises(InputError, match="no lines"):
        with_schema("a page without marks")


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_key_has_a_description(kind: type[Record]):
    assert kind.__doc__
    silent = [name for name, field in kind.model_fields.items() if not field.description]
    assert silent == []
    assert all(f"`{name}`" in schema_markdown() for name in kind.model_fields if kind is not schema.RunDifference)


def test_what_is_written_is_read_again(tmp_path: Path):
    results = Results.model_validate(document())
    write_results(tmp_path, results)
    assert read_results(tmp_path) == read_results(str(tmp_path / "results.json")) == results
    assert json.loads((tmp_path / "results.json").read_text()) == document()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: found.pop("format") and found.update(format="another"), "not a results file of toolkit bench"),
        (lambda found: found.update(schema_version=3), "schema version '3', this toolkit reads 4"),
        (lambda found: found.update(schema_version=None), "schema version 'None'"),
        (lambda found: found["rows"][1].update(value="many"), r"'rows\.1\.value': .*number"),
        (lambda found: found["rows"][0].pop("direction"), r"'rows\.0\.direction'"),
        (lambda found: found.update(rows={}), "'rows'"),
        (lambda found: found["runs"].update(x=3), r"'runs\.x'"),
        (lambda found: found["values"][0].update(values={}), r"'values\.0\.values'"),
        (lambda found: found["heads"][0].update(frames="../../etc/passwd"), r"'heads\.0\.frames'"),
        (lambda found: found.update(extra=1), "'extra'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Any, words: str):
    found = document()
    change(found)
    (tmp_path / "results.json").write_text(json.dumps(found))
    with pytest.raises(InputError, match=words) as caught:
        read_results(tmp_path)
    assert "\n" not in str(caught.value)


STRANGE: list[Any] = [
    *(None, True, -1, 0, 1e308, -1e308, 5e-324, 2**70, 10**400, float("nan"), float("inf")),
    *("", "x" * 300, "\ud800", "a\nb", "<script>", "../x", "@@BODY@@", [], {}, [[]], [None], {"a": 1}),
]


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        found += places(value, (*path, key))
    return found


def damaged(rng: random.Random) -> bytes:
    """Results with one or two places changed, removed or doubled, or with bytes changed or cut off."""
    found = document()
    for _ in range(rng.randint(1, 2)):
        path = rng.choice(places(found))
        node: Any = found
        try:
            for key in path[:-1]:
                node = node[key]
            kind = rng.randrange(4)
            if kind == 0:
                del node[path[-1]]
            elif kind == 1 and isinstance(node, list):
                node.append(node[path[-1]])
            elif kind == 2 and isinstance(node, dict):
                node[rng.choice(["", "value", "\x00", "é"])] = node.pop(path[-1])
            else:
                node[path[-1]] = rng.choice(STRANGE)
        except (KeyError, IndexError, TypeError):
            continue
    content = json.dumps(found).encode("utf-8", "surrogatepass")
    if rng.random() < 0.2:
        place = rng.randrange(len(content))
        content = content[:place] + bytes([rng.randrange(256)]) + content[place + rng.randrange(3) :]
    return content[: rng.randrange(len(content))] if rng.random() < 0.1 else content


def read_everywhere(folder: Path, sound: Results) -> None:
    """Everything that reads a results file: report, tables, leaderboard, comparison."""
    found = read_results(folder)
    write_report(folder, found)
    as_leaderboard(found)
    for pair in ((found, sound), (sound, found), (found, found)):
        as_text(compare_runs(*pair, (folder, folder)))


def fuzz(folder: Path, seed: int, rounds: int) -> int:
    """How many of so many damaged files were answered with a sentence; anything else fails."""
    rng, sound, told = random.Random(seed), Results.model_validate(document()), 0
    for _ in range(rounds):
        content = damaged(rng)
        (folder / "results.json").write_bytes(content)
        try:
            read_everywhere(folder, sound)
        except ToolkitError as error:
            told += 1
            assert str(error) and "\n" not in str(error), content
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}\n{content!r}") from error
    return told


def test_damaged_results_are_one_sentence_wherever_they_are_read(tmp_path: Path):
    told = fuzz(tmp_path, 0, 150)
    assert 50 < told <= 150


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_thousands_of_damaged_results_are_one_sentence(tmp_path: Path, seed: int):
    assert fuzz(tmp_path, seed, 2000) > 0


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"3", b"null", b"[" * 100_000, b'{"a":' * 100_000, b"{}"])
def test_what_is_no_results_file_at_all_is_one_sentence(tmp_path: Path, content: bytes):
    (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(InputError, match=r"not a results file|no results") as caught:
        read_results(tmp_path)
    assert "\n" not in str(caught.value)


def test_warnings_of_earlier_versions_are_read_under_their_old_key():
    document = {"generator": {"name": "g", "fingerprint": "f", "world": "untrained", "licence": ""}}
    entry = {"protocol": "p", "data": "d", "text": "odd camera"}
    found = Results.model_validate_json(json.dumps({**document, "doubts": [entry]}))
    assert found.warnings[0].text == "odd camera" and "doubts" not in found.as_json()
