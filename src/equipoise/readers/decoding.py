"""Encoded image files to pixels as a viewer shows them.

JPEG, PNG, BMP, WebP, TIFF, GIF and PNM; of several frames or pages, the first. Grey stays one
channel, and sixteen bits sixteen until a range brings them to eight. Palettes, CMYK and embedded
colour profiles are brought to sRGB, EXIF rotations carried out. An alpha channel is kept where
anything is transparent.
"""

import logging
import warnings
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms, TiffImagePlugin

from equipoise.errors import printable, reason
from equipoise.readers.complaints import gathered
from equipoise.readers.depth import Range, read_wide_pnm, to_eight
from equipoise.readers.headers import MOST_SCANS, Header, orientation, read_header, tiff_parts
from equipoise.selection import MOST_PIXELS

try:
    from simplejpeg import decode_jpeg
except ImportError:  # the extra "fast"
    decode_jpeg = None

__all__ = [
    "Picture",
    "Pixels",
    "UndecodableError",
    "decode",
    "narrow",
    "shown",
    "too_large",
]

_RAISE = ("--most-bytes raises it", "--most-pixels raises it")

_CLOSE = 2  # a profile that moves no colour by more than so many of 255 is taken as sRGB
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}

_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "WEBP", "TIFF", "GIF", "PPM")

# Strips and tiles of a TIFF: Pillow takes some 300 bytes of memory for each.
_MOST_PARTS = 2**17

# Sizes are checked here, by our own limit, and what is wrong with a file is told by its error.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # or Python prints its errors on stderr

Pixels = NDArray[Any]  # uint8 or uint16


class UndecodableError(Exception):
    """A file that cannot be shown; the text says why."""


class Picture(NamedTuple):
    """Decoded pixels.

    Attributes
    ----------
    pixels : (H, W, C) uint8 or uint16
        C is 1 (grey), 3 (RGB) or 4 (RGBA). Sixteen bits are as they are stored: `narrow` brings
        them to eight.
    mode : str
        The mode of the file, in Pillow's words: 'RGB', 'L', 'RGBA', 'P', 'CMYK', 'I;16', …
    profile : bytes
        The colour profile of pixels that are still to be narrowed.
    complaint : str
        What the decoder said of a file that it passed over, or nothing.
    """

    pixels: Pixels
    mode: str
    profile: bytes = b""
    complaint: str = ""


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
        point), smaller than 2×2, larger than `most_pixels`, or made to keep a decoder busy.
    """
    if not data:
        raise UndecodableError("empty file")
    header = read_header(data)
    _check(data, header, most_pixels)
    with gathered() as lines:
        picture = None
        if header is not None and header.plain and _is_srgb(header.profile):
            picture = _by_opencv(header)
        picture = picture or _by_pillow(data, header, most_pixels)
    height, width = picture.pixels.shape[:2]
    if min(height, width) < 2:
        raise UndecodableError(f"{width}×{height} pixels, too small to be a picture")
    return picture._replace(complaint=printable(lines[0])) if lines else picture


def narrow(picture: Picture, bounds: Range) -> NDArray[np.uint8]:
    """Return a picture's pixels in eight bits: those of sixteen by a range that becomes 0 … 255."""
    pixels = picture.pixels
    if pixels.dtype == np.uint8:
        return pixels
    eight = to_eight(pixels, bounds)
    if _is_srgb(picture.profile):
        return eight
    image = Image.fromarray(eight[..., 0] if eight.shape[2] == 1 else eight)
    return _channels(np.array(_to_srgb(image, picture.profile)))


def shown(image: Image.Image) -> Picture:
    """Return one of Pillow's images as a decoded file."""
    turn = orientation(image.info.get("exif") or b"")
    picture = _narrow(image, image.info.get("icc_profile") or b"")
    return picture._replace(pixels=_upright(picture.pixels, turn))


def too_large(size: int, most: int) -> str:
    """Return what is wrong with a file of so many bytes, or nothing."""
    return f"{size:,} bytes are more than the limit of {most:,}; {_RAISE[0]}" if size > most else ""


