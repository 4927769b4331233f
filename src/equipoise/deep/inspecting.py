"""`audit_deep`: what is wrong with a data set that only shows in what its pictures look like."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from equipoise.deep.facts import look_at
from equipoise.deep.forecast import Forecast, foresee
from equipoise.deep.oddities import Oddity, find_oddities
from equipoise.deep.pool import Pool, pooled
from equipoise.deep.probing import FOLDS, Overlap, find_overlaps, probe, recalls_of
from equipoise.deep.shortcuts import Shortcuts, find_shortcuts
from equipoise.deep.suspects import ClassSuspects, Suspect, find_suspects
from equipoise.deep.twins import Twins, find_twins
from equipoise.errors import InputError, plural, printable, whole_seed
from equipoise.images import Splits
from equipoise.readers.splitting import units

__all__ = ["DeepAudit", "audit_deep"]

_PLACES = ("row", "rows")  # in the pool: of no use outside
_NAMED = 10  # classes in a line
_TEST_FRACTION = 0.2  # what is cut for testing where no test split is


# Of the map. More pictures are neither seen apart nor placed in a minute; among fewer,
# neighbourhoods mean little.
_MOST_MAPPED, _FEW_MAPPED = 2500, 50
_COMPONENTS = 50
_PERPLEXITY = 30


@dataclass(frozen=True)
class Map:
    """Places in the plane.

    Attributes
    ----------
    rows : (M,) int
        The pictures, ascending; of large classes some, drawn by lot.
    places : (M, 2) float
        From 0 to 1.
    how : {'t-SNE', 'PCA'}
        L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR 9, 2008; of few
        pictures the first two principal components.
    """

    rows: NDArray[np.intp]
    places: NDArray[np.float64]
    how: str


@dataclass(frozen=True)
class DeepAudit:
    """What a deep audit found.

    Attributes
    ----------
    images : int
        Pictures looked at, in all splits.
    backbone : str
    suspects : tuple of Suspect
        Probable label errors, the surest first.
    classes : tuple of ClassSuspects
        What each class would lose if they were dropped.
    twins : tuple of Twins
        Groups of pictures that are nearly one, those in more than one split first.
    oddities : tuple of Oddity
        Pictures that are unlike the others, or of another kind.
    overlaps : tuple of Overlap
        Pairs of classes that the probe confuses, the most confused first.
    shortcuts : Shortcuts, optional
        Whether the classes can be told apart without their content; None where there is nothing to
        tell them by.
    forecast : Forecast
        How wide the intervals of a study will be.
    map : Map
        A place in the plane for each picture.
    notes : tuple of str
        What was not looked at, and why.
    pool : Pool
        The pictures.
    """

    images: int
    backbone: str
    suspects: tuple[Suspect, ...]
    classes: tuple[ClassSuspects, ...]
    twins: tuple[Twins, ...]
    oddities: tuple[Oddity, ...]
    overlaps: tuple[Overlap, ...]
    shortcuts: Shortcuts | None
    forecast: Forecast
    notes: tuple[str, ...]
    map: Map = field(repr=False, compare=False)
    pool: Pool = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as JSON has them."""
        return {
            one.name: _plain(getattr(self, one.name))
            for one in fields(self)
            if one.name not in ("map", "pool")
        }


def audit_deep(
    data: Splits,
    *,
    backbone: str = "lite0",
    seed: int = 0,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> DeepAudit:
    """Look for what is wrong with a data set by the embeddings of its pictures.

    Copies that `upsample` made are left out.

    Parameters
    ----------
    data : Splits
        What `load` returned; with ``cut=False`` it is the data set as it is.
    backbone : str
        A name of `backbones.BACKBONES`.
    seed : int
        Deals out the folds.
    jobs : int, optional
        Threads that compute embeddings; by default one a core. The result does not depend on it.
    progress : callable, optional
        Called with what is being done, how much of it is done and how much there is.

    Returns
    -------
    DeepAudit
    """
    if not isinstance(data, Splits):
        raise InputError(
            f"audit_deep takes what load returns, but got {type(data).__name__}: "
            "audit_deep(load(source, cut=False))."
        )
    seed = whole_seed(seed)
    tell = progress or (lambda what, done, total: None)
    pool = pooled(data, backbone, jobs, tell)
    facts = look_at(pool, partial(tell, "pictures"))
    near = find_twins(pool, partial(tell, "pairs"))
    unit = units(pool.digests, pool.groups, near.column)
    probed = probe(
        pool.embeddings, pool.labels, unit, len(pool.classes), seed, partial(tell, "folds")
    )
    suspects, classes = find_suspects(pool, probed)
    return DeepAudit(
        images=len(pool),
        backbone=backbone,
        suspects=suspects,
        classes=classes,
        twins=near.twins,
        oddities=find_oddities(pool, facts, unit),
        overlaps=find_overlaps(pool, probed),
        shortcuts=find_shortcuts(facts, pool.labels, unit, seed, partial(tell, "permutations")),
        forecast=foresee(pool, unit, recalls_of(pool, probed), _TEST_FRACTION),
        notes=tuple(_notes(pool, probed.small, near.unconfirmed)),
        map=_drawn_map(pool, seed),
        pool=pool,
    )


def _notes(pool: Pool, small: tuple[int, ...], unconfirmed: int) -> list[str]:
    notes = []
    if pool.copies:
        notes.append(f"Copies that upsample made, not looked at: {pool.copies:,}")
    if small:
        names = ", ".join(printable(pool.classes[label]) for label in small[:_NAMED])
        more = f" and {len(small) - _NAMED} more" if len(small) > _NAMED else ""
        kind = "groups" if pool.groups is not None else "different pictures"
        notes.append(
            f"Labels not judged of {plural(len(small), 'class', 'classes')} with fewer than "
            f"{FOLDS} {kind}: {names}{more}"
        )
    if unconfirmed:
        notes.append(
            f"Pairs of neighbours not looked at in the pixels, the farthest: {unconfirmed:,}"
        )
    return notes


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(one) for name, one in asdict(value).items() if name not in _PLACES}
    return value.item() if isinstance(value, np.generic) else value


def _drawn_map(pool: Pool, seed: int) -> Map:
    """Place the pictures by their embeddings."""
    rows = _some(pool.labels, np.random.default_rng([seed % 2**64, 7]))
    values = pool.embeddings[rows].astype(np.float64)
    components = min(_COMPONENTS, *values.shape)
    if len(rows) > 1:
        values = PCA(components, random_state=0).fit_transform(values)
    how = "PCA" if len(rows) < _FEW_MAPPED or components < 2 else "t-SNE"
    if how == "t-SNE":
        perplexity = min(_PERPLEXITY, len(rows) // 4)
        values = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(values)
    values = np.pad(values, ((0, 0), (0, 2)))[:, :2]
    low = values.min(axis=0)
    return Map(rows, (values - low) / np.maximum(values.max(axis=0) - low, 1e-9), how)


def _some(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return all rows, or so many that a map can hold: of rare classes all, of others alike."""
    if len(labels) <= _MOST_MAPPED:
        return np.arange(len(labels))
    order = rng.permutation(len(labels))
    rank = np.empty(len(labels), np.intp)
    for label in np.unique(labels):
        mine = order[labels[order] == label]
        rank[mine] = np.arange(len(mine))
    return np.sort(np.lexsort((order, rank))[:_MOST_MAPPED])
