"""An arm of the search: a recipe with a trainer, and how it is judged."""

from dataclasses import dataclass, field

from equipoise.recipes import Recipe
from equipoise.training import Trainer

__all__ = ["ENTRANTS", "ETA", "Arm", "is_late", "key_of", "rungs"]

# The named recipes that are tried before anything is suggested: the baseline, what is cheap to
# judge, then what takes a whole run.
ENTRANTS = (
    "none",
    "balanced-softmax",
    "weights",
    "resample",
    "article",
    "duplicate",
    "undersample",
    "logit-adjusted",
    "square-root",
    "focal",
    "cutout",
    "balanced",
    "trivial-cutout",
    "drw",
    "mixup",
    "cmo",
    "cutmix",
    "drs",
)

# Of the arms at a rung the best third go on, with three times the epochs.
ETA = 3
_RUNGS = 3

# A fresh choice among so many techniques is strong augmentation.
_MANY = 3
_POLICIES = ("chain", "trivial", "one_of")


@dataclass(frozen=True)
class Arm:
    """A recipe with a trainer.

    Attributes
    ----------
    number : int
        Of its trial in the journal; results lie under it.
    recipe, trainer : Recipe, Trainer
    rung : int
        Up to which rung it may go.
    state : {'running', 'complete', 'dropped'}
    choices : dict
        Where it lies in the space; empty where it does not.
    """

    number: int
    recipe: Recipe
    trainer: Trainer
    rung: int
    state: str = "running"
    choices: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What two arms must share to be the same."""
        return key_of(self.recipe, self.trainer)


def key_of(recipe: Recipe, trainer: Trainer) -> tuple[str, str]:
    """Return what tells an arm from others: all but the recipe's name."""
    return recipe.model_dump_json(exclude={"name"}), trainer.model_dump_json()


def is_late(recipe: Recipe) -> bool:
    """Whether a recipe shows its worth late: short runs would judge it too low.

    Mixed images, strong augmentation and whatever begins in the last part of the budget.
    """
    names = [technique.name for technique in recipe.resolved()]
    strong = len(names) >= _MANY or any(name in _POLICIES for name in names)
    fresh = recipe.augmentation == "fresh" and strong
    return recipe.mixing is not None or recipe.defer > 0 or fresh


def rungs(epochs: int) -> list[int]:
    """Return the lengths of runs, shortest first; the last is the trainer's own."""
    lengths = {max(1, round(epochs / ETA**k)) for k in range(_RUNGS)}
    return sorted(lengths)
