"""From logits to labels: the plain decision, and those tuned on validation.

A decision adds an offset to each class's logit and takes the largest. With two classes that is a
moved threshold, prior correction and post-hoc logit adjustment in one: all three are this
one-parameter family (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021). With
more, logit adjustment has one parameter and the tuned offsets have one a class. Only costs that
depend on which wrong class is taken ask for more: the expected gain of each class.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from equipoise.objectives import Objective, figure_text, get_objective

__all__ = ["Decision", "plain"]


@dataclass(frozen=True)
class Decision:
    """Offsets added to the logits before the largest is taken.

    Attributes
    ----------
    offsets : tuple of K floats
        In logits; all zero is the plain decision.
    objective : Objective, optional
        What they were tuned for; none for the plain decision.
    tau : float, optional
        Of logit adjustment: the offsets are -τ log π.
    gains : K tuples of K floats, optional
        What deciding for each class (column) gains on an image of each class (row). Then the class
        of the highest gain to be expected is taken, under the probabilities
        softmax(scale · (logits + offsets)).
    scale : float
        Counts with `gains` alone.
    few : mapping of str to int
        The classes of which validation had too few images to tune on, and how many: there the
        decision leans on what the net says of itself.
    unmet : mapping of str to float
        The floors of the objective that cannot be met as far as validation tells, and what is
        expected.
    """

    offsets: tuple[float, ...]
    objective: Objective | None = None
    tau: float | None = None
    gains: tuple[tuple[float, ...], ...] | None = None
    scale: float = 1.0
    few: Mapping[str, int] = field(default_factory=dict)
    unmet: Mapping[str, float] = field(default_factory=dict)

    def apply(self, logits: ArrayLike) -> NDArray[np.int64]:
        """Return the decided label of each row of (N, K) logits."""
        moved = np.asarray(logits, np.float64) + np.asarray(self.offsets)
        if self.gains is None:
            return moved.argmax(1)
        return (softmax(self.scale * moved, axis=1) @ np.asarray(self.gains)).argmax(1)

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence for each thing about the tuning that one should know."""
        return tuple(filter(None, (_few(self.few), *map(self._unmet, self.unmet))))

    def _unmet(self, name: str) -> str:
        assert self.objective is not None
        expected = figure_text(name, self.unmet[name])
        return (
            f"No decision keeps {self.objective.condition(name)}, as far as validation tells: the "
            f"tuned one comes near, with {expected} to be expected."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON or a model file."""
        fields: dict[str, Any] = {
            "offsets": list(self.offsets),
            "objective": "" if self.objective is None else self.objective.to_json(),
        }
        if self.tau is not None:
            fields["tau"] = self.tau
        if self.gains is not None:
            fields |= {"gains": [list(row) for row in self.gains], "scale": self.scale}
        fields |= {key: dict(of) for key in ("few", "unmet") if (of := getattr(self, key))}
        return fields

    @classmethod
    def from_dict(
        cls, fields: Mapping[str, Any], classes: Sequence[str] = (), positive: int | None = None
    ) -> "Decision":
        """Return the decision that `to_dict` described, its objective that of these classes."""
        gains = fields.get("gains")
        objective = get_objective(fields["objective"]) if fields["objective"] else None
        if objective is not None and classes:
            objective = objective.on(classes, positive)
        return cls(
            offsets=tuple(float(v) for v in fields["offsets"]),
            objective=objective,
            tau=fields.get("tau"),
            gains=None if gains is None else tuple(tuple(map(float, row)) for row in gains),
            scale=float(fields.get("scale", 1.0)),
            few=fields.get("few", {}),
            unmet=fields.get("unmet", {}),
        )


def plain(classes: int) -> Decision:
    """Return the decision for the largest logit."""
    return Decision((0.0,) * classes)


def _few(few: Mapping[str, int]) -> str:
    if not few:
        return ""
    shown = [f"{number} of '{name}'" for name, number in list(few.items())[:3]]
    more = f" and few of {len(few) - 3} more classes" if len(few) > 3 else ""
    return (
        f"Validation has too few images to tune a decision on ({', '.join(shown)}{more}): the "
        "tuned decision leans on the prior that the net has learned."
    )
