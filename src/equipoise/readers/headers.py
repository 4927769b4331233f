"""JPEG, PNG and TIFF headers: enough to know what a file is before anything is decoded.

OpenCV is several times as fast as Pillow on common files, but shows uncommon ones wrongly (it knows
no colour profiles, CMYK or palettes with transparency). So the header decides who decodes. It also
tells of files made to keep a decoder busy.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

__all__ = ["MOST_SCANS", "Header", "orientation", "read_header", "tiff_parts"]

_MOST_PROFILE = 2**22  # bytes; a colour profile in a PNG is compressed and could be a bomb
# Each scan of a JPEG passes over the whole picture, however few bytes it has. Encoders write ten,
# those that search for the best order some twenty.
MOST_SCANS = 40

_COMMON = 2**11  # bytes before a JPEG's first scan that may be the same in other files, too

_PNG = b"\x89PNG\r\n\x1a\n"
# What of a PNG makes the picture; all else is for others, or packed, and takes time to unpack.
_SHOWN = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf"))
_SLACK = 2**16  # bytes that a PNG's pixels may take packed beyond their own number

# A marker that opens a segment, or ends the file: libjpeg skips what stands before it.
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")
_NO_SEGMENT = frozenset((0x00, 0x01, 0xFF, *range(0xD0, 0xD9)))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ONE_PASS = (0xC0, 0xC1, 0xC9)  # sequential frames
# Byte order, and whether places have 64 bits.
_TIFFS = {
    b"II*\0": ("<", False),
    b"MM\0*": (">", False),
    b"II+\0": ("<", True),
    b"MM\0+": (">", True),
}


class Header(NamedTuple):
    """What a file says of itself.

    Attributes
    ----------
    width, height : int
        Pixels, before any rotation.
    channels, depth : int
        Channels 1 (grey), 3 (colour) or 4 (colour and alpha), 0 for others; bits a channel.
    plain : bool
        Whether nothing but a colour profile or an EXIF rotation that OpenCV knows stands between
        the stored pixels and the picture.
    profile : bytes
        The embedded ICC profile, or nothing.
    straight : bool
        Whether it is a JPEG without an EXIF rotation.
    scans : int
        Of a JPEG; counted up to one more than `MOST_SCANS`.
    data : bytes
        The file, of a PNG without what does not show.
    """

    width: int
    height: int
    channels: int
    depth: int
    plain: bool
    profile: bytes
    straight: bool
    scans: int
    data: bytes


def read_header(data: bytes) -> Header | None:
    """Return the header of a JPEG or PNG file; None for other files and for broken headers."""
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
        if data[:8] == _PNG:
            return _png(data)
    except (struct.error, IndexError, ValueError, zlib.error):
        pass
    return None


def _jpeg(data: bytes) -> Header | None:
    """Read what stands before the first scan, which files of one encoder have in common."""
    scan = data.find(b"\xff\xda", 2, _COMMON)
    found = (_before_scan(data[: scan + 2]) if scan > 0 else None) or _walked(data)
    if found is None:
        return None
    kind, depth, height, width, channels, adobe, icc, straight, place = found
    once = kind in _ONE_PASS and data[place] == channels
    # Entropy-coded data cannot hold the end marker, so without it the file is cut short.
    whole = data.rfind(b"\xff\xd9", place) >= 0
    plain = kind in (0xC0, 0xC1, 0xC2) and channels in (1, 3) and height > 0 and whole
    plain = plain and not (adobe and channels != 3)
    scans = 1 if once else _scans(data, place)
    return Header(width, height, channels, depth, plain, icc, straight, scans, data)


class _Frame(NamedTuple):
    """What the segments of a JPEG say; `place` is where the body of its first scan's begins."""

    kind: int
    depth: int
    height: int
    width: int
    channels: int
    adobe: bool
    profile: bytes
    straight: bool
    place: int


def _walked(data: bytes) -> _Frame | None:
    """Walk the segments up to the first scan's."""
    frame: tuple[int, int, int, int, int] | None = None
    adobe, straight = False, True
    profile: dict[int, bytes] = {}
    for marker, body, end in _segments(data, 2):
        if marker in _FRAMES:
            frame = (marker, *struct.unpack_from(">BHHB", data, body))
        elif marker == 0xEE and data[body : body + 5] == b"Adobe":
            adobe = True
        elif marker == 0xE2 and data[body : body + 12] == b"ICC_PROFILE\0":
            profile[data[body + 12]] = data[body + 14 : end]
        elif marker == 0xE1 and data[body : body + 4] == b"Exif":
            straight = straight and not _turns(data[body:end])
        elif marker == 0xDA:
            icc = b"".join(profile[i] for i in sorted(profile))
            return frame and _Frame(*frame, adobe, icc, straight, body)
    return None


