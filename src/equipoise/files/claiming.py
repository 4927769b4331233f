"""Claiming an output folder: one run at a time, and a later one only where it is the same."""

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from equipoise.errors import DamagedError, InputError, WorkError, printable, reason
from equipoise.files.writing import PART, plain, read_json, write_json

__all__ = ["MARK", "claim"]

# The file that makes an output folder ours: what made it, from which data.
MARK = "equipoise.json"

GO_ON = "What is finished is whole; give the same command again to go on."

_LOCK = ".lock"
_PART = re.compile(rf"\..+\.(\d+){re.escape(PART)}")
# A link in its place is not followed, and a pipe is not waited for.
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LISTED = 4  # of what has changed in a mapping
_READ = "read with"


@contextmanager
def claim(
    folder: Path,
    kind: str,
    fingerprint: Mapping[str, Any],
    read_with: Mapping[str, str] | None = None,
) -> Iterator[bool]:
    """Hold an output folder for one run; give whether it goes on with an earlier one.

    What a killed run had begun to write there and not finished is removed.

    Parameters
    ----------
    folder : Path
        Absent, empty, or marked by an earlier run of the same kind and fingerprint.
    kind : str
        What is made there: "comparison", "upsampled data set", ….
    fingerprint : mapping
        What must be the same for an earlier run to be gone on with; plain JSON values. Its keys
        word the refusal: "made with another seed".
    read_with : mapping of str to str
        The options that the data were read with. Where the `data` of the fingerprint, a digest, are
        others, those of them that differ are named.

    Raises
    ------
    InputError
        If the folder holds something else, was made with another fingerprint, is in use by
        another run, or cannot be written to.
    WorkError
        In the place of an `OSError` of the run: a full disk, or a source that is gone.
    """
    mark = folder / MARK
    _check(folder, mark)
    fields = plain({"kind": kind, **fingerprint, **({_READ: read_with} if read_with else {})})
    with _locked(folder):
        resumed = mark.exists()
        if resumed:
            _compare(folder, _read(mark), fields)
        _sweep(folder)
        try:
            if not resumed:
                write_json(mark, fields)
            yield resumed
        except OSError as error:
            raise WorkError(f"{error.filename or folder}: {reason(error)}. {GO_ON}") from None


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
    return any(not (p.name == _LOCK or p.name.endswith(PART)) for p in folder.iterdir())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: {reason(error)}.") from None
    with _opened(folder / _LOCK) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder} is in use by another run. Wait for it to end.") from None
        except OSError as error:
            raise InputError(f"{folder} cannot be locked: {reason(error)}.") from None
        yield


def _opened(lock: Path) -> TextIO:
    """Open the file that is locked, and nothing else that may stand in its place."""
    try:
        file = os.open(lock, _OPEN, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError(f"{lock} is a link, which nothing is written to. Remove it.") from None
        raise InputError(f"{lock} cannot be written to: {reason(error)}.") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise InputError(f"{lock} is no ordinary file. Remove it, or name another folder.")
    return os.fdopen(file, "r+")


def _read(mark: Path) -> dict[str, Any]:
    remedy = "Name another folder."
    try:
        found = read_json(mark)
    except DamagedError as error:
        raise DamagedError(f"{error} {remedy}") from None
    except OSError as error:
        raise InputError(f"{mark} cannot be read: {reason(error)}. {remedy}") from None
    if not isinstance(found, dict):
        raise DamagedError(f"{mark} is damaged: it does not say what made the folder. {remedy}")
    return found


def _compare(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key in dict.fromkeys([*wanted, *found]):
        if key == _READ or found.get(key) == wanted.get(key):
            continue
        if key == "data":
            changed = _changed(found.get(_READ, {}), wanted.get(_READ, {}))
            words = f"from other data ({changed or 'its images or labels have changed'})"
        else:
            changed = _changed(found.get(key), wanted.get(key))
            words = f"with another {printable(key.replace('_', ' '))} ({changed})"
        raise InputError(f"{folder} was made {words}. Name another folder.")


def _changed(found: Any, wanted: Any) -> str:
    """What was and what is now; of mappings the entries that differ."""
    if not (isinstance(found, dict) and isinstance(wanted, dict)):
        return f"{_shown(found)}, now {_shown(wanted)}"
    keys = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
    entries = [f"{key}: {_entry(found, key)}, now {_entry(wanted, key)}" for key in keys]
    more = [f"and {len(keys) - _LISTED} more"] if len(keys) > _LISTED else []
    return "; ".join([printable(entry) for entry in entries[:_LISTED]] + more)


def _entry(fields: Mapping[str, Any], key: str) -> str:
    return _shown(fields[key]) if key in fields else "the default"


def _shown(value: Any) -> str:
    return "unset" if value is None else printable(repr(value), limit=60)


def _sweep(folder: Path) -> None:
    """Remove the parts of files that a killed run has left, wherever they are in the folder."""
    for place, _, names in os.walk(folder):
        for name in names:
            found = _PART.fullmatch(name)
            if found and not _lives(int(found[1])):
                Path(place, name).unlink(missing_ok=True)


def _lives(process: int) -> bool:
    """Whether a process of this machine may be writing still, such as one that makes a page."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return process != os.getpid()
