from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from toolkit.errors import InputError
from toolkit.faces.images import image_to_tensor, read_image, read_mask, resize, tensor_to_image

GRADIENT = np.stack(np.broadcast_arrays(*np.ogrid[:24, :16], np.full((1, 1), 7)), axis=-1).astype(np.uint8) * 8


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0" * 99)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_lossless_formats_come_back_exactly(tmp_path: Path, suffix: str):
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(GRADIENT).save(path, **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(read_image(path), GRADIENT)


def test_the_bytes_decide_the_format_not_the_name(tmp_path: Path):
    path = tmp_path / "really_a_png.jpg"
    Image.fromarray(GRADIENT).save(path, format="PNG")
    np.testing.assert_array_equal(read_image(path), GRADIENT)


def test_the_cameras_orientation_is_applied(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    path = tmp_path / "turned.png"
    Image.fromarray(GRADIENT).save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), np.rot90(GRADIENT, -1))


def test_transparency_is_put_on_white(tmp_path: Path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert (image[:2] == 0).all() and (image[2:] == 255).all()


def test_palettes_with_a_transparent_colour_are_put_on_white(tmp_path: Path):
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    picture.putpixel((0, 0), 0)
    picture.save(tmp_path / "p.png", transparency=0)
    image = read_image(tmp_path / "p.png")
    assert image[0, 0].tolist() == [255, 255, 255] and image[3, 3].tolist() == [10, 20, 30]


def test_grey_becomes_rgb_and_sixteen_bits_keep_their_range(tmp_path: Path):
    Image.fromarray(GRADIENT[..., 0]).save(tmp_path / "g.png")
    deep = np.linspace(0, 65535, 24 * 16).reshape(24, 16).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "d.png")
    np.testing.assert_array_equal(read_image(tmp_path / "g.png")[..., 2], GRADIENT[..., 0])
    np.testing.assert_array_equal(read_image(tmp_path / "d.png")[..., 0], deep >> 8)


def bad_files(folder: Path) -> dict[str, Path]:
    stream = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(stream, "PNG")
    contents = {
        "truncated": stream.getvalue()[: len(stream.getvalue()) // 2],
        "text": b"this is no picture, whatever its name says",
        "empty": b"",
        "bomb": png_header(30_000, 30_000),
        "quiet bomb": png_header(9_000, 9_000),
        "flat": png_header(0, 10),
        "noise": bytes(np.random.default_rng(1).integers(0, 256, 5000, np.uint8)),
    }
    paths = {}
    for name, data in contents.items():
        paths[name] = folder / f"{name}.png"
        paths[name].write_bytes(data)
    return paths


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("truncated", "damaged or cut short"),
        ("text", "is not a PNG, JPEG"),
        ("empty", "is empty"),
        ("bomb", "too large"),
        ("quiet bomb", "9000 x 9000"),
        ("flat", "damaged|no pixels|is not a"),
        ("noise", "is not a PNG"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path: Path, name: str, words: str):
    path = bad_files(tmp_path)[name]
    with pytest.raises(InputError, match=words) as caught:
        read_image(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_every_cut_of_a_jpeg_is_refused_or_read(tmp_path: Path):
    stream = BytesIO()
    Image.fromarray(GRADIENT).save(stream, "JPEG")
    whole = stream.getvalue()
    for length in range(0, len(whole) - 2, 37):
        path = tmp_path / "cut.jpg"
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_image(path)


def test_places_that_are_no_files(tmp_path: Path):
    with pytest.raises(InputError, match="directory"):
        read_image(tmp_path)
    with pytest.raises(InputError, match="there is no file"):
        read_image(tmp_path / "none.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="regular file"):
        read_image(tmp_path / "pipe.png")


def test_a_gif_is_named_as_unsupported(tmp_path: Path):
    Image.fromarray(GRADIENT).save(tmp_path / "x.gif")
    with pytest.raises(InputError, match="PNG, JPEG, WebP, BMP, TIFF or AVIF"):
        read_image(tmp_path / "x.gif")


def test_masks_are_read_from_grey_or_from_opacity(tmp_path: Path):
    grey = np.zeros((8, 8), np.uint8)
    grey[2:6] = 255
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(np.dstack([np.zeros((8, 8, 3), np.uint8), grey])).save(tmp_path / "alpha.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "grey.png"), grey / 255)
    np.testing.assert_array_equal(read_mask(tmp_path / "alpha.png"), grey / 255)


def test_masks_are_scaled_but_never_stretched(tmp_path: Path):
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", (16, 16)).shape == (16, 16)
    with pytest.raises(InputError, match="same shape"):
        read_mask(tmp_path / "m.png", (16, 32))


def test_a_mask_that_marks_nothing_is_refused(tmp_path: Path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match="marks nothing"):
        read_mask(tmp_path / "m.png")


def test_tensors_and_pixels_are_each_others_inverse():
    tensor = image_to_tensor(GRADIENT)
    assert tensor.shape == (1, 3, 24, 16) and tensor.min() == -1 and tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor_to_image(tensor), GRADIENT)
    assert tensor_to_image(torch.full((3, 2, 2), 1.7)).max() == 255
    with pytest.raises(InputError, match=r"\[2, 3, 4, 4\]"):
        tensor_to_image(torch.zeros(2, 3, 4, 4))
    with pytest.raises(InputError, match="uint8"):
        image_to_tensor(GRADIENT.astype(float))


def test_shrinking_does_not_alias():
    stripes = np.zeros((96, 96, 3), np.uint8)
    stripes[:, ::2] = 255
    small = resize(stripes, 32, 32)
    assert np.ptp(small[2:-2, 2:-2].astype(int)) < 40  # dropped columns would leave stripes of 255
