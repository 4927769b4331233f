"""What validation chooses for a run's logits, and the figures of each decision."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import NDArray

from equipoise.extras import generated_counts
from equipoise.images import Splits
from equipoise.metrics import figures
from equipoise.objectives import Objective
from equipoise.training.calibrating import temperature
from equipoise.training.decisions import Decision, plain
from equipoise.training.predictions import Predictions
from equipoise.training.tuning import adjust, tune

__all__ = ["Chosen", "chosen_on", "told_of"]


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
