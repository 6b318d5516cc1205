"""Faster arithmetic is chosen by name, recorded, and told apart from exact results."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest
import torch

from toolkit import load_generator
from toolkit.devices import ARITHMETIC, arithmetic_in_use, choose_arithmetic, chosen_arithmetic
from toolkit.errors import InputError
from toolkit.inversion import run_provenance
from toolkit.training.stepping import EngineSettings, Stepper


@pytest.fixture(autouse=True)
def exact_again() -> Iterator[None]:
    yield
    choose_arithmetic(())


HERE = ARITHMETIC if importlib.util.find_spec("triton") else ARITHMETIC[:-1]
"""What can be chosen: fused rendering needs Triton."""


@pytest.mark.parametrize("names", [(), ("tf32",), ("half-superresolution", "cudnn-benchmark"), HERE])
def test_what_is_chosen_is_switched_on_and_recorded(names: tuple[str, ...]):
    assert choose_arithmetic(names) == tuple(name for name in ARITHMETIC if name in names) == chosen_arithmetic()
    assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32 == ("tf32" in names)
    assert torch.backends.cudnn.benchmark == ("cudnn-benchmark" in names)
    assert sorted(arithmetic_in_use()) == sorted(names) == sorted(run_provenance()["arithmetic"])


def test_switches_that_somebody_else_set_are_told():
    choose_arithmetic(())
    torch.backends.cudnn.allow_tf32 = True
    assert arithmetic_in_use() == ["tf32 in convolutions only"]


@pytest.mark.parametrize("names", [["tf23"], ["tf32", "half"]])
def test_unknown_names_are_refused_and_change_nothing(names: list[str]):
    with pytest.raises(InputError, match="available: tf32, cudnn-benchmark, half-superresolution, fused-rendering"):
        choose_arithmetic(names)
    assert chosen_arithmetic() == ()


def test_a_trainings_settings_choose_it():
    Stepper(EngineSettings(arithmetic=("tf32",)))
    assert chosen_arithmetic() == ("tf32",)
    Stepper(EngineSettings())
    assert chosen_arithmetic() == () and not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("seed", [0, 1])
def test_half_superresolution_changes_last_digits_of_the_picture_alone(seed: int):
    generator = load_generator("panohead-mini")
    z = torch.randn(1, generator.spec.latents.z_dim, generator=torch.Generator().manual_seed(seed))
    camera = generator.spec.front_camera

    def render():
        ws = generator.mapping(z, camera)
        return generator.render(generator.planes(ws), ws, camera, 16)

    with torch.no_grad():
        exact = render()
        choose_arithmetic(["half-superresolution"])
        half = render()
    assert half.image.dtype == torch.float32 and torch.equal(half.raw, exact.raw)
    difference = float((half.image - exact.image).abs().max())
    assert difference < 0.02
    with_gradients = float((render().image.detach() - exact.image).abs().max())  # all in 32 bits
    assert with_gradients < 1e-5 and difference > 1e-4
