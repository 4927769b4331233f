"""How far each recipe goes from the baseline towards the oracle, which has the real images."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from equipoise.metrics.decided import Floats
from equipoise.studies.estimates import Estimate, Value, estimate_of
from equipoise.studies.formats import ORACLE
from equipoise.studies.inference import LEVEL, UNCORRECTED, FigureTable, differences
from equipoise.studies.scoring import Scored

__all__ = ["Oracle", "oracle_gap"]


class Oracle(Value):
    """What real images would bring beyond the tuned baseline, and how much of that recipes bring.

    Attributes
    ----------
    metric : str
    runs : int
    gap : Estimate
        The tuned oracle's figure less the tuned baseline's.
    opens : bool
        Whether the oracle is shown to be better: else there is no gap to close.
    closed : dict of recipe to decision to Estimate
        The share of the gap that it closes, 1 where it is as good as the oracle.
    """

    metric: str
    runs: int
    gap: Estimate
    opens: bool
    closed: dict[str, dict[str, Estimate]]


def oracle_gap(scored: Scored, metric: str, higher_is_better: bool) -> Oracle | None:
    """Return the oracle's lead and the recipes' shares of it, over the runs that all have.

    None while there is no such run.
    """
    tables = {d: scored.tables[d, metric] for d in ("plain", "tuned")}
    every = np.stack([table.values for table in tables.values()])
    common = np.asarray(np.isfinite(every).all((0, 1)))
    if not common.any():
        return None
    tables = {decision: _columns(table, common) for decision, table in tables.items()}
    tuned, last = tables["tuned"], scored.recipes.index(ORACLE)
    found = differences(tuned, nominal=[UNCORRECTED] * len(tuned.values))[last]
    if found is None:
        return None
    gap = _beyond(tuned, tuned, last)
    closed: dict[str, dict[str, Estimate]] = {}
    for row, name in enumerate(scored.recipes):
        for decision, table in tables.items():
            if name != ORACLE and (row, decision) != (0, "tuned"):
                mine = _beyond(table, tuned, row)
                closed.setdefault(name, {})[decision] = _ratio(mine, gap)
    opens = found.low > 0 if higher_is_better else found.high < 0
    return Oracle(
        metric=metric,
        runs=int(common.sum()),
        gap=estimate_of(found),
        opens=bool(opens),
        closed=closed,
    )


def _columns(table: FigureTable, which: NDArray[np.bool_]) -> FigureTable:
    return replace(
        table,
        values=table.values[:, which],
        resampled=table.resampled[:, :, which],
        seeds=table.seeds[which],
        draws=table.draws[which],
    )


def _beyond(table: FigureTable, base: FigureTable, row: int) -> tuple[Floats, Floats]:
    """Differences to the tuned baseline: (n,) one a run, and (B,) their mean under resamples."""
    under = table.resampled[:, row] - base.resampled[:, 0]
    return table.values[row] - base.values[0], under.mean(1)


def _ratio(above: tuple[Floats, Floats], below: tuple[Floats, Floats]) -> Estimate:
    """Return the ratio of two means over the same runs, with Fieller's interval.

    Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16,
    1954. Where the denominator is not shown to differ from zero the ratio could be anything, and
    the ends are None.
    """
    a, b = above[0], below[0]
    runs = len(a)
    if runs < 2 or b.mean() == 0:
        return Estimate(mean=None, values=a.tolist())
    found = float(a.mean() / b.mean())
    covariance = np.cov(a, b) / runs + np.cov(above[1], below[1])
    (aa, ab), (_, bb) = covariance * stats.t.isf(LEVEL / 2, runs - 1) ** 2
    leading = b.mean() ** 2 - bb
    if not leading > 0:
        return Estimate(mean=found, values=a.tolist())
    middle = a.mean() * b.mean() - ab
    half = np.sqrt(max(middle**2 - leading * (a.mean() ** 2 - aa), 0.0))
    low, high = (middle - half) / leading, (middle + half) / leading
    return Estimate(mean=found, low=low, high=high, values=a.tolist())
