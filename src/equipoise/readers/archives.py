"""Archives of class folders, or of WebDataset's samples: .zip, .tar, .tar.gz and .tgz.

Nothing is unpacked to disk, so no path in an archive can lead anywhere; what tries is refused by
name all the same. A member of a .zip or .tar is read by its place in the file, from any thread. A
.tar.gz can only be read from its start, so its images are held in memory, as encoded as they are.
"""

import gzip
import json
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from equipoise.errors import InputError, reason
from equipoise.files import MARK
from equipoise.readers import cifar
from equipoise.readers.decoding import too_large
from equipoise.readers.folder import has_shards, shards
from equipoise.readers.layout import Listing, hidden, is_image_name, lay_out
from equipoise.readers.manifests import COMMENT, MANIFEST
from equipoise.readers.split_names import split_named
from equipoise.readers.table import Stamp, Table, stamp
from equipoise.readers.texts import as_text
from equipoise.readers.webdataset import (
    MOST_LABEL,
    are_samples,
    is_class_name,
    is_label_name,
    lay_out_samples,
)
from equipoise.selection import Selection

__all__ = ["is_shards", "read_shards", "read_tar", "read_tar_gz", "read_zip"]

_MOST_HELD = 2**32  # bytes of encoded images of a .tar.gz
_LONGEST_NAME = 1024
_MOST_HEADER = 2**20  # bytes of a tar's header for a long name
_LARGEST = 2**62  # bytes of a member, which may be skipped
_SMALL = 1024  # bytes
_SUMMARY = "summary.json"  # our writer's, which tells the names of the classes
_MOST_SUMMARY = 1 << 24  # bytes
_MOST_PACKED = 1032  # to one: more, deflate cannot
_LONG_HEADERS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)

ZipPlace = tuple[int, int, int, int, int]  # of the header; packed and full size; method; checksum
TarPlace = tuple[int, int]  # of the data; its size
ShardPlace = tuple[int, int, int]  # number of the shard; place and size in it


def read_zip(path: Path, selection: Selection = Selection()) -> Table:
    """List a .zip of class folders."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, struct.error) as e:
        raise _damaged(path, e) from None
    listing, whole = Listing(), path.stat().st_size
    for member in members:
        refusal = _zip_refusal(member, selection.most_bytes, whole)
        parts = member.filename.replace("\\", "/")
        if name := _taken(listing, parts, folder=member.filename.endswith("/"), refusal=refusal):
            listing.found[name] = (
                member.header_offset,
                member.compress_size,
                member.file_size,
                member.compress_type,
                member.CRC,
            )
    return _laid_out(listing, partial(_zip_fetch, str(path)), path)


def read_tar(path: Path, selection: Selection = Selection()) -> Table:
    """List a .tar of class folders, or of samples."""
    listing = _list_tar(path, selection.most_bytes)
    return _laid_out(listing, partial(_tar_fetch, str(path)), path)


def _list_tar(path: Path, most_bytes: int) -> Listing:
    """Return what is in a .tar."""
    listing, limits = Listing(), _Limits(most_bytes, path.stat().st_size)
    try:
        with tarfile.open(path, "r:", tarinfo=_StrictInfo) as archive:
            for name, member in _members(archive, listing, limits):
                listing.found[name] = (member.offset_data, member.size)
            listing.upsampled = _upsampled(archive, path)
            end = archive.offset
    except (tarfile.TarError, ValueError) as error:
        raise _damaged(path, error) from None
    if _goes_on(path, end):
        raise InputError(
            f"{path}: more lies behind its end, as where two archives are put together in one "
            "file. Give each by itself, or pack them anew."
        )
    return listing


def _goes_on(path: Path, end: int) -> bool:
    """Whether anything but zeros lies behind the end of a tar."""
    with path.open("rb") as file:
        file.seek(end)
        return any(block.strip(b"\0") for block in iter(partial(file.read, 2**20), b""))


def _upsampled(archive: tarfile.TarFile, path: Path) -> str:
    """Return the path where a tar, read to its end, says of itself that `upsample` wrote it."""
    return str(path) if archive.pax_headers.get("comment") == COMMENT else ""


def read_tar_gz(path: Path, selection: Selection = Selection()) -> Table:
    """Read a .tar.gz of class folders or samples, or the CIFAR-10 archive, from its start.

    Of classes that are not wanted only the names are kept.
    """
    listing, held = Listing(), 0
    limits = _Limits(selection.most_bytes, _MOST_PACKED * path.stat().st_size)
    try:
        with (
            gzip.open(path) as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictInfo) as archive,
        ):
            for name, member in _members(archive, listing, limits):
                if not listing.found and cifar.is_batch_name(name):
                    return cifar.read_stream(path)
                # Folders are no classes then.
                if is_class_name(name) and selection.classes is not None:
                    return read_tar_gz(path, replace(selection, classes=None))
                if not _is_kept(name, member.size, selection.classes):
                    listing.found[name] = b""
                    continue
                listing.found[name] = cast(BinaryIO, archive.extractfile(member)).read()
                if (held := held + member.size) > _MOST_HELD:
                    raise _too_much(path)
            listing.upsampled = _upsampled(archive, path)
            while stream.read(2**20):  # to its end, where the checksum is
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _damaged(path, error) from None
    return _laid_out(listing, bytes, path)


def is_shards(folder: Path) -> bool:
    """Whether a folder is a data set of tar shards."""
    return has_shards(folder, ".tar")


def read_shards(path: Path, selection: Selection = Selection()) -> Table:
    """List the samples of a folder of .tar shards; a shard's name tells its split."""
    listed = shards(path, ".tar", follow_links=selection.follow_links)
    files = [name for name, _ in listed]
    whole = Listing()
    for number, file in enumerate(files):
        one = _list_tar(path / file, selection.most_bytes)
        whole.found |= {f"{file}/{name}": (number, *place) for name, place in one.found.items()}
        whole.refused |= {f"{file}/{name}": why for name, why in one.refused.items()}
        whole.doubled += [f"{file}/{name}" for name in one.doubled]
        whole.upsampled = one.upsampled or whole.upsampled
    if not are_samples([name[len(files[at[0]]) + 1 :] for name, at in whole.found.items()]):
        raise InputError(
            f"{path}: its .tar files hold no samples (KEY.jpg and KEY.cls). Give one archive of "
            "class folders, or a folder that holds them unpacked."
        )
    places = tuple(str(path / file) for file in files)
    splits = [split for _, split in listed]
    return lay_out_samples(
        whole,
        partial(_shard_fetch, places),
        str(path),
        lambda name: splits[whole.found[name][0]],
        _class_names(path / _SUMMARY),
    )


