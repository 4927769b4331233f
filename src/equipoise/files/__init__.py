"""Files that are whole or absent, digests of what was written, and folders that are claimed."""

from equipoise.files.claiming import MARK, claim
from equipoise.files.sealing import (
    damage,
    is_sealed,
    read_sealed,
    seal,
    sealed_of,
    write_sealed,
)
from equipoise.files.writing import atomic, read_json, write_json, write_text
from equipoise.files.yamls import read_yaml

__all__ = [
    "MARK",
    "atomic",
    "claim",
    "damage",
    "is_sealed",
    "read_json",
    "read_sealed",
    "read_yaml",
    "seal",
    "sealed_of",
    "write_json",
    "write_sealed",
    "write_text",
]
