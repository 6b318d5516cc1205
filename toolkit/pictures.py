"""Decoding pictures that others made, in every command: known formats by content, bounded, upright, in sRGB.

The rules, the same for photos, masks and data sets:

- The content decides the format, never the name; anything but `FORMATS` is refused before a decoder runs.
- What the header declares is checked before anything is decoded.
- The camera's orientation (EXIF) is applied: pixel coordinates are those of the upright picture.
- An embedded colour profile is applied, whatever the mode: pixels are sRGB.
- Transparent pixels are put on white, also where a file calls one colour transparent.
"""

from __future__ import annotations

import functools
import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from toolkit.errors import InputError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF")
"""In Pillow's words; JPEG includes MPO, in which phones put several pictures (the first one counts)."""
FORMATS_IN_WORDS = "PNG, JPEG, WebP, BMP, TIFF or AVIF"
HEIC = "HEIF"
"""Pillow's name of HEIC, which needs an extra package."""
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".avif", ".heic",
    ".heif",
)  # fmt: skip
"""Endings under which such files are looked for."""
MAX_PIXELS = 8192 * 8192
"""A picture whose header promises more is refused before anything is decoded."""
SNIFFED_BYTES = 64
"""How many first bytes tell a format."""

DAMAGE = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's decoders raise on damaged bytes."""
_FIRST_BYTES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")
"""Of PNG, JPEG, BMP and both orders of TIFF."""
_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_DEEP_GREY_MODES = {"I", "I;16", "I;16B", "I;16L", "I;16N"}
_BIT_DEPTH = 24
"""The byte of a PNG file that says how many bits a channel has."""


def open_picture(source: Path | bytes, name: str, at_least: int | None = None) -> Image.Image:
    """Decode a picture: upright, in sRGB, 8 bits a channel.

    Args:
        source: A file, or its content.
        name: What messages call it.
        at_least: Decode a JPEG picture at a fraction of its size, where no side falls below so many pixels.

    Returns:
        Mode L, LA, RGB or RGBA, as the file has colours and opacity; 16-bit grey by its high byte.

    Raises:
        InputError: Not one of the known formats, truncated or damaged, larger than `MAX_PIXELS`, or with 32 bits a
            pixel, whose range is unknown.
        PermissionError: The file may not be read.
    """
    return _opened(source, name, _plain, at_least)


def open_values(source: Path | bytes, name: str) -> Image.Image:
    """Decode a picture and turn it upright; its numbers and its mode are as in the file.

    Raises:
        InputError: Not one of the known formats, truncated or damaged, or larger than `MAX_PIXELS`.
        PermissionError: The file may not be read.
    """
    return _opened(source, name, lambda picture, bits, name: picture)


def _opened(
    source: Path | bytes, name: str, finish: Callable[[Image.Image, int, str], Image.Image], at_least: int | None = None
) -> Image.Image:
    """Decode a picture, turn it upright, and let `finish` have it and the bits of a channel.

    Raises:
        InputError: See `open_picture`.
        PermissionError: The file may not be read.
    """
    if source == b"":
        raise InputError(f"{name} is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata and sizes: sizes are judged here
        try:
            with Image.open(_stream(source), formats=_readable_formats()) as picture:
                _check_size(picture.size, name)
                if at_least is not None:
                    picture.draft(None, (at_least, at_least))  # does something for JPEG only
                bits = _head(source)[_BIT_DEPTH] if picture.format == "PNG" else 32 if picture.mode == "I" else 8
                picture.load()
                return finish(_upright(picture), bits, name)
        except (InputError, PermissionError):
            raise
        except Image.DecompressionBombError as error:
            raise InputError(f"{name} is too large: at most {MAX_PIXELS // 10**6} million pixels are taken") from error
        except Image.UnidentifiedImageError as error:
            raise InputError(_unknown_format(source, name)) from error
        except DAMAGE as error:
            raise InputError(f"{name} is damaged or cut short: {error}") from error


def rgb_pixels(picture: Image.Image) -> np.ndarray:
    """Pixels uint8 [H, W, 3] of a picture of `open_picture`, transparent ones put on white."""
    if "A" in picture.getbands():
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.array(picture.convert("RGB"))


def grey_pixels(picture: Image.Image) -> np.ndarray:
    """A mask's pixels uint8 [H, W]: the opacity of a picture of `open_picture` that has some, else its grey."""
    if "A" in picture.getbands():
        opacity = np.array(picture.getchannel("A"))
        if opacity.min() < 255:
            return opacity
    return np.array(picture.convert("L"))


def is_picture(head: bytes) -> bool:
    """Whether a file that begins with these bytes (`SNIFFED_BYTES` of them) is in one of the known formats."""
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    avif = head[4:8] == b"ftyp" and head[8:12] in _AVIF_BRANDS
    return head.startswith(_FIRST_BYTES) or webp or avif or _is_heic(head)


def _stream(source: Path | bytes) -> Path | io.BytesIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source


@functools.cache
def _readable_formats() -> tuple[str, ...]:
    try:
        import pillow_heif
    except ImportError:
        return FORMATS
    pillow_heif.register_heif_opener()
    return (*FORMATS, HEIC)


def _unknown_format(source: Path | bytes, name: str) -> str:
    try:
        head = _head(source)
    except OSError:
        head = b""
    if _is_heic(head) and HEIC not in _readable_formats():
        return f"{name} is a HEIC picture, which needs another package: pip install 'toolkit[heic]'"
    if is_picture(head):
        return f"{name} is damaged or cut short"
    return f"{name} is not a {FORMATS_IN_WORDS} picture, whatever its name says"


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:SNIFFED_BYTES]
    with open(source, "rb") as stream:
        return stream.read(SNIFFED_BYTES)


