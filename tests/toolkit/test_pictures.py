"""One set of rules for every picture that is read, whoever made the file."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from toolkit.data.pictures import decode_depth, decode_image, decode_mask
from toolkit.errors import InputError
from toolkit.faces.images import read_image, read_mask
from toolkit.pictures import FORMATS, is_picture, open_picture, rgb_pixels

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True}}
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(%pipe%touch /tmp/ran) (w) file\n%%EOF\n"
FITS = b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                    8".ljust(80) + b"END".ljust(80)


def encoded(format_: str, picture: Image.Image | None = None, **options: object) -> bytes:
    stream = io.BytesIO()
    (picture or Image.fromarray(PIXELS)).save(stream, format_, **options)
    return stream.getvalue()


def foreign() -> dict[str, bytes]:
    """Files that Pillow would open, or hand to another program, under whatever name."""
    return {
        "eps": POSTSCRIPT,
        "gif": encoded("GIF"),
        "ppm": encoded("PPM"),
        "tga": encoded("TGA"),
        "pcx": encoded("PCX"),
        "ico": encoded("ICO"),
        "jpeg 2000": encoded("JPEG2000"),
        "psd": b"8BPS\0\1" + b"\0" * 6 + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + b"\0" * 200,
        "fits": FITS.ljust(2880),
        "pdf": b"%PDF-1.4\n%%EOF",
    }


@pytest.mark.parametrize("decode", [decode_image, decode_mask, decode_depth])
@pytest.mark.parametrize("kind", foreign())
def test_other_formats_are_refused_whatever_their_name(kind: str, decode, tmp_path: Path):
    data = foreign()[kind]
    with pytest.raises(InputError, match="is not a PNG, JPEG"):
        decode(data, "front.png")
    (tmp_path / "front.png").write_bytes(data)
    for read in (read_image, read_mask):
        with pytest.raises(InputError, match="is not a PNG, JPEG"):
            read(tmp_path / "front.png")
    assert not is_picture(data[:64])


@pytest.mark.parametrize("format_", FORMATS)
def test_every_known_format_is_read_from_a_file_and_from_a_data_set_alike(format_: str, tmp_path: Path):
    data = encoded(format_, **LOSSLESS.get(format_, {"quality": 100}))
    assert is_picture(data[:64])
    (tmp_path / "x.jpg").write_bytes(data)  # the name says nothing
    pixels = read_image(tmp_path / "x.jpg")
    np.testing.assert_allclose(
        (decode_image(data, "x").numpy().transpose(1, 2, 0) + 1) * 127.5, pixels.astype(float), atol=1e-3
    )
    if format_ in LOSSLESS:
        np.testing.assert_array_equal(pixels, PIXELS)


def test_pictures_of_phones_are_read_where_the_package_is_there_and_named_where_not(tmp_path: Path):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    data = encoded("HEIF", Image.new("RGB", (64, 64), (200, 40, 40)), quality=95)
    (tmp_path / "phone.heic").write_bytes(data)
    np.testing.assert_allclose(read_image(tmp_path / "phone.heic")[30, 30], (200, 40, 40), atol=6)
    without = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from toolkit.faces.images import read_image\n"
        f"read_image({str(tmp_path / 'phone.heic')!r})"
    )
    result = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False)
    assert "pip install 'toolkit[heic]'" in result.stderr


def test_an_mpo_gives_its_first_picture(tmp_path: Path):
    first, second = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    data = encoded("MPO", first, save_all=True, append_images=[second])
    assert rgb_pixels(open_picture(data, "x"))[8, 8].tolist()[0] > 200


def test_an_embedded_colour_profile_is_applied_everywhere(tmp_path: Path):
    """Pure green of a wider space than sRGB, as phones store it, is another green in sRGB's numbers."""
    swapped = _profile_with_swapped_primaries()
    data = encoded("PNG", Image.new("RGB", (8, 8), (250, 10, 10)), icc_profile=swapped)
    (tmp_path / "x.png").write_bytes(data)
    red, green, _ = read_image(tmp_path / "x.png")[0, 0].tolist()
    assert green > 200 > 60 > red, "the profile says that the first channel is green"
    assert decode_image(data, "x")[1, 0, 0] > 0.5
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = rgb_pixels(open_picture(encoded("PNG", icc_profile=srgb), "x"))
    np.testing.assert_allclose(same.astype(int), PIXELS.astype(int), atol=1)