def _shard_fetch(paths: tuple[str, ...], place: ShardPlace) -> bytes:
    number, offset, size = place
    return _tar_fetch(paths[number], (offset, size))


def _class_names(path: Path) -> list[str] | None:
    """Return the names of the class numbers where our writer left them."""
    try:
        if not path.is_file() or path.stat().st_size > _MOST_SUMMARY:
            return None
        names = json.loads(path.read_text("utf-8"))["classes"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    whole = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    return names if whole and len(set(names)) == len(names) else None


def _laid_out(listing: Listing, fetch: Callable[[Any], bytes], path: Path) -> Table:
    if are_samples(listing.found):
        return lay_out_samples(listing, fetch, str(path), _split_above)
    return lay_out(listing, fetch, str(path))


def _split_above(name: str) -> str:
    """Return the split that a folder of a path names."""
    named = (split_named(folder) for folder in name.split("/")[:-1])
    return next((split for split in named if split), "train")


class _StrictInfo(tarfile.TarInfo):
    """Headers of a tar, distrusted.

    A damaged or missing one is an error, where tarfile alone takes it for the end. A long name is
    read into memory, so its length is bounded, and so is that of a member: behind a negative one
    the same header would be found for ever.
    """

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "_StrictInfo":
        try:
            return _of_some_size(super().fromtarfile(tarfile_))
        except RecursionError:  # long names and other headers of headers, each by a call
            raise tarfile.ReadError(
                f"headers nested too deep at byte {tarfile_.offset:,}"
            ) from None
        except tarfile.HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":  # the mark that ends every archive
                raise
            raise tarfile.ReadError(f"{error} at byte {tarfile_.offset:,}") from None

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_StrictInfo":
        found = _of_some_size(super().frombuf(buf, encoding, errors))
        if found.type in _LONG_HEADERS and found.size > _MOST_HEADER:
            raise tarfile.ReadError(f"a header of {found.size:,} bytes")
        return found


def _of_some_size(member: _StrictInfo) -> _StrictInfo:
    if not 0 <= member.size <= _LARGEST:
        raise tarfile.ReadError(f"a member of {member.size:,} bytes")
    return member


def _taken(listing: Listing, path: str, *, folder: bool, refusal: str) -> str:
    """Return the name of a member whose place is to be put down; empty for all others."""
    name, unsafe = _tidy(path), _unsafe(path)
    if not name or _hidden(name):
        return ""
    if folder:
        listing.folders += [] if unsafe else [name]
        return ""
    if unsafe or refusal:
        listing.refused[name] = unsafe or refusal
        return ""
    listing.refused.pop(name, None)
    if name in listing.found:
        listing.doubled.append(name)
    return name


class _Limits(NamedTuple):
    """Bytes of a member that is read, and of one that can be there at all."""

    read: int
    there: int


def _members(
    archive: tarfile.TarFile, listing: Listing, limits: _Limits
) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Yield the regular files of a tar, putting down what is refused, and the folders."""
    while (member := archive.next()) is not None:
        if member.size > limits.there:  # tarfile would go through as many blocks of nothing
            raise tarfile.ReadError(f"a member of {member.size:,} bytes")
        archive.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
        refusal = _tar_refusal(member, limits.read)
        if name := _taken(listing, member.name, folder=member.isdir(), refusal=refusal):
            yield name, member


def _tar_refusal(member: tarfile.TarInfo, most_bytes: int) -> str:
    if member.issym() or member.islnk():
        return "link in an archive"
    if not member.isreg() or member.issparse():
        return "neither a file nor a folder"
    return too_large(member.size, most_bytes)


def _zip_refusal(member: zipfile.ZipInfo, most_bytes: int, whole: int) -> str:
    kind = member.external_attr >> 16 & 0o170000
    if kind == 0o120000:
        return "link in an archive"
    if kind not in (0, 0o100000):
        return "neither a file nor a folder"
    if member.flag_bits & 0x1:
        return "encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "compressed in an uncommon way; pack it with deflate"
    if not 0 <= member.header_offset <= whole - member.compress_size:
        return "damaged: its header promises more than the archive holds"
    if member.compress_size > 2 * member.file_size + _SMALL:
        return "damaged: packed it is larger than unpacked"
    return too_large(member.file_size, most_bytes)


def _unsafe(name: str) -> str:
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or (len(name) > 1 and name[1] == ":"):
        return "path that leaves the archive"
    return "path of more than 1,024 characters" if len(name) > _LONGEST_NAME else ""


def _tidy(name: str) -> str:
    """Return a member's path without empty and ``.`` parts."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _hidden(name: str) -> bool:
    return any(hidden(part) for part in name.split("/") if part != "..")


def _is_kept(name: str, size: int, wanted: Collection[str] | None) -> bool:
    """Whether a file's bytes may be needed: an image of a class wanted or none, a label or ours."""
    folders = name.split("/")[:-1]
    if is_image_name(name):
        return wanted is None or not folders or any(as_text(part) in wanted for part in folders)
    if name.endswith((MANIFEST, MARK)):
        return True
    return is_label_name(name) and size <= MOST_LABEL


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: damaged, or not what its name says ({reason(error)}).")


def _too_much(path: Path) -> InputError:
    return InputError(
        f"{path}: holds more than {_MOST_HELD >> 30} GiB of images, and a .gz must be held in "
        "memory as it can only be read from its start. Use gunzip: a .tar is read in place."
    )


@lru_cache(maxsize=8)
def _opened(path: str, _: Stamp) -> BinaryIO:
    """Keep an archive open; a pickled reader opens it anew in its own process."""
    return open(path, "rb")  # noqa: PTH123


def _at(path: str, offset: int, size: int) -> bytes:
    archive = _opened(path, stamp(path))  # held by this name, or another thread could close it
    data = os.pread(archive.fileno(), size, offset)
    if len(data) < size:
        raise OSError("the archive is cut short")
    return data


def _tar_fetch(path: str, place: TarPlace) -> bytes:
    """Return the bytes at a place of a .tar."""
    return _at(path, *place)


def _zip_fetch(path: str, place: ZipPlace) -> bytes:
    header, packed, size, method, checksum = place
    local = _at(path, header, 30)
    if local[:4] != b"PK\3\4":
        raise OSError("damaged archive member")
    name_length, extra_length = struct.unpack_from("<HH", local, 26)
    data = _at(path, header + 30 + name_length + extra_length, packed)
    if method == zipfile.ZIP_DEFLATED:
        try:
            data = zlib.decompressobj(-15).decompress(data, size + 1)
        except zlib.error as error:
            raise OSError(f"damaged archive member ({error})") from None
    if len(data) != size or zlib.crc32(data) != checksum:
        raise OSError("damaged archive member (wrong size or checksum)")
    return data
