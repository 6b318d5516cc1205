"""How `panohead-mini` judges colours: differences that are not grey can count more."""

from __future__ import annotations

import pytest
import torch

from toolkit_plugins.panohead.training.objective import colour_difference

GREY = torch.full((2, 3, 5, 4), 0.25)
RED = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None].expand(2, 3, 5, 4)


def test_without_weight_it_is_the_mean_absolute_difference():
    wrong = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(colour_difference(wrong, 1, 0.0), wrong.abs().mean())


def test_grey_differences_count_the_same_whatever_the_weight():
    torch.testing.assert_close(colour_difference(GREY, 1, 3.0), torch.tensor(0.25))


@pytest.mark.parametrize("chroma", [0.5, 3.0])
def test_differences_of_colour_count_more(chroma: float):
    # red is a third of grey, and 2/3, -1/3, -1/3 of colour: 4/9 on average
    torch.testing.assert_close(colour_difference(RED, 1, chroma), torch.tensor(1 / 3 + chroma * 4 / 9))


def test_the_channels_may_stand_anywhere():
    wrong = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(colour_difference(wrong.movedim(1, -1), -1, 3.0), colour_difference(wrong, 1, 3.0))
