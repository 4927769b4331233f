"""Colour profiles: pixels as they look in sRGB."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

__all__ = ["is_srgb", "to_srgb"]

_CLOSE = 2  # a profile that moves no colour by more than so many of 255 is taken as sRGB
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def is_srgb(profile: bytes) -> bool:
    """Whether a profile changes nothing worth the work (or cannot be used at all)."""
    return not profile or _transform(profile) is None


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an image of mode L, RGB, RGBA or CMYK in sRGB; a CMYK one becomes RGB.

    A broken profile, or one that is for another kind of image, is passed over, as viewers do.
    """
    found = _transform(profile) if profile else None
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
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform] | None:
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
