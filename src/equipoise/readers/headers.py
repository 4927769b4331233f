"""JPEG and PNG headers: enough to know what a file is before anything is decoded.

OpenCV is several times as fast as Pillow on common files, but shows uncommon ones wrongly (it knows
no colour profiles, CMYK or palettes with transparency). So the header decides who decodes.
"""

import struct
import zlib
from dataclasses import dataclass

__all__ = ["Header", "read_header"]

_MOST_PROFILE = 2**22  # bytes; a colour profile in a PNG is compressed and could be a bomb


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes
    ----------
    width, height : int
        Pixels, before any rotation.
    channels, depth : int
        Channels 1 (grey), 3 (colour) or 4 (colour and alpha); bits a channel.
    plain : bool
        Whether nothing but a colour profile or an EXIF rotation that OpenCV knows stands between
        the stored pixels and the picture.
    profile : bytes
        The embedded ICC profile, or nothing.
    """

    width: int
    height: int
    channels: int
    depth: int
    plain: bool
    profile: bytes


def read_header(data: bytes) -> Header | None:
    """Return the header of a JPEG or PNG file; None for other files and for broken headers."""
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(data)
    except (struct.error, IndexError, ValueError, zlib.error):
        pass
    return None


def _jpeg(data: bytes) -> Header | None:
    """Walk the segments up to the first scan."""
    frame: tuple[int, int, int, int, int] | None = None
    adobe = False
    profile: dict[int, bytes] = {}
    place = 2
    while True:
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        (length,) = struct.unpack_from(">H", data, place + 2)
        body = place + 4
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame = (marker, *struct.unpack_from(">BHHB", data, body))
        elif marker == 0xEE and data[body : body + 5] == b"Adobe":
            adobe = True
        elif marker == 0xE2 and data[body : body + 12] == b"ICC_PROFILE\0":
            profile[data[body + 12]] = data[body + 14 : place + 2 + length]
        elif marker == 0xDA:
            break
        elif marker == 0xD9:
            return None
        place += 2 + length
    if frame is None:
        return None
    kind, depth, height, width, channels = frame
    # Entropy-coded data cannot hold the end marker, so without it the file is cut short.
    whole = data.rfind(b"\xff\xd9", place) >= 0
    plain = kind in (0xC0, 0xC1, 0xC2) and channels in (1, 3) and height > 0 and whole
    icc = b"".join(profile[i] for i in sorted(profile))
    return Header(width, height, channels, depth, plain and not (adobe and channels != 3), icc)


def _png(data: bytes) -> Header | None:
    """Walk all chunks; one with a wrong checksum makes the file a matter for Pillow."""
    width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
    channels = {0: 1, 2: 3, 6: 4}.get(kind, 0)
    plain = data[12:16] == b"IHDR" and channels > 0 and depth in (8, 16)
    profile, place, name = b"", 8, b""
    while name != b"IEND":
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        name, body = data[place + 4 : place + 8], memoryview(data)[place + 8 : end]
        if (zlib.crc32(body, zlib.crc32(name)),) != struct.unpack_from(">I", data, end):
            plain = False
            break
        plain = plain and name not in (b"tRNS", b"eXIf", b"acTL")
        if name == b"iCCP":
            packed = bytes(body)
            packed = packed[packed.index(b"\0") + 2 :]
            profile = zlib.decompressobj().decompress(packed, _MOST_PROFILE)
        place = end + 4
    return Header(width, height, channels, depth, plain, profile)
