"""Data sets of plugins: whatever they raise or give is one sentence that names them."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from toolkit.data.guarded import guarded_dataset
from toolkit.data.sources import open_dataset, open_source_store
from toolkit.errors import InputError, PluginError
from toolkit.registry import Registration, default_registry

MODULE = """
import os, torch
from toolkit.camera import Camera
from toolkit.interfaces.dataset import Item
def item(index, image=None, **others):
    image = torch.zeros(3, 8, 8) if image is None else image
    return Item(str(index), image, others.pop("camera", Camera.orbit(0.1 * index)), **others)
class Odd:
    def __init__(self, make=item, size=lambda: 3): self.make, self.size = make, size
    def __len__(self): return self.size()
    def __getitem__(self, index): return self.make(index)
def boom(*index): raise ZeroDivisionError("bo\\nom")
def opens(*arguments):
    def factory(path, size=None): return Odd(*arguments)
    return factory
def spoils(index):
    torch.set_default_dtype(torch.float64)
    return item(index)
sound, breaks, no_size = opens(), opens(boom), opens(item, boom)
leaves, nothing = opens(lambda index: os._exit(0)), opens(lambda index: None)
oblong = opens(lambda index: item(index, torch.zeros(3, 5, 7)))
whole = opens(lambda index: item(index, torch.zeros(3, 8, 8, dtype=torch.uint8)))
masked = opens(lambda index: item(index, mask=torch.zeros(1, 4, 4)))
def painted(value): return torch.full((3, 8, 8), value)
blank, bright = opens(lambda i: item(i, painted(float("nan")))), opens(lambda i: item(i, painted(255.0)))
graded = opens(lambda index: item(index, torch.zeros(3, 8, 8, requires_grad=True)))
loud = opens(lambda index: item(index, mask=torch.full((1, 8, 8), 255.0)))
behind = opens(lambda index: item(index, depth=torch.full((1, 8, 8), -2.0)))
whom = opens(lambda index: item(index, subject=["a"]))
twins, endless = opens(lambda index: item(0)), opens(item, lambda: 10**15)
blind = opens(lambda index: item(index, camera=None))
changes = opens(spoils)
def fails(path, size=None): raise KeyError("no")
"""


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Register one of MODULE's data sets; what opens it."""
    (tmp_path / "odd_data.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("odd_data", None)

    def register(attribute: str) -> str:
        entry = Registration("dataset", "odd", f"odd_data:{attribute}", "s", 1, "sx")
        monkeypatch.setitem(default_registry().registrations, ("dataset", "odd"), entry)
        return f"odd:{tmp_path}"

    return register


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ("breaks", "failed: ZeroDivisionError: bo"),
        ("no_size", "failed: ZeroDivisionError: bo"),
        ("leaves", "tried to end the program"),
        ("nothing", "item 0 is a NoneType, not an Item"),
        ("oblong", r"item 0 has no picture \[3, S, S\]"),
        ("whole", r"item 0 has no picture \[3, S, S\] of floating-point"),
        ("masked", "item 0 has a mask of another shape"),
        ("blind", "item 0 has no id, or no camera"),
        ("blank", "item 0 has a picture with NaN"),
        ("bright", r"item 0 has a picture with values from 255 to 255, not in \[-1, 1\]"),
        ("graded", "item 0 has a picture that carries a gradient"),
        ("loud", r"item 0 has a mask with values .* not in \[0, 1\]"),
        ("behind", "item 0 has a depth with values from -2"),
        ("whom", "item 0 has a subject or a view that is no text"),
        ("fails", "failed: KeyError"),
    ],
)
def test_a_data_set_that_fails_or_gives_no_items_is_one_sentence(
    odd: Callable[[str], str], attribute: str, told: str
) -> None:
    with pytest.raises(PluginError, match=f"^dataset 'odd' of plugin 'sx'.*{told}") as caught:
        data = open_dataset(odd(attribute))
        data[0]
    assert "\n" not in str(caught.value) and os.getpid()


@pytest.mark.parametrize(
    ("attribute", "told"), [("twins", "two items are called '0'"), ("endless", "1000000000000000 items are too many")]
)
def test_a_data_set_whose_items_cannot_be_told_apart_or_counted_is_refused(
    odd: Callable[[str], str], attribute: str, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        open_dataset(odd(attribute))


def test_files_of_a_data_set_that_shows_none_are_not_those_of_its_folder(odd: Callable[[str], str]) -> None:
    with pytest.raises(InputError, match=r"the data set 'odd' shows no files .*toolkit plugins check odd"):
        open_source_store(odd("sound"))


@pytest.mark.parametrize("attribute", ["sound", "changes"])
def test_a_sound_data_set_is_read_as_ever_and_leaves_the_process_as_it_was(
    odd: Callable[[str], str], attribute: str
) -> None:
    data = open_dataset(odd(attribute))
    assert len(data) == 3 and list(data.names) == ["0", "1", "2"]
    assert torch.get_default_dtype() == torch.float32


def test_a_guarded_data_set_can_be_sent_to_workers(odd: Callable[[str], str]) -> None:
    odd("sound")
    entry = default_registry().get("dataset", "odd")
    module = sys.modules.get("odd_data") or __import__("odd_data")
    sent = pickle.loads(pickle.dumps(guarded_dataset(module.Odd(module.item, int), entry)))
    assert len(sent) == 0 and sent._made_by == entry
