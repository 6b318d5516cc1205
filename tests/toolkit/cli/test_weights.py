from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch

from toolkit.tensors import write_tensors
from toolkit.weights import embedded


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of embedded weights with one good file."""
    write_tensors(tmp_path / "good.safetensors", {"a": torch.ones(3)}, {"licence": "Apache-2.0"})
    monkeypatch.setattr(embedded, "_weight_folders", lambda: [tmp_path])
    return tmp_path


def test_the_list_has_size_licence_and_place(program, shipped: Path) -> None:
    ended = program("weights", "list")
    assert ended.code == 0
    line = ended.out.splitlines()[0]
    assert line.startswith("good ") and "Apache-2.0" in line and line.endswith(str(shipped / "good.safetensors"))


def test_damaged_weights_are_named_and_end_with_1(program, shipped: Path) -> None:
    assert program("weights", "verify").out == "ok       good\n"
    write_tensors(shipped / "holes.safetensors", {"a": torch.tensor([float("nan")])}, {})
    whole = (shipped / "good.safetensors").read_bytes()
    for name, content, complaint in (
        ("holes", None, "holds NaN or infinity"),
        ("text", b"this is a text, is it not?", "not a sound safetensors file"),
        ("cut", whole[:-4], "not a sound safetensors file"),
    ):
        if content is not None:
            (shipped / f"{name}.safetensors").write_bytes(content)
        ended = program("weights", "verify")
        assert ended.code == 1 and "Traceback" not in ended.err
        (line,) = (line for line in ended.out.splitlines() if line.startswith(f"damaged  {name}: "))
        assert complaint in line and "ok       good" in ended.out


def test_a_damaged_file_does_not_hide_the_others_from_the_list(program, shipped: Path) -> None:
    (shipped / "text.safetensors").write_text("this is a text, is it not?")
    ended = program("weights", "list")
    assert ended.code == 0
    assert "good" in ended.out and "unreadable" in ended.out


def test_what_the_package_ships_is_whole(program) -> None:
    ended = program("weights", "verify")
    assert ended.code == 0 and "ok       panohead-mini" in ended.out


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of the toolkit."""
    monkeypatch.setenv("TOOLKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("TOOLKIT_WEIGHTS", raising=False)
    return tmp_path / "home" / "weights"


SAMPLE = Path(__file__).parents[2] / "data" / "panohead" / "persistence_sample.pkl"


def test_an_imported_generator_is_found_without_a_path(program, store: Path, tmp_path: Path) -> None:
    from toolkit import load_generator
    from toolkit.errors import WeightsError

    with pytest.raises(WeightsError, match=r"toolkit weights import easy-khair.*--as panohead"):
        load_generator("panohead")
    ended = program("weights", "import", SAMPLE)
    assert (ended.code, ended.out) == (0, f"{store / 'panohead.safetensors'}\n")
    assert "recognised: panohead, 162 tensors" in ended.err and "non-commercial" in ended.err
    assert load_generator("panohead").spec.name == "panohead"
    assert any("panohead" in line and "found" in line for line in program("weights", "list").out.splitlines())
    assert "ok       panohead.safetensors" in program("weights", "verify").out


def test_the_same_file_again_is_fine_and_another_one_is_not_lost(program, store: Path, tmp_path: Path) -> None:
    assert program("weights", "import", SAMPLE).code == 0
    assert program("weights", "import", SAMPLE).code == 0
    other = tmp_path / "other.pkl"
    other.write_bytes(SAMPLE.read_bytes() + b"\n")
    ended = program("weights", "import", other)
    assert ended.code == 2 and "holds weights from persistence_sample.pkl already" in ended.err
    mine = tmp_path / "mine.safetensors"
    assert program("weights", "import", other, "-o", mine).code == 0 and mine.is_file()


@pytest.mark.parametrize("precious", ["trained", "imported", "text", "empty"])
def test_a_file_of_ones_own_is_replaced_by_an_import_only_by_force(
    program, store: Path, tmp_path: Path, precious: str
) -> None:
    mine = tmp_path / "mine.safetensors"
    write_tensors(mine, {"a": torch.ones(2)}, {"source": [{"file": "x.pkl"}]} if precious == "imported" else {})
    if precious in ("text", "empty"):
        mine.write_text("my notes" if precious == "text" else "")
    before = mine.read_bytes()
    refused = program("weights", "import", SAMPLE, "-o", mine)
    assert refused.code == 2 and "--force" in refused.err and mine.read_bytes() == before
    assert program("weights", "import", SAMPLE, "-o", mine, "--force").code == 0 and mine.read_bytes() != before


def test_bad_imports_are_one_sentence_and_write_nothing(program, store: Path, tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("no weights")
    for arguments, says in (
        ((tmp_path / "text.pt",), "neither safetensors"),
        ((tmp_path / "absent.pt",), "does not exist"),
        ((SAMPLE, "--as", "panohed"), "did you mean 'panohead'"),
        ((SAMPLE, "-o", tmp_path / "a.pt"), "must end in .safetensors"),
        ((tmp_path,), "is not a file"),
    ):
        ended = program("weights", "import", *arguments)
        assert ended.code == 2 and says in ended.err and "Traceback" not in ended.err, ended
        assert len(ended.err.strip().splitlines()) == 1
    assert not store.exists()


def test_downloads_ask_first_and_by_hand_means_by_hand(program, store: Path, monkeypatch) -> None:
    from toolkit.weights import download

    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    monkeypatch.setattr(download, "fetch", lambda *_, **__: pytest.fail("nobody agreed"))
    ended = program("weights", "download", "alexnet")
    assert ended.code == 2 and "nobody agreed" in ended.err
    ended = program("weights", "download", "panohead", "--yes")
    assert ended.code == 2 and "by hand" in ended.err and "github.com/SizheAn/PanoHead" in ended.err
    ended = program("weights", "download", "alexnett", "--yes")
    assert ended.code == 2 and "did you mean 'alexnet'" in ended.err
    fetched = []
    monkeypatch.setattr(download, "fetch", lambda request, progress: fetched.append(request) or request.target)
    ended = program("weights", "download", "alexnet", "--yes")
    assert ended.code == 0 and ended.out.strip() == str(store / "alexnet-owt-7be5be79.pth")
    assert fetched[0].url.startswith("https://download.pytorch.org/") and fetched[0].size == 244_408_911


def test_who_cannot_answer_did_not_agree(program, store: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))  # as in a script
    ended = program("weights", "download", "alexnet")
    assert ended.code == 2 and "fetch alexnet" in ended.err and "Aborted" not in ended.err
    assert ended.err.splitlines()[-1].startswith("error: ") and "nobody agreed (--yes" in ended.err
    assert not store.exists()


def test_a_damaged_file_in_the_store_is_named(program, store: Path) -> None:
    store.mkdir(parents=True)
    (store / "alexnet-owt-7be5be79.pth").write_bytes(b"something else")
    (store / "mine.pt").write_bytes(b"something else")
    ended = program("weights", "verify")
    assert ended.code == 1
    assert "damaged  alexnet-owt-7be5be79.pth" in ended.out and "sha256 differs" in ended.out
    assert "damaged  mine.pt" in ended.out
    assert "damaged" in program("weights", "list").out