@lru_cache(maxsize=64)
def _before_scan(data: bytes) -> _Frame | None:
    """Return what a file says that begins so; None where it does not end with the scan's marker."""
    try:
        found = _walked(data + bytes(2))
    except (struct.error, IndexError):
        return None
    return found if found and found.place == len(data) + 2 else None


def _scans(data: bytes, place: int) -> int:
    """Return how many scans there are at most, counting from the first one's segment."""
    if (most := 1 + data.count(b"\xff\xda", place)) <= MOST_SCANS:
        return most
    # The bytes may stand in what follows the picture, or in another segment.
    scans = (1 for marker, _, _ in _segments(data, place) if marker == 0xDA)
    return 1 + sum(islice(scans, MOST_SCANS))


def _segments(data: bytes, place: int) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, start and end of each segment of a JPEG, up to its end, as libjpeg does."""
    while True:
        if data[place] != 0xFF or data[place + 1] in _NO_SEGMENT:
            found = _MARKER.search(data, place)
            if found is None:
                return
            place = found.start()
        marker = data[place + 1]
        if marker == 0xD9:
            return
        end = place + 2 + max(2, data[place + 2] << 8 | data[place + 3])
        yield marker, place + 4, end
        place = end


def _png(data: bytes) -> Header:
    """Walk all chunks; one with a wrong checksum makes the file a matter for Pillow."""
    width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
    channels = {0: 1, 2: 3, 6: 4}.get(kind, 0)
    plain = data[12:16] == b"IHDR" and channels > 0 and depth in (8, 16)
    view, kept = memoryview(data), [memoryview(_PNG)]
    profile, place, name, packed = b"", 8, b"", 0
    while name != b"IEND":
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        name, body = data[place + 4 : place + 8], view[place + 8 : end]
        if (zlib.crc32(body, zlib.crc32(name)),) != struct.unpack_from(">I", data, end):
            return Header(width, height, channels, depth, False, profile, False, 0, data)
        plain = plain and name not in (b"tRNS", b"eXIf")
        if name in _SHOWN:
            kept.append(view[place : end + 4])
        if name == b"IDAT":
            packed += length
        elif name == b"iCCP":
            profile = _unpacked(bytes(body))
        place = end + 4
    # OpenCV unpacks all that there is; Pillow only what the pixels take.
    pixels = height * (width * channels * depth // 8 + 1)
    plain = plain and packed <= pixels + _SLACK
    shown = data if sum(map(len, kept)) == len(data) else b"".join(kept)
    return Header(width, height, channels, depth, plain, profile, False, 0, shown)


def _unpacked(chunk: bytes) -> bytes:
    """Return the profile that a chunk of a PNG holds, or nothing where it is broken or large."""
    try:
        unpacker = zlib.decompressobj()
        found = unpacker.decompress(chunk[chunk.index(b"\0") + 2 :], _MOST_PROFILE)
    except (ValueError, zlib.error):
        return b""
    return found if unpacker.eof else b""


def orientation(exif: bytes) -> int:
    """Return the EXIF orientation, 1 to 8: how a picture is turned; 1, not at all."""
    exif = exif.removeprefix(b"Exif\0\0")
    for tag, kind, count, value in _entries(exif):
        if (tag, kind, count) == (0x112, 3, 1):
            found = int.from_bytes(value[:2], "little" if exif[:1] == b"I" else "big")
            return found if 1 <= found <= 8 else 1
    return 1


def _turns(exif: bytes) -> bool:
    """Whether any orientation stands in an EXIF block, however it is written."""
    return any(entry[0] == 0x112 for entry in _entries(exif.removeprefix(b"Exif\0\0")))


def tiff_parts(data: bytes) -> int:
    """Return how many strips or tiles the first picture of a TIFF claims to have; 0 for others."""
    return max((count for tag, _, count, _ in _entries(data) if tag in (273, 324)), default=0)


def _entries(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield tag, type, count and value of each entry of the first directory of a TIFF or EXIF."""
    mark, big = _TIFFS.get(data[:4], ("", False))
    if not mark:
        return
    start, number, entry = ("8xQ", "Q", "HHQ8s") if big else ("4xI", "H", "HHI4s")
    try:
        (first,) = struct.unpack_from(mark + start, data)
        (count,) = struct.unpack_from(mark + number, data, first)
        first += struct.calcsize(mark + number)
        for place in range(count):
            yield struct.unpack_from(
                mark + entry, data, first + place * struct.calcsize(mark + entry)
            )
    except (struct.error, OverflowError):  # cut short
        return