def _check(data: bytes, header: Header | None, most_pixels: int) -> None:
    """Refuse what would take long, or much memory, before anything is decoded."""
    if header is not None:
        _check_size(header.width, header.height, most_pixels)
        if header.scans > MOST_SCANS:
            raise UndecodableError(f"a JPEG of more than {MOST_SCANS} scans")
    elif (parts := tiff_parts(data)) > _MOST_PARTS:
        raise UndecodableError(f"a TIFF of {parts:,} strips or tiles, more than {_MOST_PARTS:,}")


def _check_size(width: int, height: int, most: int) -> None:
    if width * height > most:
        raise UndecodableError(
            f"{width}×{height} pixels are more than the limit of {most:,}; {_RAISE[1]}"
        )


def _by_opencv(header: Header) -> Picture | None:
    """Decode a plain JPEG or PNG; None where OpenCV cannot."""
    channels = header.channels
    if header.depth == 8 and channels < 4:
        flag = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
        found = _by_simplejpeg(header) if header.straight else None
        found = _read(header.data, flag) if found is None else found
    else:
        found = _unchanged(header.data)
    if found is None or found.shape[2] != channels:
        return None
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    if header.depth == 16:
        mode = "I;16" if mode == "L" else f"{mode};16"
    return Picture(_opaque(found), mode)


def _by_simplejpeg(header: Header) -> Pixels | None:
    """Decode a JPEG by libjpeg-turbo, as OpenCV does, with less around it; None where it warns."""
    if decode_jpeg is None:
        return None
    try:
        return decode_jpeg(header.data, "GRAY" if header.channels == 1 else "RGB")
    except ValueError:  # damaged: OpenCV's part is to say what it passes over
        return None


def _unchanged(data: bytes) -> Pixels | None:
    """Decode a file by OpenCV at its own depth; red, green and blue are in this order."""
    found = _read(data, cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype not in (np.uint8, np.uint16):
        return None
    # Blue, green, red as OpenCV gives them.
    return found if found.shape[2] < 3 else found[..., [2, 1, 0, 3][: found.shape[2]]]


def _read(data: bytes, flag: int) -> Any:
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        return None
    return None if found is None else np.asarray(found).reshape(*found.shape[:2], -1)


def _by_pillow(data: bytes, header: Header | None, most_pixels: int) -> Picture:
    data = data if header is None else header.data
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            _check_size(*image.size, most_pixels)
            _check_tiles(image)
            profile = header.profile if header else image.info.get("icc_profile") or b""
            turn = 1 if image.format == "TIFF" else orientation(image.info.get("exif") or b"")
            picture = _wide(data, image, profile) or _narrow(image, profile)
            return picture._replace(pixels=_upright(picture.pixels, turn))
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


def _check_tiles(image: Image.Image) -> None:
    """Refuse a file whose strips or tiles cover the picture over and over."""
    tiles = getattr(image, "tile", ())
    covered = sum((t[1][2] - t[1][0]) * (t[1][3] - t[1][1]) for t in tiles if t[1])
    width, height = image.size
    if len(tiles) > 1 and covered > 2 * width * height * len(image.getbands()):
        raise UndecodableError(f"{len(tiles):,} strips or tiles for {width}×{height} pixels")


def _wide(data: bytes, image: Image.Image, profile: bytes) -> Picture | None:
    """Return an opened image of sixteen bits a channel at that depth, where Pillow would not."""
    if image.format == "PPM":
        found = read_wide_pnm(data)
        grey = found is not None and found.shape[2] == 1
        return None if found is None else Picture(found, "I;16" if grey else "RGB;16", profile)
    raw = _raw_mode(image)
    if image.mode not in ("LA", "RGB", "RGBA") or ";16" not in raw:
        return None
    pixels = _unchanged(data)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[2] < 3:
        raise UndecodableError("16-bit colour of an uncommon layout; convert to 8 bits")
    if image.format == "TIFF":  # a fourth channel may be no transparency
        pixels = pixels[..., : len(image.getbands())]
    pixels = _opaque(pixels)
    if raw.startswith("LA") and pixels.shape[2] == 3:
        pixels = pixels[..., :1]
    return Picture(pixels, raw[: raw.index(";") + 3], profile)


def _raw_mode(image: Image.Image) -> str:
    """Return how an opened image's pixels are stored, in Pillow's words: 'RGB', 'RGB;16B', …"""
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # one by one where planes are apart
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, ())
        return f"{image.mode};16" if 16 in bits else image.mode
    tiles = getattr(image, "tile", ())
    args = tiles[0][3] if tiles else ""
    return str(args[0] if isinstance(args, tuple) and args else args)


