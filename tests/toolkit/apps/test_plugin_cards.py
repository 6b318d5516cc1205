"""What `plugins show` says of the built-in parts, and of cards and options in general."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from toolkit.apps.plugin_cards import CARD_FILE, describe, find_entries, list_options, read_card
from toolkit.configuration import Config
from toolkit.errors import ConfigError, PluginError
from toolkit.registry import Registration, Registry, default_registry

HEADLINES = [entry.name for entry in default_registry().of_kind("method") if entry.headline]


@pytest.mark.parametrize("name", HEADLINES)
def test_every_headline_method_has_a_card_and_tells_its_options(name: str) -> None:
    found = describe(default_registry().get("method", name), default_registry())
    assert found.card is not None
    assert found.card.paper and found.card.authors and found.card.evidence
    assert found.options, "it tells no options"
    assert found.about


def test_options_are_told_with_type_default_and_meaning_groups_with_dots() -> None:
    found = {option.key: option for option in describe(*_of("method", "dual-encoder")).options}
    assert found["mask.resolution"].type == "int or none"
    assert found["ws.raw"].type == "visible | occluded"
    assert found["mask.closing"].default == "1"
    assert "texels" in found["mask.closing"].meaning
    assert {"fast", "default", "quality"} <= set(describe(*_of("method", "wplus")).presets)


def _of(kind: str, name: str) -> tuple[Registration, Registry]:
    return default_registry().get(kind, name), default_registry()


def test_a_plugins_name_means_all_its_parts_and_a_wrong_name_the_nearest() -> None:
    kinds = {entry.kind for entry in find_entries(default_registry(), "dual-encoder", None)}
    assert {"method", "trainable"} <= kinds and "stitcher" not in kinds, "a part's own name comes first"
    assert {entry.name for entry in find_entries(default_registry(), "optimisation")} == {"wplus", "pti", "mean"}
    with pytest.raises(PluginError, match="did you mean 'optimisation'"):
        find_entries(default_registry(), "optimization")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", "must hold cards"),
        ("method mine: 3", "must hold cards"),
        ("a: [", "is no YAML"),
        ("method mine: {papr: x}", "did you mean 'paper'"),
        ("method mine: {status: perfect}", "status"),
    ],
)
def test_a_card_of_another_form_is_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_text(text)
    entry = Registration("method", "mine", "mine:open", "", 1, "mine")
    registry = Registry(folders={"mine": tmp_path})
    with pytest.raises(ConfigError, match=words) as caught:
        read_card(entry, registry)
    assert "\n" not in str(caught.value)


def test_a_meaning_stands_below_a_field_or_in_its_description() -> None:
    class Options(Config):
        heads: Annotated[int, Field(description="How many are drawn.")] = 4
        seed: int = 0
        """Of the draws."""

    assert [option.meaning for option in list_options(Options)] == ["How many are drawn.", "Of the draws."]
