"""What validation chooses for a run's logits, and the figures of each decision and their scope."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import NDArray

from equipoise.errors import printable
from equipoise.extras import generated_counts
from equipoise.images import Splits
from equipoise.metrics import figures
from equipoise.objectives import Objective
from equipoise.training.calibrating import temperature
from equipoise.training.decisions import Decision, plain
from equipoise.training.predictions import Predictions
from equipoise.training.tuning import adjust, tune

__all__ = ["Chosen", "chosen_on", "told_of", "untested_words"]

_NAMED = 10  # classes in a line


@dataclass(frozen=True)
class Chosen:
    """What validation images chose for a net: its decisions and the temperature of its logits."""

    tuned: Decision
    adjusted: Decision
    temperature: float

    def measured(
        self, part: Predictions, objective: Objective, positive: int | None
    ) -> dict[str, dict[str, Any]]:
        """Return the figures of each decision, and those of calibration at the temperature."""
        decisions = {
            "plain": plain(part.logits.shape[1]),
            "tuned": self.tuned,
            "adjusted": self.adjusted,
        }
        found = {
            name: figures(
                part.logits,
                part.labels,
                positive=positive,
                predictions=decision.apply(part.logits),
                also=objective.measures,
            )
            for name, decision in decisions.items()
        }
        cooled = figures(part.logits / self.temperature, part.labels, positive=positive)
        found["calibrated"] = {name: cooled[name] for name in ("ece", "brier", "log_loss")}
        return found


def chosen_on(validation: Predictions, counts: NDArray, objective: Objective) -> Chosen:
    """Return what validation images choose; `counts` are the training images of each class."""
    logits, labels = validation.logits, validation.labels
    return Chosen(
        tuned=tune(logits, labels, objective),
        adjusted=adjust(logits, labels, counts, objective),
        temperature=temperature(logits, labels),
    )


def told_of(
    data: Splits, chosen: Chosen, predictions: Mapping[str, Predictions], objective: Objective
) -> dict[str, Any]:
    """Return what `Run.metrics` says of any trainer's run."""
    positive = data.positive
    return {
        "classes": list(data.classes),
        "positive_class": None if positive is None else data.classes[positive],
        **{
            split: chosen.measured(predictions[split], objective, positive)
            for split in ("validation", "test")
        },
        "decision": chosen.tuned.to_dict(),
        "adjusted": chosen.adjusted.to_dict(),
        "remarks": list(chosen.tuned.remarks),
        "temperature": chosen.temperature,
        "generated": generated_counts(data),
        "untested": list(data.untested),
        "left_out": [asdict(one) for one in data.left_out],
        "notes": list(data.notes),
        "source": data.source,
    }


def untested_words(untested: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Return which classes are not tested, and which classes the figures are of; or nothing.

    Parameters
    ----------
    untested : sequence of str
        The classes without an image in the test split.
    classes : sequence of str
    """
    if not untested:
        return []
    tested = [name for name in classes if name not in untested]
    are = "it is" if len(untested) == 1 else "they are"
    over = f"{_names(tested)} alone" if len(tested) == 1 else f"the other {len(tested)} classes"
    ranks = " and there is no ROC-AUC or PR-AUC" if len(tested) == 1 else ""
    return [
        f"The test split has no image of {_names(untested)}, so {are} not tested: every figure is "
        f"over {over}{ranks}."
    ]


def _names(names: Sequence[str]) -> str:
    shown = [printable(name) for name in names[:_NAMED]]
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    *some, last = [*shown, *more]
    return f"{', '.join(some)} and {last}" if some else last
