"""Writing files so that they are whole or absent, and claiming an output folder."""

import fcntl
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from equipoise.errors import InputError, printable

__all__ = ["MARK", "atomic", "claim", "read_json", "read_yaml", "write_json", "write_text"]

# The file that makes an output folder ours: what made it, from which data.
MARK = "equipoise.json"


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there takes its name when whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file that is whole or absent; what is no UTF-8 in a name is escaped."""
    with atomic(path) as part:
        part.write_text(text, "utf-8", "backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write JSON that is whole or absent; NaN and infinities, which JSON lacks, become null."""
    write_text(path, json.dumps(_finite(value), indent=1, ensure_ascii=False) + "\n")


def read_yaml(path: Path, like: str) -> dict[str, Any]:
    """Return the mapping that a YAML file of a user's holds.

    Raises
    ------
    InputError
        If it cannot be read or holds no mapping; `like` says what it should hold.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} must hold {like}.")
    return found


def read_json(path: Path) -> Any:
    """Read a UTF-8 JSON file."""
    return json.loads(path.read_text("utf-8"))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def claim(folder: Path, kind: str, fingerprint: dict[str, Any]) -> Iterator[bool]:
    """Hold an output folder for one run; give whether it goes on with an earlier one.

    Parameters
    ----------
    folder : Path
        Absent, empty, or marked by an earlier run of the same kind and fingerprint.
    kind : str
        What is made there: "comparison", "upsampled data set", ….
    fingerprint : dict
        What must be the same for an earlier run to be gone on with; plain JSON values.

    Raises
    ------
    InputError
        If the folder holds something else, was made with another fingerprint, is in use by
        another run, or cannot be written to.
    """
    mark = folder / MARK
    _check(folder, mark)
    fields = {"kind": kind, **json.loads(json.dumps(fingerprint))}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: {error.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{folder} is in use by another run. Wait for it to end.") from None
        resumed = mark.exists()
        if resumed:
            _compare(folder, read_json(mark), fields)
        else:
            write_json(mark, fields)
        yield resumed


def _check(folder: Path, mark: Path) -> None:
    try:
        str(folder).encode()
    except UnicodeEncodeError:  # which not every library can write to
        raise InputError(f"{printable(folder)} is no name in UTF-8; name another folder.") from None
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; an output folder is needed.")
    if folder.is_dir() and not mark.exists() and _foreign(folder):
        raise InputError(f"{folder} is not empty and not ours. Name a new or an empty folder.")


def _foreign(folder: Path) -> bool:
    # A lock and half-written parts are all that a run killed at its very start leaves.
    return any(not (p.name == ".lock" or p.name.endswith(".part")) for p in folder.iterdir())


def _compare(folder: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for key in wanted:
        if found.get(key) != wanted[key]:
            raise InputError(
                f"{folder} was made with another {key.replace('_', ' ')} "
                f"({found.get(key)!r}, now {wanted[key]!r}). Name another folder."
            )