D65_TO_D50 = np.array([[1.0478, 0.0229, -0.0502], [0.0295, 0.9905, -0.0171], [-0.0093, 0.0151, 0.7519]])
PRIMARIES = {
    "Display P3": [(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)],
    "Adobe RGB": [(0.640, 0.330), (0.210, 0.710), (0.150, 0.060)],
    "Rec. 2020": [(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)],
}
SRGB = [(0.640, 0.330), (0.300, 0.600), (0.150, 0.060)]


def _to_xyz(primaries: list[tuple[float, float]]) -> np.ndarray:
    """From linear RGB to XYZ under D50, from chromaticities and the white point D65, as colour science defines it."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    return D65_TO_D50 @ (columns * np.linalg.solve(columns, white))


def _profile_of(primaries: list[tuple[float, float]]) -> bytes:
    """An sRGB profile with other primaries."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    places = {data[132 + 12 * i : 136 + 12 * i].decode(): 132 + 12 * i for i in range(count)}
    for tag, column in zip(("rXYZ", "gXYZ", "bXYZ"), _to_xyz(primaries).T, strict=True):
        (start,) = struct.unpack(">I", data[places[tag] + 4 : places[tag] + 8])
        data[start + 8 : start + 20] = struct.pack(">iii", *(round(value * 65536) for value in column))
    return bytes(data)


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("space", PRIMARIES)
def test_colours_of_other_spaces_become_the_same_colours_in_srgb(space: str, format_: str, tmp_path: Path):
    colours = [(120, 130, 140), (200, 150, 120), (110, 120, 95), (90, 110, 100)]  # inside every one of the spaces
    matrix = np.linalg.solve(_to_xyz(SRGB), _to_xyz(PRIMARIES[space]))
    most = 0.0
    for colour in colours:
        share = np.array(colour) / 255
        linear = matrix @ np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        wanted = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055)
        options = {"icc_profile": _profile_of(PRIMARIES[space]), **LOSSLESS.get(format_, {"quality": 100})}
        data = encoded(format_, Image.new("RGB", (16, 16), colour), **options)
        (tmp_path / "x").write_bytes(data)
        near = 4 if format_ == "JPEG" else 2
        np.testing.assert_allclose(read_image(tmp_path / "x")[8, 8], wanted, atol=near)
        np.testing.assert_allclose((decode_image(data, "x")[:, 8, 8] + 1) * 127.5, wanted, atol=near)
        most = max(most, np.abs(wanted - colour).max())
    assert most > 4, "the space is another one"


