from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
import torch

from toolkit.encoders.networks.irse import UNITS, ResidualTrunk
from toolkit.encoders.networks.official_sizes import trunk_sizes
from toolkit.errors import ConfigError
from toolkit.weights.shapes import agreed, numbered, shapes_of, with_config


@dataclass(frozen=True)
class Sizes:
    width: int = 3
    units: tuple[int, ...] = (1, 2)
    attention: bool = True


def test_the_majority_decides_and_a_tie_is_the_default():
    shapes = {"a": (4, 2), "b": (4,), "c": (5,), "d": ()}
    assert agreed(shapes, [("a", 0), ("b", 0), ("c", 0)], 9) == 4
    assert agreed(shapes, [("b", 0), ("c", 0)], 5) == 5
    assert agreed(shapes, [("d", 0), ("x", 0), ("b", 1)], 9) == 9


def test_numbered_parts_need_two_entries():
    assert numbered({"s.0.w": (), "s.0.b": (), "s.2.w": (), "s.2.b": (), "s.99.w": (), "s.x.b": ()}, "s.") == 3
    assert numbered({}, "s.") == 0
    assert numbered({"s.99.w": (), "s.99.b": ()}, "s.") == 0  # so few entries make no hundred parts


@pytest.mark.parametrize("units", [(1, 1, 1, 1), (2, 1, 3, 2), UNITS[50]])
def test_a_trunks_sizes_are_read_off_its_shapes(units: tuple[int, ...]):
    shapes = shapes_of(ResidualTrunk(3, 6, units, attention=False).state_dict())
    assert trunk_sizes(shapes) == (6, units)


def test_a_damaged_trunk_is_taken_for_what_it_mostly_is():
    shapes = shapes_of(ResidualTrunk(3, 6, UNITS[50]).state_dict())
    shapes["input_layer.0.weight"] = (7, 3, 3, 3)
    shapes["body.4.res_layer.1.weight"] = (1,)
    assert trunk_sizes(shapes) == (6, UNITS[50])
    assert trunk_sizes({}) == (64, UNITS[50])


def test_settings_overrule_shapes():
    assert with_config(Sizes(width=5), json.loads('{"units": [4]}'), "trunk") == Sizes(5, [4])  # type: ignore[arg-type]
    assert with_config(Sizes(), None, "trunk") == Sizes()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"widht": 2}, "did you mean 'width'"),
        ({"width": "2"}, "must be like 3"),
        ({"width": True}, "must be like 3"),
        ({"attention": 1}, "must be like True"),
        ({"units": 4}, "must be like"),
    ],
)
def test_settings_of_another_kind_are_refused(config: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        with_config(Sizes(), config, "trunk")


def test_shapes_are_plain_tuples():
    assert shapes_of({"a": torch.zeros(2, 3)}) == {"a": (2, 3)}


@pytest.mark.parametrize("layer", ["Linear(0, 3)", "Linear(3, 0)", "Conv2d(3, 0, 1)", "Conv2d(0, 3, 1)"])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_layers_without_size_are_refused_where_a_header_asks_for_them(layer: str, device: str) -> None:
    from toolkit.weights.headers import SENSELESS, layers_without_size_refused

    with pytest.raises(SENSELESS, match="a layer of size 0"), torch.device(device), layers_without_size_refused():
        eval(layer, vars(torch.nn))
