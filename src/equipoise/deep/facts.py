"""What can be told of a picture without knowing what it shows: its file, size, light, sharpness."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from equipoise.deep.pool import Pool
from equipoise.parallel import threaded
from equipoise.readers.lazy import LazyImages
from equipoise.readers.sizing import to_channels

__all__ = ["NUMBERS", "Facts", "look_at"]

# Facts that are numbers and facts that are words, as they are told.
NUMBERS = (
    *("file size", "width", "height", "aspect ratio", "brightness", "contrast", "sharpness"),
    *("JPEG quality", "day taken", "time of day taken"),
)
WORDS = ("file format", "colour mode", "camera")

_SIDE = 256  # pixels of the longer side that light and sharpness are measured at
_BLANK = 3  # grey levels between the darkest and the brightest pixel of a blank picture
_CHUNK = 64
_MAKE, _MODEL, _TIME, _EXIF, _TAKEN = 0x010F, 0x0110, 0x0132, 0x8769, 0x9003

# The sum of the luminance table of ITU-T T.81, Annex K, which the Independent JPEG Group scales by
# quality.
_LUMINANCE = 3688


@dataclass(frozen=True)
class Facts:
    """What was measured of each picture.

    Attributes
    ----------
    numbers : dict of (N,) float64
        By name; NaN where a picture has none.
    words : dict of (N,) str
        By name; empty where a picture has none.
    even : (N,) float64
        The share of neighbouring pixels that are equal: high in drawings and screenshots.
    blank : (N,) bool
        Whether it is of one colour all over.
    grey : (N,) bool
        Whether it is without colour.
    """

    numbers: dict[str, NDArray[np.float64]]
    words: dict[str, NDArray[np.str_]]
    even: NDArray[np.float64]
    blank: NDArray[np.bool_]
    grey: NDArray[np.bool_]


@dataclass(frozen=True)
class _Seen:
    """The same of one picture."""

    numbers: dict[str, float]
    words: dict[str, str]
    even: float
    blank: bool
    grey: bool


def look_at(pool: Pool, tell: Callable[[int, int], None] = lambda done, total: None) -> Facts:
    """Measure every picture, a thread a core; those in files are decoded for it."""

    seen: list[_Seen] = []
    for part in threaded(lambda rows: [_of(pool, row) for row in rows], len(pool), _CHUNK):
        seen += part
        tell(len(seen), len(pool))
    return Facts(
        numbers={name: np.array([s.numbers.get(name, np.nan) for s in seen]) for name in NUMBERS},
        words={name: np.array([s.words.get(name, "") for s in seen]) for name in WORDS},
        even=np.array([s.even for s in seen]),
        blank=np.array([s.blank for s in seen]),
        grey=np.array([s.grey for s in seen]),
    )


def _of(pool: Pool, row: int) -> _Seen:
    part, own = pool.place(row)
    pixels = pool.picture(row)
    height, width, channels = pixels.shape
    grey = pixels[..., 0]
    if channels > 1:
        grey = np.asarray(cv2.cvtColor(to_channels(pixels, 3), cv2.COLOR_RGB2GRAY), np.uint8)
    scale = _SIDE / max(height, width)
    small = grey
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    numbers = {
        "width": float(width),
        "height": float(height),
        "aspect ratio": width / height,
        "brightness": float(small.mean()),
        "contrast": float(small.std()),
        "sharpness": float(np.abs(cv2.Laplacian(small, cv2.CV_32F)).mean()),
    }
    words = {"colour mode": {1: "L", 3: "RGB", 4: "RGBA"}[channels]}
    if isinstance(part.images, LazyImages):
        data = part.images.encoded(own)
        numbers["file size"] = float(len(data))
        more, said = _of_file(data)
        numbers |= more
        words |= said
    return _Seen(
        numbers,
        words,
        even=float((grey[:, 1:] == grey[:, :-1]).mean()),
        blank=bool((pixels.max((0, 1)) - pixels.min((0, 1)) <= _BLANK).all()),
        grey=channels == 1 or int(np.ptp(pixels[..., :3], axis=2).max()) <= _BLANK,
    )


def _of_file(data: bytes) -> tuple[dict[str, float], dict[str, str]]:
    """Return what a file says of itself; what is damaged says nothing."""
    numbers: dict[str, float] = {}
    words: dict[str, str] = {}
    with suppress(Exception), Image.open(BytesIO(data)) as image:  # Pillow raises anything
        words |= {"file format": str(image.format), "colour mode": image.mode}
        tables = getattr(image, "quantization", None)
        if tables:
            numbers["JPEG quality"] = _quality(tables)
        exif = image.getexif()
        words["camera"] = " ".join(str(exif.get(tag, "")) for tag in (_MAKE, _MODEL)).strip()
        taken = exif.get_ifd(_EXIF).get(_TAKEN) or exif.get(_TIME)
        if taken:
            numbers |= _when(str(taken))
    return numbers, words


def _quality(tables: dict[int, Any]) -> float:
    """Return the quality, 1 to 100, that the Independent JPEG Group's scale gives the tables."""
    scale = 100 * float(np.sum(tables[min(tables)])) / _LUMINANCE
    return round(min(100.0, (200 - scale) / 2 if scale <= 100 else 5000 / scale), 0)


def _when(text: str) -> dict[str, float]:
    when = datetime.strptime(text.strip("\0 "), "%Y:%m:%d %H:%M:%S")
    hours = when.hour + when.minute / 60
    return {"day taken": float(when.toordinal()), "time of day taken": hours}
