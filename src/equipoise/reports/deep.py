"""A deep audit as the page shows it: tables, and pictures of what was found."""

from dataclasses import dataclass
from typing import Any

from equipoise.deep import DeepAudit
from equipoise.deep.pool import Pool
from equipoise.reports.thumbnails import thumbnail, uri

__all__ = ["Shown", "deep_view"]

_SIDE = 96
_SUSPECTS = 120  # on the page; the list has all


@dataclass(frozen=True)
class Shown:
    """A picture of the data set with the words under it."""

    name: str
    uri: str
    head: str
    words: str


def deep_view(found: DeepAudit) -> dict[str, Any]:
    """Return a deep audit as the template shows it."""
    return {
        "notes": found.notes,
        "classes": found.classes,
        "suspects": [
            _shown(
                found.pool,
                one.row,
                f"{one.suggested}?",
                f"called {one.label} · {one.split} · {one.probability:.0%} {one.label}, "
                f"{one.suggested_probability:.0%} {one.suggested}",
            )
            for one in found.suspects[:_SUSPECTS]
        ],
        "suspects_in_all": len(found.suspects),
    }


def _shown(pool: Pool, row: int, head: str, words: str) -> Shown:
    return Shown(str(pool.names[row]), uri(thumbnail(pool.picture(row), _SIDE)), head, words)
