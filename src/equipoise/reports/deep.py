"""A deep audit as the page shows it: tables, pictures of what was found, and the map."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from equipoise.deep import DeepAudit
from equipoise.deep.pool import Pool
from equipoise.deep.twins import Twins
from equipoise.errors import plural
from equipoise.reports.thumbnails import sheet, thumbnail, uri

__all__ = ["Shown", "deep_view"]

_SIDE = 96
_SUSPECTS, _TWINS, _MEMBERS, _ODDITIES = 120, 24, 6, 48  # pictures on the page; the JSON names all
_OVERLAPS = 20

_PLANE, _PANEL, _TILE = 640, 200, 32  # of the map, in units of its drawing
# Okabe and Ito's colours, apart for every kind of colour vision; beyond eight classes hues.
_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f6fd1", "#8c6d31"]


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
        "found": found,
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
        "twins": [_strip(found.pool, one) for one in found.twins[:_TWINS]],
        "largest": max((len(one.images) for one in found.twins), default=0),
        "across": sum(len(set(one.splits)) > 1 for one in found.twins),
        "oddities": [
            _shown(found.pool, one.row, one.kind, f"{one.label} · {one.split}")
            for one in found.oddities[:_ODDITIES]
        ],
        "overlaps": found.overlaps[:_OVERLAPS],
        "map": _map(found),
        "legend": [
            (name, _colour(label, len(found.pool.classes)))
            for label, name in enumerate(found.pool.classes)
        ],
    }


def _shown(pool: Pool, row: int, head: str, words: str) -> Shown:
    return Shown(str(pool.names[row]), uri(thumbnail(pool.picture(row), _SIDE)), head, words)


def _strip(pool: Pool, twins: Twins) -> tuple[str, list[Shown]]:
    """Return what to tell of a group, and some of its pictures."""
    members = zip(twins.rows, twins.splits, twins.classes, strict=True)
    shown = [_shown(pool, row, label, split) for row, split, label in members][:_MEMBERS]
    splits = " and ".join(dict.fromkeys(twins.splits))
    told = f"{plural(len(twins.images), 'image')} in {splits}, likeness {twins.likeness:.2f}"
    return told, shown


def _map(found: DeepAudit) -> Markup:
    """Draw the map: a mark a picture, which shows it beside the map where it is pointed at."""
    pool, rows = found.pool, found.map.rows
    pictures, places = sheet((pool.picture(int(row)) for row in rows), _TILE, len(rows))
    height, width = pictures.shape[:2]
    marks = "".join(
        _mark(pool, int(row), place, tile)
        for row, place, tile in zip(rows, found.map.places, places, strict=True)
    )
    told = f"Map of {plural(len(rows), 'picture')} by {found.map.how}; tables say the same."
    return Markup(
        f'<svg class="map" role="img" aria-label="{escape(told)}" '
        f'viewBox="0 0 {_PLANE + _PANEL + 40} {_PLANE + 20}">'
        f'<defs><image id="sheet" width="{width}" height="{height}" href="{uri(pictures)}"/></defs>'
        f"{marks}</svg>"
    )


def _mark(pool: Pool, row: int, place: NDArray[np.float64], tile: tuple[int, int]) -> str:
    """Return one picture's mark; filled in training, a ring in test, a square in validation."""
    x, y = (10 + _PLANE * place).round(1)
    colour = _colour(int(pool.labels[row]), len(pool.classes))
    split, label = pool.splits[row], escape(pool.classes[pool.labels[row]])
    shape = {
        "train": f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>',
        "test": f'<circle cx="{x}" cy="{y}" r="3" fill="none" stroke="{colour}" '
        'stroke-width="1.5"/>',
        "validation": f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="none" '
        f'stroke="{colour}" stroke-width="1.5"/>',
    }[split]
    left = _PLANE + 30
    return (
        f"<g>{shape}<g><svg x='{left}' y='10' width='{_PANEL}' height='{_PANEL}' "
        f"viewBox='{tile[0]} {tile[1]} {_TILE} {_TILE}'><use href='#sheet'/></svg>"
        f"<text x='{left}' y='{_PANEL + 32}'>{label} · {split}</text></g>"
        f"<title>{escape(pool.names[row])}</title></g>"
    )


def _colour(label: int, classes: int) -> str:
    if classes <= len(_COLOURS):
        return _COLOURS[label]
    return f"hsl({360 * label / classes:.0f} {'65% 45%' if label % 2 else '80% 60%'})"