def _narrow(image: Image.Image, profile: bytes) -> Picture:
    image.load()
    # Pillow takes every CMYK JPEG for Adobe's inverted kind; without its mark it is not.
    negative = image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info
    return _shown(ImageChops.invert(image) if negative else image, profile)


def _upright(pixels: Pixels, turn: int) -> Pixels:
    """Turn an image as its EXIF orientation says."""
    if turn == 1:
        return pixels
    if turn >= 5:
        pixels = pixels.swapaxes(0, 1)
    rows = -1 if turn in (3, 4, 7, 8) else 1
    columns = -1 if turn in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(pixels[::rows, ::columns])


def _shown(image: Image.Image, profile: bytes) -> Picture:
    """Return an image of any mode as (H, W, C) in sRGB, or in sixteen bits as it is stored."""
    mode = image.mode
    if mode.startswith(("I", "F")):
        return Picture(_sixteen(image)[..., None], mode, profile)
    if mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    elif mode == "1":
        image = image.convert("L")
    elif mode not in ("L", "RGB", "RGBA", "CMYK"):
        image = image.convert("RGB")
    pixels = _channels(np.array(_to_srgb(image, profile)))
    return Picture(
        pixels[..., :1] if mode in ("LA", "La") and pixels.shape[2] == 3 else pixels, mode
    )


def _sixteen(image: Image.Image) -> NDArray[np.uint16]:
    """Return grey pixels of sixteen bits from one of Pillow's wide modes."""
    values = np.array(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        bits = "floating-point" if image.mode == "F" else "32-bit"
        raise UndecodableError(f"{bits} pixels have no defined brightness; convert to 8 or 16 bits")
    return values.astype(np.uint16)


def _channels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give pixels their axis of channels, without an alpha channel that hides nothing."""
    return _opaque(pixels.reshape(*pixels.shape[:2], -1))


def _opaque(pixels: Pixels) -> Pixels:
    """Drop an alpha channel that hides nothing."""
    if pixels.shape[2] == 4 and pixels[..., 3].min() == np.iinfo(pixels.dtype).max:
        pixels = pixels[..., :3]
    return np.ascontiguousarray(pixels)


def _is_srgb(profile: bytes) -> bool:
    """Whether a profile changes nothing worth the work (or cannot be used at all)."""
    return not profile or _profile(profile) is None


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an image of mode L, RGB, RGBA or CMYK in sRGB; a CMYK one becomes RGB.

    A broken profile, or one that is for another kind of image, is passed over, as viewers do.
    """
    found = _profile(profile) if profile else None
    base = image.convert("RGB") if image.mode == "RGBA" else image
    if found is None or found[0] != base.mode:
        return image.convert("RGB") if image.mode == "CMYK" else image
    shown = ImageCms.applyTransform(base, found[1])
    assert shown is not None
    if image.mode == "L":
        return shown.getchannel(1)
    if image.mode == "RGBA":
        shown.putalpha(image.getchannel("A"))
    return shown


@lru_cache(maxsize=64)
def _profile(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """Return the mode a profile is for and its way to sRGB; None for sRGB itself."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        mode = _SPACES.get(source.profile.xcolor_space)
        if mode is None:
            return None
        way = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        if mode == "CMYK":
            return mode, way
        chart = _chart(mode)
        shown = ImageCms.applyTransform(chart, way)
        assert shown is not None
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    moved = np.asarray(shown, int) - np.asarray(chart.convert("RGB"), int)
    return None if np.abs(moved).max() <= _CLOSE else (mode, way)


def _chart(mode: str) -> Image.Image:
    """Return colours from all over the cube, or all greys."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
    return Image.fromarray(cube.reshape(-1, 27, 3))
