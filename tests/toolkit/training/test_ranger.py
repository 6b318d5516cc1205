from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from toolkit.errors import MissingDependencyError
from toolkit.training.ranger import make_ranger

sys.path.insert(0, str(Path(__file__).parents[2] / "plugins"))
from encoder_golden import draw, load

TOLERANCE = 2e-4


@pytest.mark.parametrize(("label", "rate"), [("lr1e-4", 1e-4), ("lr1e-2", 1e-2)])
def test_twenty_steps_equal_the_published_optimiser(label: str, rate: float):
    pytest.importorskip("pytorch_optimizer")
    golden = load("ranger_optimizer")
    shapes = {name: tuple(shape) for name, shape in golden.meta["shapes"].items()}
    start = {
        name: 0.5 * torch.from_numpy(draw(1, f"input:ranger/param/{name}", shape)) for name, shape in shapes.items()
    }
    parameters = {name: torch.nn.Parameter(value.clone()) for name, value in start.items()}
    optimiser = make_ranger(parameters.values(), rate)
    path: dict[str, list[torch.Tensor]] = {name: [] for name in shapes}
    for step in range(golden.meta["steps"]):
        for name, parameter in parameters.items():
            noise = torch.from_numpy(draw(1, f"input:ranger/grad/{name}/{step}", shapes[name]))
            parameter.grad = noise + 0.3 * parameter.detach()
        optimiser.step()
        for name, parameter in parameters.items():
            path[name].append(parameter.detach() - start[name])
    for name, moved in path.items():
        expected = golden[f"{label}/{name}"] - start[name]
        assert float((torch.stack(moved) - expected).abs().max() / expected.abs().max()) < TOLERANCE, name


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(MissingDependencyError, match=r"toolkit\[train\]"):
        make_ranger([torch.nn.Parameter(torch.zeros(1))])
