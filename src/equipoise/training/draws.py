"""Which image comes when: endless streams of draws without a state.

A draw is a function of (seed, position in the stream), so a run that goes on in the middle, or
several workers, draw what one run from the start would draw.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import keys
from equipoise.errors import require, unknown

__all__ = ["WAYS", "Draws"]

# From x draws, class sizes n and the length of the whole stream T to how many of the x are
# expected of each class: (U,), (K,), float -> (U, K).
Expected = Callable[[NDArray[np.float64], NDArray[np.float64], float], NDArray[np.float64]]


def _balanced(x: NDArray[np.float64], n: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    return np.outer(x, np.full(len(n), 1 / len(n)))


def _square_root(
    x: NDArray[np.float64], n: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    return np.outer(x, np.sqrt(n) / np.sqrt(n).sum())


def _progressive(
    x: NDArray[np.float64], n: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    # The integral of (1 - t) n / N + t / K over the draws, t = x / T; balanced after the end.
    within = np.minimum(x, total)
    late = within**2 / (2 * total)
    return np.outer(within - late, n / n.sum()) + np.outer(late + x - within, 1 / len(n) + 0 * n)


# How the classes share the draws; `natural` has no shares: it passes over the whole set.
WAYS: dict[str, Expected | None] = {
    "natural": None,
    "balanced": _balanced,
    "square_root": _square_root,
    "progressive": _progressive,
}


class Draws:
    """An endless stream of rows of a training set.

    Natural draws are passes over the whole set, each in an order of its own. The other ways draw
    classes, and within a class they are passes over its images, each in an order of its own.
    Balanced draws take every class once, in random order, then every class once more, and so on.
    Square-root draws take classes in proportion to the square root of their size (Mahajan et al.,
    "Exploring the limits of weakly supervised pretraining", ECCV 2018). Progressive draws go from
    natural shares to equal ones, p_k(t) = (1 - t) n_k / N + t / K, where t is the share of the
    stream that is over (Kang et al., "Decoupling representation and classifier for long-tailed
    recognition", ICLR 2020). Of any number of whole turns the number of draws of a class is the
    expected one, rounded.

    Parameters
    ----------
    labels : (N,) integers
    way : {'natural', 'balanced', 'square_root', 'progressive'}
    seed : int
    begins : int
        The position at which `way` begins; natural draws come before it (deferred re-sampling: Cao
        et al., "Learning imbalanced datasets with label-distribution-aware margin loss", NeurIPS
        2019).
    total : int, optional
        Length of the whole stream; progressive draws need it.
    """

    def __init__(
        self,
        labels: ArrayLike,
        way: str = "natural",
        *,
        seed: int,
        begins: int = 0,
        total: int | None = None,
    ) -> None:
        if way not in WAYS:
            raise unknown("way to draw", way, WAYS)
        require(
            way != "progressive" or bool(total), "a whole length for progressive draws", total=total
        )
        labels = np.asarray(labels)
        everything = np.arange(len(labels))
        groups = [everything[labels == label] for label in np.unique(labels)]
        self.groups = [everything] if way == "natural" else groups
        self.seed = seed
        self.total = total or 0
        self.begins = begins if way != "natural" else 0
        self._expected = WAYS[way]
        self._sizes = np.array([len(group) for group in self.groups])
        self._length = _turn_length(way, self._sizes)
        self._orders: dict[tuple[int, int], NDArray[np.intp]] = {}
        if self.begins:
            self._before = Draws(labels, seed=seed)
            self._drawn = self._before.drawn(self.begins)

    def __call__(self, start: int, stop: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Return the draws at the positions from `start` to `stop`, `stop` not among them.

        Returns
        -------
        rows : (stop - start,) rows of the training set
        passes : (stop - start,) how often the row's image had been drawn before
        """
        if not self.begins:
            return self._draw(start, stop)
        cut = min(max(start, self.begins), stop)
        early, early_passes = self._before(start, cut)
        rows, passes = self._draw(max(cut - self.begins, 0), max(stop - self.begins, 0))
        return (
            np.concatenate([early, rows]),
            np.concatenate([early_passes, passes + self._drawn[rows]]),
        )

    def drawn(self, position: int) -> NDArray[np.int64]:
        """Return how often natural draws have taken each row before a position, (N,)."""
        whole, rest = divmod(position, len(self.groups[0]))
        counts = np.full(len(self.groups[0]), whole, np.int64)
        counts[self._order(0, whole)[:rest]] += 1
        return counts

    def _draw(self, start: int, stop: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        turn, place = np.divmod(np.arange(start, stop), self._length)
        group, number = self._turns(turn, place)
        rows, passes = np.empty(len(turn), np.intp), np.empty(len(turn), np.int64)
        for g, members in enumerate(self.groups):
            mine = np.flatnonzero(group == g)
            passes[mine], index = np.divmod(number[mine], len(members))
            for which in np.unique(passes[mine]):
                now = passes[mine] == which
                rows[mine[now]] = self._order(g, int(which))[index[now]]
        return rows, passes

    def _turns(
        self, turn: NDArray[np.int64], place: NDArray[np.int64]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """The group that each position draws from, and the how-many-th draw of the group it is.

        A turn is a random order of so many draws of each group as are due in it.
        """
        if len(self.groups) == 1:
            return np.zeros(len(turn), np.intp), turn * self._length + place
        turns, which = np.unique(turn, return_inverse=True)
        before = self._due(turns)
        quota = self._due(turns + 1) - before
        flat = np.tile(np.arange(len(self.groups)), len(turns)).repeat(quota.ravel())
        listed = flat.reshape(len(turns), self._length)
        draws = keys.uniforms(keys.image_keys(self.seed, turns), "turns", self._length)
        group = np.take_along_axis(listed, draws.argsort(axis=1), 1)
        # The list is each turn's groups in order: a draw's place there, less its group's start, is
        # its rank among the turn's draws of the group.
        starts = before - quota.cumsum(axis=1) + quota
        number = np.empty_like(group)
        ranks = np.arange(self._length) + np.take_along_axis(starts, listed, 1)
        np.put_along_axis(number, group.argsort(axis=1, kind="stable"), ranks, 1)
        return group[which, place], number[which, place]

    def _due(self, turns: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many draws of each group come before a turn, (U, groups).

        Rounding the running sum over the groups makes them sum to the draws there are.
        """
        assert self._expected is not None
        x = (turns * self._length).astype(np.float64)
        expected = self._expected(x, self._sizes.astype(np.float64), float(self.total))
        upto = np.floor(expected.cumsum(axis=1) + 0.5).astype(np.int64)
        upto[:, -1] = turns * self._length
        return np.diff(upto, axis=1, prepend=0)

    def _order(self, group: int, number: int) -> NDArray[np.intp]:
        """The rows of a group in the order of its pass `number`."""
        order = self._orders.get((group, number))
        if order is None:
            members = self.groups[group]
            order = members[keys.order(self.seed, members, "draws", epoch=number)]
            # Of each group the last pass and this one: a batch can span two.
            old = [key for key in self._orders if key[0] == group and key[1] != number - 1]
            for key in old:
                del self._orders[key]
            self._orders[group, number] = order
        return order


def _turn_length(way: str, sizes: NDArray[np.int64]) -> int:
    """Draws in a turn: so many that more than one of every group is due, so none falls back."""
    if len(sizes) == 1:
        return 1
    if way == "square_root":
        return 1 + int(np.sqrt(sizes).sum() / np.sqrt(sizes.min()))
    if way == "progressive":
        return 1 + int(sizes.sum() / sizes.min())
    return len(sizes)
