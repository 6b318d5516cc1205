from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2.functional import resize as reference_resize

from toolkit.camera import Camera
from toolkit.data import composite, mirror_item, resize, resize_depth, resize_item
from toolkit.data.transforms import mirror_name
from toolkit.errors import InputError
from toolkit.interfaces import Item


def item(**changes) -> Item:
    torch.manual_seed(0)
    parts = {
        "id": "00000/left_30.png",
        "image": torch.rand(3, 8, 8) * 2 - 1,
        "camera": Camera.orbit(0.4),
        "view": "left_30",
        "mask": torch.rand(1, 8, 8),
        "depth": torch.rand(1, 8, 8),
    }
    return Item(**{**parts, **changes})


@pytest.mark.parametrize("size", [3, 5, 8, 13])
def test_resizing_agrees_with_torchvision(size: int):
    image = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(resize(image, size), reference_resize(image, [size, size], antialias=True))


@given(st.floats(-1, 1), st.integers(1, 12))
def test_resizing_keeps_a_constant(value: float, size: int):
    torch.testing.assert_close(resize(torch.full((3, 8, 8), value), size), torch.full((3, size, size), value))


def test_resized_depth_does_not_mix_with_the_void():
    depth = torch.zeros(1, 8, 8)
    depth[..., :4] = 2.5
    small = resize_depth(depth, 4)
    assert small[0, 0, :2].tolist() == pytest.approx([2.5, 2.5])
    assert small[0, 0, 3] == 0
    assert ((small == 0) | (small > 2.49)).all()


def test_resizing_to_nothing_is_refused():
    with pytest.raises(InputError, match="at least 1"):
        resize(torch.zeros(3, 8, 8), 0)


def test_resizing_an_item_leaves_absent_parts_absent():
    small = resize_item(item(mask=None, depth=None), 4)
    assert small.image.shape == (3, 4, 4)
    assert small.mask is small.depth is None


def test_mirroring_twice_gives_the_item_back():
    first = item()
    second = mirror_item(mirror_item(first))
    assert (second.id, second.view) == (first.id, first.view)
    for name in ("image", "mask", "depth"):
        assert torch.equal(getattr(second, name), getattr(first, name))
    torch.testing.assert_close(second.camera.label, first.camera.label)


def test_mirroring_moves_everything_together():
    first, mirrored = item(), mirror_item(item())
    assert torch.equal(mirrored.image[..., 0], first.image[..., -1])
    assert float(mirrored.camera.angles().yaw) == pytest.approx(-0.4, abs=1e-5)
    assert (mirrored.id, mirrored.view) == ("00000/left_30_mirror.png", "right_30")
    assert mirror_name(mirror_name("a/b.png")) == "a/b.png"
    assert mirror_item(item(view=None)).view is None


def test_compositing_keeps_the_head_and_fills_the_rest():
    image, mask = torch.full((1, 3, 2, 2), 0.25), torch.tensor([[[[1.0, 0.0], [0.5, 0.0]]]])
    result = composite(image, mask, (1.0, 0.0, -1.0))
    assert result[0, :, 0, 0].tolist() == [0.25, 0.25, 0.25]
    assert result[0, :, 0, 1].tolist() == [1.0, 0.0, -1.0]
    assert result[0, 0, 1, 0] == pytest.approx(0.625)


def test_compositing_refuses_what_does_not_fit():
    with pytest.raises(InputError, match="mask is"):
        composite(torch.zeros(3, 4, 4), torch.zeros(1, 5, 5), (0, 0, 0))
    with pytest.raises(InputError, match="three numbers"):
        composite(torch.zeros(3, 4, 4), torch.zeros(1, 4, 4), (0, 0))
