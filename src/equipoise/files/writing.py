"""Writing files so that they are whole or absent."""

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from equipoise.errors import DamagedError, reason

__all__ = ["PART", "atomic", "plain", "read_json", "write_csv", "write_json", "write_text"]

# How the name of a file that is being written ends: the process that writes it, and this.
PART = ".part"


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there takes its name when whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        # The name that a user knows; of a full disk there is none.
        if error.filename in (None, str(part), part):
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file that is whole or absent; what is no UTF-8 in a name is escaped."""
    with atomic(path) as part:
        part.write_text(text, "utf-8", "backslashreplace")


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a UTF-8 .csv that is whole or absent."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)


def write_json(path: Path, value: Any) -> None:
    """Write JSON that is whole or absent; NaN and infinities, which JSON lacks, become null."""
    write_text(path, json.dumps(plain(value), indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a UTF-8 JSON file.

    Raises
    ------
    DamagedError
        If it holds no JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged: it holds no JSON ({reason(error)}).") from None


def plain(value: Any) -> Any:
    """Return a value as it comes back from JSON."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
