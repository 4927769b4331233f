"""`StudySummary`: all that a study found, written once and read by page, terminal and users.

Its JSON is `summary.json`, its schema stands in the documentation. What a part means is said where
it is made: `analysis` for the verdicts, `recommendation` for the answer, `shortcut`,
`label_preservation`, `memorisation` and `calibration` for the diagnostics.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from equipoise.auditing import Audit
from equipoise.errors import InputError, printable
from equipoise.objectives import Objective
from equipoise.recipes import Recipe
from equipoise.studies.calibration import Calibration
from equipoise.studies.estimates import Estimate, Number, Value
from equipoise.studies.inference import Verdict
from equipoise.studies.label_preservation import Loss
from equipoise.studies.memorisation import Memory
from equipoise.studies.oracle_gap import Oracle
from equipoise.studies.sequential import Ledger, Reason
from equipoise.studies.shortcut import Mark, Rise
from equipoise.studies.trials import Outcome
from equipoise.training import Trainer

if TYPE_CHECKING:
    from equipoise.studies.charts import Chart

__all__ = [
    "VERSION",
    "Answer",
    "Comparison",
    "DecisionName",
    "Difference",
    "Kind",
    "Question",
    "RecipeFigures",
    "Study",
    "StudyData",
    "StudySummary",
    "ThresholdDoubt",
    "read_summary",
]

VERSION = 1

DecisionName = Literal["plain", "tuned", "adjusted"]
Kind = Literal["use", "tune", "keep", "undecided", "no verdict"]


class StudyData(Value):
    """What a study is about.

    Attributes
    ----------
    source, digest : str
    classes : tuple of str
    audit : Audit, optional
        None where the images themselves are not known: predictions made elsewhere.
    notes : tuple of str
    """

    source: str
    digest: str
    classes: tuple[str, ...]
    audit: Audit | None = None
    notes: tuple[str, ...] = ()


class RecipeFigures(Value):
    """What a recipe's runs came to.

    Attributes
    ----------
    recipe : str
    runs : int
    seconds : Estimate, optional
        Of a run; like all of the cost None for runs made elsewhere.
    steps, passes : float, optional
    distinct_images, distinct_sources : dict of class to float
        Different images that a net was shown, and different images that these were made from.
    plain, tuned, adjusted : dict of figure to Estimate
        On the test images. Runs without validation images have no tuned decision.
    per_class : dict of decision to class to figure to Estimate
        `recall` and `precision`.
    confusion : dict of decision to rows
        Test images of all runs added up; rows are the true classes.
    rank : dict of decision to float
        Mean rank over the runs that all recipes have, 1 best.
    """

    recipe: str
    runs: int
    seconds: Estimate | None = None
    steps: Number = None
    passes: Number = None
    distinct_images: dict[str, float] = Field(default_factory=dict)
    distinct_sources: dict[str, float] = Field(default_factory=dict)
    plain: dict[str, Estimate]
    tuned: dict[str, Estimate] = Field(default_factory=dict)
    adjusted: dict[str, Estimate] = Field(default_factory=dict)
    per_class: dict[str, dict[str, dict[str, Estimate]]] = Field(default_factory=dict)
    confusion: dict[str, tuple[tuple[int, ...], ...]] = Field(default_factory=dict)
    rank: dict[str, float] = Field(default_factory=dict)

    def figures(self, decision: str) -> dict[str, Estimate]:
        """Return the figures of the plain, tuned or adjusted decision; empty without it."""
        return {"plain": self.plain, "tuned": self.tuned, "adjusted": self.adjusted}[decision]


class Difference(Estimate):
    """A figure's paired difference to the baseline, with the 95 % interval of it alone.

    Attributes
    ----------
    recipe : str
    decision : str
        `plain` and `tuned` are to the baseline with the same decision; `tuned vs plain baseline` is
        the tuned recipe (the tuned baseline itself, too) to the plain baseline.
    metric : str
    runs : int
        Pairs of runs.
    """

    recipe: str
    decision: Literal["plain", "tuned", "tuned vs plain baseline"]
    metric: str
    runs: int


class Comparison(Estimate):
    """One recipe in a question: its difference to the baseline, and what that says.

    Attributes
    ----------
    mean, low, high : float, optional
        The interval holds for all recipes of the question, and at all looks, at once.
    alone_low, alone_high : float, optional
        The interval of this difference alone.
    p : float, optional
        Agrees with `low` and `high`.
    recipe : str
    seeds, draws : int
    standard_error, image_share : float, optional
        And how much of its square only more test images would reduce.
    verdict : str
        See `Question`.
    recommended : bool
        Better, and by at least the margin as far as these runs tell.
    stopped : str, optional
        Why the recipe got no more seeds; None where it may yet.
    """

    alone_low: Number = None
    alone_high: Number = None
    p: Number = None
    recipe: str
    seeds: int
    draws: int
    standard_error: Number = None
    image_share: Number = None
    verdict: Verdict
    recommended: bool = False
    stopped: Reason | None = None


class Question(Value):
    """A question to a study, and what it says of each recipe.

    By its interval a recipe makes *no difference that matters* (all of it within the margin), is
    *better* or *worse* (none of it on the other side of zero), or *undecided*; with fewer than
    three seeds there is *no verdict*.

    Attributes
    ----------
    asks : {'recipes', 'tuning', 'ranking'}
        Does a recipe beat the baseline, both with the same decision? Does tuning the baseline's
        decision help? Does a recipe's net rank the images better?
    decision : {'plain', 'tuned'}
    metric : str
    comparisons : tuple of Comparison
    """

    asks: Literal["recipes", "tuning", "ranking"]
    decision: DecisionName
    metric: str
    comparisons: tuple[Comparison, ...]

    def of(self, recipe: str) -> Comparison | None:
        """Return what is said of a recipe, or None."""
        return next((one for one in self.comparisons if one.recipe == recipe), None)

    def having(self, *verdicts: Verdict) -> list[Comparison]:
        """Return the comparisons with one of these verdicts."""
        return [one for one in self.comparisons if one.verdict in verdicts]


class ThresholdDoubt(Value):
    """How much a difference owes to the validation images that its decisions were tuned on.

    Attributes
    ----------
    recipe : str
    images : int
        Validation images of the class that has the fewest.
    spread : float
        By how much (one standard deviation) the difference to the baseline moves where other
        validation images are drawn and both decisions are tuned again.
    """

    recipe: str
    images: int
    spread: Number


class Answer(Value):
    """What to do, what speaks for it, and what else a reader should know.

    Attributes
    ----------
    kind : {'use', 'tune', 'keep', 'undecided', 'no verdict'}
        A recipe beats the baseline; tuning the baseline is what helps; nothing matters; it cannot
        be told yet; or there is too little for a verdict.
    recipe : str
        The one to use, or the baseline; empty where nothing is said.
    decision : str
        With which decision.
    action, evidence : str
        The two halves of the sentence.
    notes : tuple of str
        Further sentences, the most important first.
    others : tuple of str
        Those that are on the other recipes.
    about : str
        What the intervals are about, and what not.
    """

    kind: Kind
    recipe: str = ""
    decision: str = ""
    action: str
    evidence: str = ""
    notes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    about: str = ""
    sentence: str = ""


class StudySummary(Value):
    """All that a study found.

    Attributes
    ----------
    version : int
        Of this form; changed when fields change their meaning.
    kind : {'comparison', 'evaluation'}
        Of runs that were made here, or of predictions that were made elsewhere.
    finished : bool
    missing : tuple of str
        Runs that are still to be made.
    failed : dict of run to reason
    damaged : dict of run to what is wrong
        Runs and probes whose files are not what was written: they are left out.
    positive_class : str, optional
        With two classes, the one that recall and precision are of.
    objective : str
        The figure that decides; `tuned_for` is the whole of the objective.
    decision : {'tuned', 'plain'}
        With which decision recipes are compared.
    margin : float
        The smallest difference that matters.
    looks : Ledger
        At how many seeds the study was looked at, what that spent of the 5 %, and which recipes
        have stopped why.
    """

    version: Literal[1] = 1
    equipoise: str
    kind: Literal["comparison", "evaluation"] = "comparison"
    command: str = ""
    finished: bool = False
    missing: tuple[str, ...] = ()
    failed: dict[str, str] = Field(default_factory=dict)
    damaged: dict[str, str] = Field(default_factory=dict)
    data: StudyData
    positive_class: str | None = None
    objective: str
    tuned_for: Objective
    decision: DecisionName = "tuned"
    margin: float
    seed: int = 0
    seeds: tuple[int, ...]
    draws: tuple[int, ...] = (0,)
    folds: int | None = None
    overlap: Number = None
    equal: str | None = None
    prior: dict[str, float] | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    machine: dict[str, int | str] = Field(default_factory=dict)
    trainer: Trainer | None = None
    recipes: dict[str, Recipe | None]
    looks: Ledger
    answer: Answer
    question: Question | None = None
    tuning: Question | None = None
    ranking: Question | None = None
    threshold: ThresholdDoubt | None = None
    table: tuple[RecipeFigures, ...] = ()
    differences: tuple[Difference, ...] = ()
    oracle: Oracle | None = None
    shortcut: dict[str, dict[str, dict[str, Rise]]] = Field(default_factory=dict)
    marks: tuple[Mark, ...] = ()
    shortcut_remedies: dict[str, str] = Field(default_factory=dict)
    label_safety: dict[str, dict[str, Loss]] = Field(default_factory=dict)
    label_safety_words: tuple[str, ...] = ()
    label_safety_warnings: tuple[str, ...] = ()
    memory: dict[str, Memory] = Field(default_factory=dict)
    memory_words: tuple[str, ...] = ()
    calibration: Calibration | None = None
    generated: dict[str, dict[str, int]] = Field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    untested_words: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The baseline: the first recipe."""
        return next(iter(self.recipes), "")

    def row(self, recipe: str) -> RecipeFigures | None:
        """Return a recipe's figures, or None where it has no run."""
        return next((row for row in self.table if row.recipe == recipe), None)

    def figure(self, recipe: str, decision: str, metric: str) -> Estimate | None:
        """Return one figure of the table, or None where it is not there."""
        row = self.row(recipe)
        return None if row is None else row.figures(decision).get(metric)

    def class_figure(self, recipe: str, decision: str, label: str, metric: str) -> Estimate | None:
        """Return a class's recall or precision, or None where it is not there."""
        row = self.row(recipe)
        classes = {} if row is None else row.per_class.get(decision, {})
        return classes.get(label, {}).get(metric)

    def difference(self, recipe: str, decision: str, metric: str) -> Difference | None:
        """Return one of the differences, or None where it is not there."""
        wanted = (recipe, decision, metric)
        return next(
            (d for d in self.differences if (d.recipe, d.decision, d.metric) == wanted), None
        )


def read_summary(path: Path) -> StudySummary:
    """Read a summary.json.

    Raises
    ------
    InputError
        If it cannot be read, or is of another version.
    """
    try:
        return StudySummary.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"{path} is no summary of this version: {printable(where)}.") from None


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

    def plot(self, what: str = "recipes") -> "Chart":
        """Return a figure that a notebook shows: of the `recipes` (forest plot) or `classes`."""
        from equipoise.studies.charts import chart

        return chart(self.summary, what)

    @property
    def differences(self) -> list[dict[str, Any]]:
        """A flat row a recipe, decision and figure: its paired difference to the baseline."""
        return [row.model_dump() for row in self.summary.differences]
