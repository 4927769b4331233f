"""`Study`: what `compare` and `evaluate` return."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equipoise.studies.outcomes import Outcome
from equipoise.studies.summary import Answer, StudySummary

__all__ = ["Study"]


@dataclass(frozen=True)
class Study:
    """A study and what it found.

    Attributes
    ----------
    directory : Path, optional
        Its folder; None for an evaluation that was not given one.
    summary : StudySummary
        What summary.json holds.
    outcomes : sequence of Outcome
        The finished runs with their predictions.
    """

    directory: Path | None
    summary: StudySummary
    outcomes: Sequence[Outcome] = field(default=(), repr=False)

    @property
    def answer(self) -> Answer:
        """What to do: `kind`, `recipe`, `sentence` and what else a reader should know."""
        return self.summary.answer

    @property
    def table(self) -> list[dict[str, Any]]:
        """A flat row a recipe and decision: each figure's mean, `_low` and `_high`."""
        return [
            {
                "recipe": row.recipe,
                "decision": decision,
                "runs": row.runs,
                "seconds": None if row.seconds is None else row.seconds.mean,
                **{
                    metric + suffix: getattr(estimate, end)
                    for metric, estimate in row.figures(decision).items()
                    for suffix, end in (("", "mean"), ("_low", "low"), ("_high", "high"))
                },
            }
            for row in self.summary.table
            for decision in ("plain", "tuned")
            if row.figures(decision)
        ]

    @property
    def differences(self) -> list[dict[str, Any]]:
        """A flat row a recipe, decision and figure: its paired difference to the baseline."""
        return [row.model_dump() for row in self.summary.differences]
