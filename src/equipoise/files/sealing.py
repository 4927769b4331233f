"""Whether files are still what was written: what is cut off, edited or swapped is found by digests.

A JSON file that is written again and again holds its own digest. The files of a folder that is
made once, such as a run's, have theirs in one more file, which is written last.
"""

import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from equipoise.errors import DamagedError, Remark, printable, reason
from equipoise.files.writing import plain, read_json, write_json

__all__ = ["SEALS", "damage", "forget_damaged", "is_sealed", "read_sealed", "seal", "write_sealed"]

# The file that holds the digests of a folder's files.
SEALS = "digests.json"
# The key of a JSON file's own digest.
_KEY = "digest_of_file"


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object with its own digest, whole or not at all."""
    fields = plain(value)
    write_json(path, {**fields, _KEY: _digest_of(fields)})


def read_sealed(path: Path, remedy: str = "") -> dict[str, Any]:
    """Return the object that `write_sealed` wrote.

    Raises
    ------
    DamagedError
        If it is another one by now, or cannot be read; with the remedy.
    """
    try:
        return _whole(path)
    except DamagedError as error:
        raise DamagedError(f"{error} {remedy}".strip()) from None


def _whole(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
    except OSError as error:
        raise DamagedError(f"{path} cannot be read: {reason(error)}.") from None
    if not isinstance(found, dict) or found.pop(_KEY, None) != _digest_of(found):
        raise DamagedError(f"{path} is damaged: it is not what was written there.")
    return found


def forget_damaged(path: Path, remedy: str) -> None:
    """Remove a file that is not what `write_sealed` wrote there, and say so and the remedy."""
    if path.is_file() or path.is_symlink():
        try:
            read_sealed(path)
        except DamagedError as error:
            warnings.warn(Remark(f"{error} {remedy}"), stacklevel=3)
            path.unlink()


def _digest_of(fields: Any) -> str:
    try:
        text = json.dumps(fields, sort_keys=True)
    except RecursionError:
        return ""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def seal(folder: Path, names: Iterable[str], of: str | None = None) -> None:
    """Write the digests of some files of a folder; those of others that are there are kept.

    Parameters
    ----------
    folder : Path
    names : iterable of str
    of : str, optional
        What the files are of, by which they are told from the same of another run. Given, the
        digests are begun anew.
    """
    before: dict[str, Any] = (
        {"of": of, "files": {}} if of is not None else read_sealed(folder / SEALS)
    )
    files = {**before["files"], **{name: _digest(folder / name) for name in names}}
    write_sealed(folder / SEALS, {**before, "files": files})


def is_sealed(folder: Path, name: str) -> bool:
    """Whether a file of a folder is what was written there."""
    try:
        wanted = read_sealed(folder / SEALS)["files"].get(name)
        return wanted is not None and _digest(folder / name) == wanted
    except DamagedError:
        return False


def damage(folder: Path, names: Iterable[str], of: str | None = None) -> str | None:
    """Return what is wrong with sealed files of a folder, for the end of a line, or None.

    Parameters
    ----------
    folder : Path
    names : iterable of str
        Of the files that are looked at, where they have been sealed.
    of : str, optional
        What they should be of.
    """
    try:
        found = read_sealed(folder / SEALS)
        if of is not None and found["of"] != of:
            return "its files are of another run"
        for name in names:
            if name in found["files"] and _digest(folder / name) != found["files"][name]:
                return f"{name} is not what was written"
    except DamagedError as error:
        return str(error).removeprefix(f"{folder}/").rstrip(".")
    return None


def _digest(path: Path) -> str:
    try:
        if not path.is_file():
            raise DamagedError(f"{path} is missing.")
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise DamagedError(f"{printable(path)} cannot be read: {reason(error)}.") from None
