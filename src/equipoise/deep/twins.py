"""Pictures that are nearly one: another exposure, another crop, another coding.

Candidates are neighbours by their embeddings. They are confirmed in the pixels: one picture is
looked for in the other at several sizes, the best place is refined by an affine alignment (G. D.
Evangelidis and E. Z. Psarakis, "Parametric image alignment using enhanced correlation coefficient
maximization", PAMI 30, 2008), and the details of both must agree there. Groups are linked
completely: every two pictures of one are confirmed, so that a film does not chain into one group.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from equipoise.deep.pool import Pool
from equipoise.files import write_csv
from equipoise.mapped import filled
from equipoise.parallel import threaded
from equipoise.readers.sizing import resize, to_channels

__all__ = ["Twins", "TwinsFound", "find_twins", "likeness", "write_groups"]

CONFIRMED = 0.9  # correlation of the details

_NEIGHBOURS = 5  # of each picture are candidates
_NEAR = 0.4  # cosine of candidates' embeddings, the mean of all taken away
_MOST_PAIRS = 20_000  # confirmed, those with the nearest embeddings; each takes some milliseconds
_CHUNK = 32

_COARSE, _FINE = 48, 96  # pixels a side
_SCALES = (1.0, 0.9, 0.8, 0.7)  # share of the other picture's height and width that one shows
_FLOOR = 0.75  # correlation at the best place below which no alignment is tried
_COVERED = 0.5  # of the smaller view that must lie in the other
_DETAIL = 8.0  # pixels: what is larger is light, and no detail
_SMOOTHED = 3  # pixels, before aligning
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-3)

Grey = NDArray[np.float32]


@dataclass(frozen=True)
class Twins:
    """Pictures that are nearly one: names, splits, classes.

    `likeness` is the least correlation of the details of any two of them, exact duplicates apart.
    """

    images: tuple[str, ...]
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    likeness: float
    rows: tuple[int, ...]


@dataclass(frozen=True)
class TwinsFound:
    """The groups of a data set.

    Attributes
    ----------
    twins : tuple of Twins
        The groups, those in more than one split first, then the largest.
    column : (N,) str
        The name of each picture's group; empty where it has no twin.
    unconfirmed : int
        Candidates that were too many to look at.
    """

    twins: tuple[Twins, ...]
    column: NDArray[np.str_]
    unconfirmed: int


def find_twins(
    pool: Pool, tell: Callable[[int, int], None] = lambda done, total: None
) -> TwinsFound:
    """Return the groups of pictures that are nearly one; exact duplicates count as one picture."""
    _, first, picture = np.unique(pool.digests, return_index=True, return_inverse=True)
    picture = picture.ravel()
    greys = filled((len(first), _FINE, _FINE), lambda a, b: _greys(pool, first[a:b]))
    pairs = _candidates(pool.embeddings[first])
    told = pairs[:_MOST_PAIRS]

    def look(one: int, other: int) -> float:
        return likeness(greys[one], greys[other])

    found: list[float] = []
    for part in threaded(lambda rows: [look(*told[row]) for row in rows], len(told), _CHUNK):
        found += part
        tell(len(found), len(told))
    known = dict(zip(map(tuple, told.tolist()), found, strict=True))
    groups = _linked(known, look)
    return _told(pool, picture, groups, known, len(pairs) - len(told))


def _candidates(embeddings: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return pairs of neighbours, the nearest first."""
    if len(embeddings) < 2:
        return np.empty((0, 2), np.intp)
    centred = embeddings - embeddings.mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    wanted = min(_NEIGHBOURS + 1, len(centred))
    search = NearestNeighbors(n_neighbors=wanted, metric="cosine", algorithm="brute").fit(centred)
    distance, neighbour = search.kneighbors(centred)
    one = np.repeat(np.arange(len(centred)), wanted)
    other, distance = neighbour.ravel(), distance.ravel()
    near = (one != other) & (distance <= 1 - _NEAR)
    pairs = np.sort(np.stack([one[near], other[near]], axis=1), axis=1)
    pairs, place = np.unique(pairs, axis=0, return_index=True)
    return pairs[np.argsort(distance[near][place], kind="stable")]


