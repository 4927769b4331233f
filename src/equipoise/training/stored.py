"""Tensors and plain values as bytes, and back: nothing in a file is executed or unfolded."""

import io
import zipfile
from pathlib import Path
from typing import Any

import torch

from equipoise.errors import DamagedError

__all__ = ["packed", "read_bytes", "unpacked"]


def packed(fields: dict[str, Any]) -> bytes:
    """Return what `unpacked` reads.

    Not straight to a file: torch would write the file's name into it, and words a full disk as a
    fault of its own.
    """
    file = io.BytesIO()
    torch.save(fields, file)
    return file.getvalue()


def unpacked(data: bytes) -> dict[str, Any]:
    """Return the fields that `packed` made into bytes, on the CPU.

    Raises
    ------
    DamagedError
        If the bytes are something else.
    """
    try:
        _check_stored(data)
        fields = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except DamagedError:
        raise
    except Exception:
        # What torch raises for a file that is none of its own differs from version to version.
        raise DamagedError("it holds no tensors that torch wrote") from None
    if not isinstance(fields, dict):
        raise DamagedError("it holds no fields")
    return fields


def _check_stored(data: bytes) -> None:
    """Refuse an archive whose members are larger than they look: torch compresses none."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    if not stored or sum(member.file_size for member in members) > len(data):
        raise DamagedError("its members are compressed")


def read_bytes(path: Path) -> bytes:
    """Return what a file holds; of a pipe, which would be waited for, an error."""
    if path.exists() and not path.is_file():
        raise FileNotFoundError(2, "no ordinary file", str(path))
    return path.read_bytes()