def _profile_with_swapped_primaries() -> bytes:
    """An sRGB profile whose red and green primaries have changed places."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    places = {data[132 + 12 * i : 136 + 12 * i].decode(): 132 + 12 * i for i in range(count)}
    red, green = (data[places[tag] + 4 : places[tag] + 12] for tag in ("rXYZ", "gXYZ"))
    data[places["rXYZ"] + 4 : places["rXYZ"] + 12], data[places["gXYZ"] + 4 : places["gXYZ"] + 12] = green, red
    return bytes(data)


def _grey_profile(gamma: float) -> bytes:
    """A profile of a grey scale with a gamma curve."""

    def padded(data: bytes) -> bytes:
        return data.ljust(-(-len(data) // 4) * 4, b"\0")

    white = struct.pack(">iii", 63190, 65536, 54061)
    parts = {
        b"desc": padded(b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(78)),
        b"cprt": padded(b"text\0\0\0\0none\0"),
        b"wtpt": b"XYZ \0\0\0\0" + white,
        b"kTRC": padded(b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))),
    }
    start, table, body = 132 + 12 * len(parts), struct.pack(">I", len(parts)), b""
    for name, part in parts.items():
        table += name + struct.pack(">II", start + len(body), len(part))
        body += part
    size = struct.pack(">I", start + len(body))
    head = size + b"lcms" + struct.pack(">I", 0x02400000) + b"mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28)
    return (head + white + b"lcms").ljust(128, b"\0") + table + body


@pytest.mark.parametrize(
    "mode", ["L", "LA", "I;16", "L with a transparent value", "RGB", "RGBA", "P", "P with opacity"]
)
def test_a_profile_is_applied_whatever_the_mode_and_opacity_stays(mode: str, tmp_path: Path):
    grey, swapped = _grey_profile(1.0), _profile_with_swapped_primaries()
    options: dict[str, object] = {"icc_profile": grey if mode[0] in "LI" else swapped}
    if mode[0] in "LI":  # 55 of 255 in linear light is 128 in sRGB
        picture = Image.new("L", (8, 8), 55)
        wanted = (128.0, 128.0, 128.0)
        if mode == "LA":
            picture.putalpha(128)
        elif mode == "I;16":
            picture = Image.fromarray(np.full((8, 8), 55 * 257, np.uint16))
        elif mode != "L":
            picture.putpixel((0, 0), 9)
            options["transparency"] = 9
    else:
        picture = Image.new("RGB", (8, 8), (250, 10, 10))
        wanted = (10.0, 250.0, 10.0)  # the profile says that the first channel is green
        if mode == "RGBA":
            picture.putalpha(128)
        elif mode[0] == "P":
            picture = picture.quantize(2)
            options |= {"transparency": bytes([128] * 256)} if mode != "P" else {}
    if mode in ("LA", "RGBA", "P with opacity"):
        wanted = tuple(value * 128 / 255 + 127 for value in wanted)
    data = encoded("PNG", picture, **options)
    (tmp_path / "x").write_bytes(data)
    seen = read_image(tmp_path / "x")
    np.testing.assert_allclose(seen[4, 4], wanted, atol=3)
    np.testing.assert_allclose((decode_image(data, "x").permute(1, 2, 0) + 1) * 127.5, seen, atol=1e-3)
    if mode.startswith("L with"):
        assert (seen[0, 0] == 255).all(), "what is transparent lies on white"


def _png_of(bits: int, colours: int, pixels: list[int], transparent: int) -> bytes:
    """A PNG file of one row after the other of the same pixels, one of which it calls transparent."""
    share = {0: 1, 2: 3}[colours]
    row = "".join(f"{value:0{bits}b}" * share for value in pixels)
    raw = (b"\0" + int(row, 2).to_bytes(len(row) // 8, "big")) * len(pixels)
    size = struct.pack(">IIBBBBB", len(pixels), len(pixels), bits, colours, 0, 0, 0)
    parts = {b"IHDR": size, b"tRNS": struct.pack(">H", transparent) * share, b"IDAT": zlib.compress(raw), b"IEND": b""}
    chunks = (
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part))
        for kind, part in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(("bits", "colours"), [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2)])
def test_the_colour_that_a_file_calls_transparent_is_so_at_every_depth(bits: int, colours: int, tmp_path: Path):
    data = _png_of(bits, colours, [1, 0, 1, 0, 0, 0, 0, 0] if bits < 16 else [9000, 0, 9000, 0, 0, 0, 0, 0],
                   1 if bits < 16 else 9000)  # fmt: skip
    (tmp_path / "x").write_bytes(data)
    wanted = [255, 0, 255, 0, 0, 0, 0, 0]
    assert read_image(tmp_path / "x")[3, :, 0].tolist() == wanted
    assert ((decode_image(data, "x")[0, 3] + 1) * 127.5).round().tolist() == wanted
    assert (1 - read_mask(tmp_path / "x")[3]).tolist() == [value / 255 for value in wanted]


@pytest.mark.parametrize("mode", ["LAB", "YCbCr", "CMYK", "RGBX"])
def test_colours_in_other_words_are_read_as_photo_mask_and_data_set(mode: str, tmp_path: Path):
    picture = Image.new("RGB", (8, 8), (200, 120, 90))
    if mode == "LAB":
        to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        picture = ImageCms.applyTransform(picture, to_lab)
    data = encoded("TIFF", picture if mode == "LAB" else picture.convert(mode))
    (tmp_path / "x").write_bytes(data)
    np.testing.assert_allclose(read_image(tmp_path / "x")[4, 4], (200, 120, 90), atol=3)
    np.testing.assert_allclose((decode_image(data, "x")[:, 4, 4] + 1) * 127.5, (200, 120, 90), atol=3)
    np.testing.assert_allclose(read_mask(tmp_path / "x"), 141 / 255, atol=0.02)


@pytest.mark.parametrize("mode", ["I", "F"])
@pytest.mark.parametrize("read", [decode_image, decode_mask])
def test_numbers_of_unknown_range_are_refused(mode: str, read: Callable[[bytes, str], object]):
    with pytest.raises(InputError, match="32 bits"):
        read(encoded("TIFF", Image.new("L", (8, 8), 100).convert(mode)), "x")


@pytest.mark.parametrize("profile", [b"", b"nonsense", b"\0" * 128, b"\xff" * 4000])
def test_a_damaged_profile_does_not_cost_the_picture(profile: bytes):
    pixels = rgb_pixels(open_picture(encoded("PNG", icc_profile=profile), "x"))
    np.testing.assert_array_equal(pixels, PIXELS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_in_photos_masks_and_data_sets_alike(orientation: int, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded("PNG", exif=exif)
    (tmp_path / "x.png").write_bytes(data)
    pixels = read_image(tmp_path / "x.png")
    assert (pixels.tolist() == PIXELS.tolist()) == (orientation == 1)
    tensor = decode_image(data, "x").numpy().transpose(1, 2, 0)
    np.testing.assert_allclose((tensor + 1) * 127.5, pixels, atol=1e-3)
    grey = np.asarray(Image.fromarray(pixels).convert("L"), dtype=float) / 255
    np.testing.assert_allclose(read_mask(tmp_path / "x.png"), grey, atol=0.01)


def test_transparency_is_put_on_white_in_photos_and_data_sets_alike(tmp_path: Path):
    rgba = np.dstack([PIXELS, np.zeros((12, 12), np.uint8)])
    data = encoded("PNG", Image.fromarray(rgba))
    (tmp_path / "x.png").write_bytes(data)
    assert (read_image(tmp_path / "x.png") == 255).all()
    assert (decode_image(data, "x") == 1).all()


@pytest.mark.parametrize("kind", ["RGBA in PNG", "RGBA in WEBP", "RGBA in TIFF", "LA in PNG", "P in PNG", "RGB in PNG"])
def test_half_transparent_pixels_are_mixed_with_white_whatever_the_mode(kind: str, tmp_path: Path):
    mode, _, format_ = kind.partition(" in ")
    colour, alpha = (200, 40, 90), 128
    options: dict[str, object] = dict(LOSSLESS[format_])
    if mode == "P":
        picture = Image.new("P", (8, 8), 1)
        picture.putpalette([0, 0, 0, *colour])
        options["transparency"] = bytes([255, alpha])
    elif mode == "RGB":  # one colour is see-through, all of it
        picture, alpha = Image.new("RGB", (8, 8), colour), 0
        options["transparency"] = colour
    else:
        colour = (40, 40, 40) if mode == "LA" else colour
        picture = Image.new(mode, (8, 8), (40, alpha) if mode == "LA" else (*colour, alpha))
    data = encoded(format_, picture, **options)
    (tmp_path / "x").write_bytes(data)
    wanted = [value * alpha / 255 + 255 - alpha for value in colour]
    np.testing.assert_allclose(read_image(tmp_path / "x")[4, 4], wanted, atol=1.01)
    np.testing.assert_allclose((decode_image(data, "x")[:, 4, 4] + 1) * 127.5, wanted, atol=1.01)


def png_that_promises(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 40_000, 2**31 - 1])
def test_what_a_header_promises_is_judged_before_it_is_decoded(side: int):
    for decode in (decode_image, decode_mask, decode_depth):
        with pytest.raises(InputError, match=r"too large|damaged"):
            decode(png_that_promises(side, side), "x.png")


@pytest.mark.parametrize("shape", [(100_000, 100_000), (2**40,), (2**62, 2**62)])
def test_an_array_file_that_promises_more_than_it_holds_takes_no_memory(shape: tuple[int, ...]):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    with pytest.raises(InputError, match="more than the file holds"):
        decode_depth(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header, "x.npy")


@given(st.data())
def test_damaged_pictures_are_one_sentence_or_a_picture(data: st.DataObject):
    format_ = data.draw(st.sampled_from(FORMATS))
    content = bytearray(encoded(format_))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    for decode in (decode_image, decode_mask, decode_depth):
        try:
            decode(cut, "x.png")
        except InputError as error:
            assert "\n" not in str(error).strip() and "x.png" in str(error)