def _greys(pool: Pool, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    found = np.empty((len(rows), _FINE, _FINE), np.uint8)

    def chunk(places: range) -> None:
        for place in places:
            found[place] = _grey(pool.picture(int(rows[place])))

    for _ in threaded(chunk, len(rows), _CHUNK):
        pass
    return found


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return to_channels(resize(picture, _FINE), 1)[..., 0]


def likeness(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return how well the details of two grey pictures agree where they show the same.

    Parameters
    ----------
    one, other : (96, 96) uint8

    Returns
    -------
    float
        A correlation; 0 where neither shows a part of the other.
    """
    fine = one.astype(np.float32), other.astype(np.float32)
    first, second = (_scaled(picture, _COARSE, _COARSE) for picture in fine)
    best = max((*_placed(first, second), 0), (*_placed(second, first), 1))
    correlation, warp, turned = best
    if correlation < _FLOOR:
        return 0.0
    whole, part = fine[::-1] if turned else fine
    matrix = np.array(warp, np.float32).reshape(2, 3)
    everywhere = np.full(part.shape, 255, np.uint8)
    with suppress(cv2.error):  # it does not converge on what is not alike
        found = cv2.findTransformECC(
            part, whole, matrix, cv2.MOTION_AFFINE, _STEPS, everywhere, _SMOOTHED
        )
        matrix = np.asarray(found[1], np.float32)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = np.asarray(
        cv2.warpAffine(whole, matrix, (_FINE, _FINE), flags=how, borderMode=cv2.BORDER_REPLICATE),
        np.float32,
    )
    there = cv2.warpAffine(np.ones_like(whole), matrix, (_FINE, _FINE), flags=how) > 0.99
    if there.mean() < _COVERED:
        return 0.0
    return _correlation(_details(seen)[there], _details(part)[there])


def _placed(whole: Grey, part: Grey) -> tuple[float, tuple[float, ...]]:
    """Return how well the best place for one picture in another fits, and the map to it."""
    best, warp = -1.0, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    zoom = _FINE / _COARSE
    for height in _SCALES:
        for width in _SCALES:
            window = _scaled(part, round(width * _COARSE), round(height * _COARSE))
            _, found, _, (left, top) = cv2.minMaxLoc(
                cv2.matchTemplate(whole, window, cv2.TM_CCOEFF_NORMED)
            )
            if best < found <= 1.001:  # an even picture correlates with everything
                best, warp = found, (width, 0.0, left * zoom, 0.0, height, top * zoom)
    return best, warp


def _scaled(picture: Grey, width: int, height: int) -> Grey:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), "f4")


def _details(picture: Grey) -> Grey:
    return picture - np.asarray(cv2.GaussianBlur(picture, (0, 0), _DETAIL), np.float32)


def _correlation(one: Grey, other: Grey) -> float:
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / norm if norm > 1e-3 * one.size else 0.0


def _linked(
    known: dict[tuple[int, int], float], look: Callable[[int, int], float]
) -> list[list[int]]:
    """Return groups of which every two members are confirmed; what is not known yet is looked at.

    The likeliest pairs are joined first.
    """
    group: dict[int, list[int]] = {}
    order = sorted((pair for pair in known if known[pair] >= CONFIRMED), key=lambda p: -known[p])
    for one, other in order:
        mine, theirs = group.get(one, [one]), group.get(other, [other])
        if mine is theirs:
            continue
        crossing = [(min(a, b), max(a, b)) for a in mine for b in theirs]
        if all(_confirmed(pair, known, look) for pair in crossing):
            joined = mine + theirs
            group.update(dict.fromkeys(joined, joined))
    return list({id(members): sorted(members) for members in group.values()}.values())


def _confirmed(
    pair: tuple[int, int],
    known: dict[tuple[int, int], float],
    look: Callable[[int, int], float],
) -> bool:
    if pair not in known:
        known[pair] = look(*pair)
    return known[pair] >= CONFIRMED


def _told(
    pool: Pool,
    picture: NDArray[np.intp],
    groups: list[list[int]],
    known: dict[tuple[int, int], float],
    unconfirmed: int,
) -> TwinsFound:
    number = np.full(int(picture.max(initial=-1)) + 1, -1)
    for k, members in enumerate(groups):
        number[members] = k
    column = np.full(len(pool), "", object)
    twins = []
    of = number[picture]
    for k, members in enumerate(groups):
        rows = np.flatnonzero(of == k)
        column[rows] = str(pool.names[rows[0]])
        pairs = [(a, b) for a in members for b in members if a < b]
        twins.append(
            Twins(
                images=tuple(pool.names[rows].tolist()),
                splits=tuple(pool.splits[rows].tolist()),
                classes=tuple(pool.classes[label] for label in pool.labels[rows]),
                likeness=round(min(known[pair] for pair in pairs), 4),
                rows=tuple(rows.tolist()),
            )
        )
    twins.sort(key=lambda one: (len(set(one.splits)) < 2, -len(one.images), one.rows))
    return TwinsFound(tuple(twins), column.astype(np.str_), unconfirmed)


def write_groups(path: Path, twins: Sequence[Twins]) -> None:
    """Write the list that `--groups` takes."""
    rows = ((name, one.images[0]) for one in twins for name in one.images)
    write_csv(path, ("image", "group"), rows)