def _is_heic(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise InputError(f"{name} has no pixels ({width} x {height})")
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{name} is too large: {width} x {height} pixels, at most {MAX_PIXELS // 10**6} million are taken"
        )


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except DAMAGE:
        return picture  # the pixels are good, only the camera's notes are not


def _plain(picture: Image.Image, bits: int, name: str) -> Image.Image:
    if picture.mode == "F" or (picture.mode == "I" and bits == 32):
        raise InputError(f"{name} has 32 bits a pixel, whose range is unknown: save it with 8 or 16 bits")
    profile = picture.info.get("icc_profile")
    opacity = _opacity(picture, bits)
    if picture.mode in _DEEP_GREY_MODES:
        values = np.asarray(picture).astype(np.int64)  # Pillow's own conversion would clip at 255
        colours = Image.fromarray((values.clip(0, 65535) >> 8).astype(np.uint8))
    elif picture.mode in ("L", "RGB", "CMYK"):
        colours = picture
    else:
        colours = picture.convert("L" if picture.mode in ("1", "LA", "La") else "RGB")
    if isinstance(profile, bytes) and profile:
        colours = _in_srgb(colours, profile)
    if colours.mode == "CMYK":
        colours = colours.convert("RGB")
    if opacity is not None:
        colours.putalpha(opacity)
    return colours


def _opacity(picture: Image.Image, bits: int) -> Image.Image | None:
    """The opacity of a picture that has any; also where a PNG file calls one colour transparent."""
    key = picture.info.get("transparency")
    if picture.mode in ("RGBA", "LA", "PA"):
        return picture.getchannel("A")
    if picture.mode in ("La", "RGBa") or (picture.mode == "P" and key is not None):
        return picture.convert("RGBA").getchannel("A")
    if key is None:
        return None
    values, wanted = np.atleast_3d(np.asarray(picture.convert("L") if picture.mode == "1" else picture)), np.array(key)
    if picture.mode == "RGB" and bits == 16:
        wanted = wanted >> 8  # as Pillow reads the channels
    elif picture.mode == "L":
        wanted = wanted * 255 // (2**bits - 1)
    return Image.fromarray(np.where((values == wanted).all(axis=2), 0, 255).astype(np.uint8))


def _in_srgb(colours: Image.Image, profile: bytes) -> Image.Image:
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if colours.mode == "L" and embedded.profile.xcolor_space.strip() == "RGB":
            colours = colours.convert("RGB")
        converted = ImageCms.profileToProfile(colours, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, *DAMAGE):
        return colours  # the pixels are good, only their profile is not
    return colours if converted is None else converted


def read_head(path: str | os.PathLike[str]) -> bytes:
    """The first `SNIFFED_BYTES` bytes of a file; empty where it cannot be read."""
    try:
        return _head(Path(path))
    except OSError:
        return b""
