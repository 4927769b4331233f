"""How far each recipe goes from the baseline towards the oracle, which has the real images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.studies.formats import LOWER_IS_BETTER, ORACLE
from equipoise.studies.statistics import estimate, ratio, verdict
from equipoise.studies.tables import Scores, over_runs
from equipoise.studies.trials import Outcome

__all__ = ["gap_closed"]

Floats = NDArray[np.float64]
Way = tuple[str, str]  # recipe, decision


def gap_closed(
    outcomes: Mapping[str, Sequence[Outcome]],
    scores: Mapping[Way, Scores],
    reference: str,
    metric: str,
    seed: int,
) -> dict[str, Any]:
    """Return `summary["oracle"]`, over the runs that are finished for every recipe.

    Parameters
    ----------
    outcomes, scores : mapping
        As `tables.differences` takes them; the oracle among them.
    reference : str
        The baseline. Its tuned decision, which costs nothing, is where the gap begins.
    metric : str
        What the gap is of.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``metric``; ``runs``; ``gap``, the tuned oracle's figure less the tuned baseline's, with its
        ``verdict`` and whether it ``opens``: whether the oracle is shown to be better; ``closed``,
        for each recipe and decision the share of the gap that it closes, 1 where it is as good as
        the oracle. Empty while there is no such run.
    """
    every = [{(o.trial.seed, o.trial.draw) for o in of} for of in outcomes.values()]
    common = set.intersection(*every)
    if not common:
        return {}
    rows = {
        name: [i for i, o in enumerate(of) if (o.trial.seed, o.trial.draw) in common]
        for name, of in outcomes.items()
    }
    base, top = (reference, "tuned"), (ORACLE, "tuned")
    beyond = {way: _beyond(scores, way, base, metric, rows) for way in scores if way != base}
    runs, resampled = beyond.pop(top)
    gap = estimate(runs.tolist(), over_runs(resampled, seed))
    shown = verdict(gap)
    closed: dict[str, dict[str, Any]] = {}
    for (name, decision), (mine, under) in beyond.items():
        if name == ORACLE:
            continue
        share = ratio(mine.tolist(), runs.tolist(), _ratios(under, resampled, seed))
        closed.setdefault(name, {})[decision] = share.to_dict()
    return {
        "metric": metric,
        "runs": len(common),
        "gap": gap.to_dict(),
        "verdict": shown,
        "opens": shown == ("lower" if metric in LOWER_IS_BETTER else "higher"),
        "closed": closed,
    }


def _beyond(
    scores: Mapping[Way, Scores],
    way: Way,
    base: Way,
    metric: str,
    rows: Mapping[str, list[int]],
) -> tuple[Floats, Floats | None]:
    """Differences to the baseline: one a run, and one a resample and run."""
    mine, theirs = (np.take(scores[w].values(metric), rows[w[0]]) for w in (way, base))
    under = [scores[w].resampled.get(metric) for w in (way, base)]
    if under[0] is None or under[1] is None:
        return mine - theirs, None
    return mine - theirs, under[0][:, rows[way[0]]] - under[1][:, rows[base[0]]]


def _ratios(numerators: Floats | None, denominators: Floats | None, seed: int) -> Floats | None:
    above, below = over_runs(numerators, seed), over_runs(denominators, seed)
    if above is None or below is None:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return above / below
