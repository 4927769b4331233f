"""Which image comes when: endless streams of draws without a state.

A draw is a function of (seed, position in the stream), so a run that goes on in the middle, or
several workers, draw what one run from the start would draw.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import keys

__all__ = ["Draws"]


class Draws:
    """An endless stream of rows of a training set.

    Natural draws are passes over the whole set, each in an order of its own. Balanced draws take
    every class once, in random order, then every class once more, and so on; within a class they
    are passes over its images, each in an order of its own.

    Parameters
    ----------
    labels : (N,) integers
    balanced : bool
    seed : int
    """

    def __init__(self, labels: ArrayLike, *, balanced: bool, seed: int) -> None:
        labels = np.asarray(labels)
        everything = np.arange(len(labels))
        groups = [everything[labels == label] for label in np.unique(labels)]
        self.groups = groups if balanced else [everything]
        self.seed = seed
        self._orders: dict[tuple[int, int], NDArray[np.intp]] = {}

    def __call__(self, start: int, stop: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Return the draws at the positions from `start` to `stop`, `stop` not among them.

        Returns
        -------
        rows : (stop - start,) rows of the training set
        passes : (stop - start,) how often the row's image had been drawn before
        """
        turn, place = np.divmod(np.arange(start, stop), len(self.groups))
        group = self._turns(turn, place)
        rows, passes = np.empty(len(turn), np.intp), np.empty(len(turn), np.int64)
        for g, members in enumerate(self.groups):
            mine = np.flatnonzero(group == g)
            passes[mine], index = np.divmod(turn[mine], len(members))
            for number in np.unique(passes[mine]):
                now = passes[mine] == number
                rows[mine[now]] = self._order(g, int(number))[index[now]]
        return rows, passes

    def _turns(self, turn: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.intp]:
        """The group that each position draws from: a random order of the groups in every turn."""
        if len(self.groups) == 1:
            return np.zeros(len(turn), np.intp)
        turns, which = np.unique(turn, return_inverse=True)
        draws = keys.uniforms(keys.image_keys(self.seed, turns), "turns", len(self.groups))
        return draws.argsort(axis=1)[which, place]

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
