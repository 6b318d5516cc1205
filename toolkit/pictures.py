"""Decoding pictures of strangers, wherever one is read: known formats by content, bounded, upright, in sRGB.

The rules, the same for photos, masks and data sets:

- The content decides the format, never the name; anything but `FORMATS` is refused before a decoder runs.
- What the header promises is judged before anything is decoded.
- The camera's orientation (EXIF) is applied: pixel coordinates are those of the upright picture.
- An embedded colour profile is applied: pixels are sRGB.
- Transparent pixels are put on white.
"""

from __future__ import annotations

import functools
import io
import os
import struct
import warnings
import zlib
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
_TRANSPARENT_MODES = {"RGBA", "LA", "PA", "La", "RGBa"}
_DEEP_GREY_MODES = {"I", "I;16", "I;16B", "I;16L", "I;16N"}
_PROFILED_MODES = {"RGB", "RGBA", "L", "LA", "CMYK"}


def open_picture(source: Path | bytes, name: str, at_least: int | None = None) -> Image.Image:
    """Decode a picture and turn it upright; mode and transparency are as in the file, colours in sRGB.

    Args:
        source: A file, or its content.
        name: What messages call it.
        at_least: Decode a JPEG picture at a fraction of its size, where no side falls below so many pixels.

    Raises:
        InputError: Not one of the known formats, truncated or damaged, or larger than `MAX_PIXELS`.
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
                picture.load()
                return _in_srgb(_upright(picture))
        except (InputError, PermissionError):
            raise
        except Image.DecompressionBombError as error:
            raise InputError(f"{name} is too large: at most {MAX_PIXELS // 10**6} million pixels are taken") from error
        except Image.UnidentifiedImageError as error:
            raise InputError(_unknown_format(source, name)) from error
        except DAMAGE as error:
            raise InputError(f"{name} is damaged or cut short: {error}") from error


def rgb_pixels(picture: Image.Image, name: str) -> np.ndarray:
    """Pixels uint8 [H, W, 3], transparent ones put on white, 16-bit grey by its high byte.

    Raises:
        InputError: Floating point pixels, whose range is unknown.
    """
    picture = _eight_bit(picture, name)
    if _is_transparent(picture):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.array(picture.convert("RGB"))


def grey_pixels(picture: Image.Image, name: str) -> np.ndarray:
    """A mask's pixels uint8 [H, W]: the opacity of a picture that has some, else its grey.

    Raises:
        InputError: Floating point pixels, whose range is unknown.
    """
    picture = _eight_bit(picture, name)
    if _is_transparent(picture):
        opacity = np.array(picture.convert("RGBA").getchannel("A"))
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
        head = source[:SNIFFED_BYTES] if isinstance(source, bytes) else _head(source)
    except OSError:
        head = b""
    if _is_heic(head) and HEIC not in _readable_formats():
        return f"{name} is a HEIC picture, which needs another package: pip install 'toolkit[heic]'"
    if is_picture(head):
        return f"{name} is damaged or cut short"
    return f"{name} is not a {FORMATS_IN_WORDS} picture, whatever its name says"


def _head(file: Path) -> bytes:
    with open(file, "rb") as stream:
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


def _in_srgb(picture: Image.Image) -> Image.Image:
    profile = picture.info.get("icc_profile")
    if not isinstance(profile, bytes) or not profile or picture.mode not in _PROFILED_MODES:
        return picture
    target = "RGBA" if picture.mode in ("RGBA", "LA") else "RGB"
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            picture.convert("RGBA") if picture.mode == "LA" and _is_rgb(embedded) else picture,
            embedded,
            ImageCms.createProfile("sRGB"),
            outputMode=target,
        )
    except (ImageCms.PyCMSError, *DAMAGE):
        return picture  # the pixels are good, only their profile is not
    return picture if converted is None else converted


def _is_rgb(profile: ImageCms.ImageCmsProfile) -> bool:
    return profile.profile.xcolor_space.strip() == "RGB"


def _is_transparent(picture: Image.Image) -> bool:
    return picture.mode in _TRANSPARENT_MODES or "transparency" in picture.info


def _eight_bit(picture: Image.Image, name: str) -> Image.Image:
    """Keep the high byte of 16-bit grey; Pillow's own conversion would clip at 255."""
    if picture.mode == "F":
        raise InputError(f"{name} has floating point pixels without a known range: save it with 8 or 16 bits")
    if picture.mode not in _DEEP_GREY_MODES:
        return picture
    values = np.asarray(picture).astype(np.int64)
    return Image.fromarray((values.clip(0, 65535) >> 8).astype(np.uint8))


def read_head(path: str | os.PathLike[str]) -> bytes:
    """The first `SNIFFED_BYTES` bytes of a file; empty where it cannot be read."""
    try:
        return _head(Path(path))
    except OSError:
        return b""
