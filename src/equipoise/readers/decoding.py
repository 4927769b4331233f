"""Encoded image files to pixels as a viewer shows them.

JPEG, PNG, BMP, WebP, TIFF, GIF and PNM; of several frames or pages, the first. Grey stays one
channel. Sixteen bits are scaled to eight. Palettes, CMYK and embedded colour profiles are brought
to sRGB, EXIF rotations carried out. An alpha channel is kept where anything is transparent.
"""

import warnings
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps

from equipoise.errors import reason
from equipoise.readers.colour import is_srgb, to_srgb
from equipoise.readers.headers import Header, read_header
from equipoise.selection import MOST_PIXELS

__all__ = [
    "Picture",
    "UndecodableError",
    "decode",
    "digest",
    "file_digest",
    "too_large",
]

_RAISE = ("--most-bytes raises it", "--most-pixels raises it")

_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "WEBP", "TIFF", "GIF", "PPM")

# Sizes are checked here, by our own limit, and what is wrong with a file is told by its error.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class UndecodableError(Exception):
    """A file that cannot be shown; the text says why."""


@dataclass(frozen=True)
class Picture:
    """Decoded pixels.

    Attributes
    ----------
    pixels : (H, W, C) uint8
        C is 1 (grey), 3 (RGB) or 4 (RGBA).
    mode : str
        The mode of the file, in Pillow's words: 'RGB', 'L', 'RGBA', 'P', 'CMYK', 'I;16', …
    """

    pixels: NDArray[np.uint8]
    mode: str


def decode(data: bytes, most_pixels: int = MOST_PIXELS) -> Picture:
    """Decode one image file.

    Parameters
    ----------
    data : bytes
    most_pixels : int
        Larger images are refused before they are decoded.

    Raises
    ------
    UndecodableError
        Where the file is empty, no image, cut short, of a kind without a defined look (floating
        point), smaller than 2×2 or larger than `most_pixels`.
    """
    if not data:
        raise UndecodableError("empty file")
    header = read_header(data)
    picture = None
    if header is not None:
        _check_size(header.width, header.height, most_pixels)
        if header.plain and is_srgb(header.profile):
            picture = _by_opencv(data, header)
    picture = picture or _by_pillow(data, most_pixels)
    height, width = picture.pixels.shape[:2]
    if min(height, width) < 2:
        raise UndecodableError(f"{width}×{height} pixels, too small to be a picture")
    return picture


def digest(pixels: NDArray[np.uint8]) -> bytes:
    """Return 16 bytes that stand for an image's shape and pixels."""
    state = blake2b(repr(pixels.shape).encode(), digest_size=16)
    state.update(np.ascontiguousarray(pixels).data)
    return state.digest()


def too_large(size: int, most: int) -> str:
    """Return what is wrong with a file of so many bytes, or nothing."""
    return f"{size:,} bytes are more than the limit of {most:,}; {_RAISE[0]}" if size > most else ""


def file_digest(data: bytes) -> bytes:
    """Return 8 bytes that stand for an encoded file: far less to read than its pixels."""
    return blake2b(data, digest_size=8).digest()


def _check_size(width: int, height: int, most: int) -> None:
    if width * height > most:
        raise UndecodableError(
            f"{width}×{height} pixels are more than the limit of {most:,}; {_RAISE[1]}"
        )


def _by_opencv(data: bytes, header: Header) -> Picture | None:
    """Decode a plain JPEG or PNG; None where OpenCV cannot."""
    common = header.depth == 8 and header.channels < 4
    if common:
        flag = cv2.IMREAD_GRAYSCALE if header.channels == 1 else cv2.IMREAD_COLOR_RGB
    else:
        flag = cv2.IMREAD_UNCHANGED
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        return None
    if found is None:
        return None
    pixels = np.asarray(found)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape[2] != header.channels:
        return None
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[header.channels]
    if common:
        return Picture(pixels.astype(np.uint8, copy=False), mode)
    if header.channels > 1:  # blue, green, red as OpenCV gives them
        pixels = pixels[..., [2, 1, 0, 3][: header.channels]]
    if header.depth == 16:
        pixels = _eight_bits(pixels.astype(np.uint16))
        mode = "I;16" if mode == "L" else f"{mode};16"
    return Picture(_opaque(pixels.astype(np.uint8, copy=False)), mode)


def _by_pillow(data: bytes, most_pixels: int) -> Picture:
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            _check_size(*image.size, most_pixels)
            image.load()
            # Pillow takes every CMYK JPEG for Adobe's inverted kind; without its mark it is not.
            negative = image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info
            upright = _upright(image)
            upright = ImageChops.invert(upright) if negative else upright
            return Picture(_shown(upright, image.info.get("icc_profile")), image.mode)
    except UndecodableError:
        raise
    except Image.UnidentifiedImageError:
        raise UndecodableError("not an image of a known format") from None
    except Image.DecompressionBombError:
        raise UndecodableError(
            f"more pixels than the limit of {most_pixels:,}; {_RAISE[1]}"
        ) from None
    except Exception as error:  # a broken file may raise anything in Pillow's parsers
        raise UndecodableError(reason(error)) from None


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # broken EXIF: viewers show the picture as stored
        return image


def _shown(image: Image.Image, profile: bytes | None) -> NDArray[np.uint8]:
    """Return a loaded image of any mode as (H, W, C) uint8 in sRGB."""
    mode = image.mode
    if mode.startswith(("I", "F")):
        return _eight_bits(_sixteen(image)[..., None])
    if mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    elif mode == "1":
        image = image.convert("L")
    elif mode not in ("L", "RGB", "RGBA", "CMYK"):
        image = image.convert("RGB")
    pixels = np.array(to_srgb(image, profile))
    pixels = _opaque(pixels.reshape(*pixels.shape[:2], -1))
    return pixels[..., :1] if mode in ("LA", "La") and pixels.shape[2] == 3 else pixels


def _sixteen(image: Image.Image) -> NDArray[np.uint16]:
    """Return grey pixels of sixteen bits from one of Pillow's wide modes."""
    values = np.array(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        bits = "floating-point" if image.mode == "F" else "32-bit"
        raise UndecodableError(f"{bits} pixels have no defined brightness; convert to 8 or 16 bits")
    return values.astype(np.uint16)


def _eight_bits(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Scale 0 … 65535 to 0 … 255, rounded."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _opaque(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Drop an alpha channel that hides nothing."""
    if pixels.shape[2] == 4 and pixels[..., 3].min() == 255:
        pixels = pixels[..., :3]
    return np.ascontiguousarray(pixels)
