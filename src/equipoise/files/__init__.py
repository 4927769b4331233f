"""Files that are whole or absent, digests of what was written, and folders that are claimed."""

from equipoise.files.claiming import MARK, claim
from equipoise.files.sealing import (
    SEALS,
    damage,
    forget_damaged,
    is_sealed,
    read_sealed,
    seal,
    write_sealed,
)
from equipoise.files.writing import atomic, read_json, write_csv, write_json, write_text
from equipoise.files.yamls import read_yaml

__all__ = [
    "MARK",
    "SEALS",
    "atomic",
    "claim",
    "damage",
    "forget_damaged",
    "is_sealed",
    "read_json",
    "read_sealed",
    "read_yaml",
    "seal",
    "write_csv",
    "write_json",
    "write_sealed",
    "write_text",
]
