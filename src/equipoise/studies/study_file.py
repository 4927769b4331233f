"""What a study is about: everything its summary needs besides the runs, in `study.json`."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from joblib import cpu_count
from pydantic import ConfigDict, Field, ValidationError

from equipoise import __version__
from equipoise.auditing import audit
from equipoise.errors import InputError
from equipoise.files import forget_damaged, read_sealed, write_sealed, write_text
from equipoise.images import Splits
from equipoise.objectives import Objective, get_objective
from equipoise.recipes import Recipe, get_recipe
from equipoise.studies.drawing import folded
from equipoise.studies.estimates import Number, Value
from equipoise.studies.formats import MADE_AGAIN, ORACLE
from equipoise.studies.scoring import Setting
from equipoise.studies.sequential import Ledger, begin
from equipoise.studies.summary import DecisionName, StudyData
from equipoise.studies.trials import TrainingSetup, Trial
from equipoise.training import Trainer, untested_words
from equipoise.training.fingerprints import contents, identity

__all__ = [
    "StudyFile",
    "StudyPlan",
    "check_contents",
    "describe_study",
    "earlier_study",
    "extend_plan",
    "read_as",
    "read_plan",
    "read_study_file",
    "write_study_file",
]

_FILE = "study.json"
_PACKAGES = (
    "numpy",
    "numba",
    "opencv-python-headless",
    "torch",
    "scikit-learn",
    "imbalanced-learn",
)


class StudyFile(Value):
    """What study.json holds: what a study is about, which runs it has, and what its looks spent.

    Attributes
    ----------
    margin : float
        In points.
    overlap : float, optional
        With folds, test to training images of a run.
    fingerprint : str
        Of what must stay the same for the study to be gone on with.
    contents : dict of recipe to dict
        Digests of what recipes name and do not hold.
    looks : Ledger, optional
        None in a study of before there were looks.
    due : dict of recipe to int
        How many of the seeds a recipe has, where it has not all of them.
    """

    model_config = ConfigDict(extra="ignore")

    equipoise: str
    command: str = ""
    seed: int = 0
    folds: int | None = None
    overlap: Number = None
    prior: dict[str, float] | None = None
    equal: str | None = None
    objective: str
    tuned_for: str | dict[str, Any] | None = None
    decision: DecisionName = "tuned"
    margin: float = 1.0
    versions: dict[str, str]
    machine: dict[str, int | str]
    data: StudyData
    untested_words: tuple[str, ...] = ()
    positive_class: str | None = None
    trainer: Trainer
    fingerprint: str = ""
    contents: dict[str, dict[str, Any]] = Field(default_factory=dict)
    looks: Ledger | None = None
    recipes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    draws: tuple[int, ...] = (0,)
    due: dict[str, int] = Field(default_factory=dict)

    @property
    def positive(self) -> int | None:
        """The label of the positive class of two."""
        return None if self.positive_class is None else self.data.classes.index(self.positive_class)

    @property
    def goal(self) -> Objective:
        """What the study is judged by, of its classes."""
        return get_objective(self.tuned_for or self.objective).on(self.data.classes, self.positive)

    @property
    def ledger(self) -> Ledger:
        """What the study has spent; one from before there were looks is looked at once."""
        others = [name for name in self.recipes[1:] if name != ORACLE]
        return self.looks or begin(others, (len(self.seeds),))

    @property
    def setting(self) -> Setting:
        """What the figures of the study depend on besides its runs."""
        positive = 1 if self.positive is None else self.positive
        return Setting(self.goal, positive, self.seed, bool(self.folds), self.overlap or 0.0)


@dataclass(frozen=True)
class StudyPlan:
    """Which runs a study has: recipes in order (the first is the reference) × seeds × draws.

    With `folds`, the draws are the folds. The oracle is the last of the recipes. A recipe that
    `due` names has only so many of the seeds.
    """

    recipes: tuple[Recipe, ...]
    seeds: tuple[int, ...]
    draws: tuple[int, ...] = (0,)
    folds: int | None = None
    due: Mapping[str, int] = field(default_factory=dict)

    @property
    def trials(self) -> list[Trial]:
        """All runs, seed by seed, so that a whole table stands as early as possible."""
        return [
            Trial(recipe, seed, draw, self.folds)
            for place, seed in enumerate(self.seeds)
            for draw in self.draws
            for recipe in self.recipes
            if place < self.due.get(recipe.name, len(self.seeds))
        ]


def describe_study(
    setup: TrainingSetup, fingerprint: dict[str, Any], folds: int | None
) -> StudyFile:
    """Return what follows from how a study's runs are trained.

    Parameters
    ----------
    setup : TrainingSetup
    fingerprint : dict
        What must stay the same for the study to be gone on with.
    folds : int, optional
    """
    data, overlap = setup.data, None
    if folds is not None:
        first = folded(data, 0, folds)
        overlap = len(first.test) / len(first.train)
    return StudyFile(
        equipoise=__version__,
        folds=folds,
        overlap=overlap,
        equal=setup.equal,
        objective=setup.objective.name,
        tuned_for=setup.objective.to_json(),
        versions={"python": platform.python_version(), **{p: version(p) for p in _PACKAGES}},
        machine={"cores": cpu_count(), "processor": _processor()},
        data=StudyData(
            source=data.source,
            digest=data.digest,
            classes=tuple(data.classes),
            audit=audit(replace(data, left_out=setup.left_out)),
            notes=tuple(data.notes),
        ),
        untested_words=() if folds else tuple(untested_words(data.untested, data.classes)),
        positive_class=None if data.positive is None else data.classes[data.positive],
        trainer=setup.trainer,
        fingerprint=identity(fingerprint),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor()


def extend_plan(folder: Path, plan: StudyPlan, earlier: StudyFile | None) -> StudyPlan:
    """Return `plan` together with what an earlier run of the same study had planned.

    Raises
    ------
    InputError
        If a recipe has the name of an earlier one but other fields.
    """
    if earlier is None:
        return plan
    given = {recipe.name: recipe for recipe in plan.recipes}
    known = {name: _earlier(folder, name, given) for name in earlier.recipes}
    for recipe in plan.recipes:
        if known.setdefault(recipe.name, recipe) != recipe:
            raise InputError(
                f"{folder} holds another recipe '{recipe.name}'. "
                "Give the new one another name, or name another folder."
            )
    # Those that a study has come first: what is said of its first seeds stays so.
    seeds = tuple(dict.fromkeys([*earlier.seeds, *plan.seeds]))
    recipes = sorted(known.values(), key=lambda recipe: recipe.name == ORACLE)
    draws = tuple(sorted({*plan.draws, *earlier.draws}))
    return StudyPlan(tuple(recipes), seeds, draws, plan.folds)


def _earlier(folder: Path, name: str, given: Mapping[str, Recipe]) -> Recipe:
    """The recipe that a study holds; where its file is no more, the one of that name now."""
    path = folder / "recipes" / f"{name}.yaml"
    try:
        return get_recipe(path)
    except InputError:
        if name not in given:
            raise
        write_text(path, given[name].to_yaml())
        return given[name]


def check_contents(
    folder: Path, data: Splits, recipes: Sequence[Recipe], earlier: StudyFile | None
) -> dict[str, dict[str, Any]]:
    """Return, by recipe, what it names and does not hold, see `training.fingerprints.contents`.

    Raises
    ------
    InputError
        If that is not any more what the earlier runs of the study were made with.
    """
    found = {recipe.name: contents(data, recipe) for recipe in recipes}
    found = {name: of for name, of in found.items() if of}
    for name, of in ({} if earlier is None else earlier.contents).items():
        now = found.get(name, {})
        for key in dict.fromkeys([*of, *now]):
            if of.get(key) != now.get(key):
                raise InputError(
                    f"{folder} was made with another {key} of the recipe '{name}', which has "
                    "changed since. Bring it back, or name another folder."
                )
    return found


def earlier_study(folder: Path) -> StudyFile | None:
    """Return what study.json holds, if it is there; one that is damaged is removed, with a word."""
    forget_damaged(
        folder / _FILE, "It is written anew, with the recipes and seeds that are given now."
    )
    return read_study_file(folder) if (folder / _FILE).is_file() else None


def write_study_file(folder: Path, plan: StudyPlan, about: StudyFile) -> None:
    """Write study.json with the runs of a plan, and the recipes and the trainer."""
    for recipe in plan.recipes:
        write_text(folder / "recipes" / f"{recipe.name}.yaml", recipe.to_yaml())
    write_text(folder / "trainer.yaml", about.trainer.to_yaml())
    runs = {
        "recipes": tuple(recipe.name for recipe in plan.recipes),
        "seeds": plan.seeds,
        "draws": plan.draws,
        "due": dict(plan.due),
    }
    write_sealed(folder / _FILE, about.model_copy(update=runs).model_dump(mode="json"))


def read_study_file(folder: Path) -> StudyFile:
    """Read the study.json of a comparison."""
    return read_as(StudyFile, folder)


Kept = TypeVar("Kept", bound=Value)


def read_as(form: type[Kept], folder: Path, file: str = _FILE, kind: str = "study") -> Kept:
    """Read study.json in the form of a comparison or an evaluation, or a search's search.json.

    Raises
    ------
    InputError
        If there is none, or it is not what was written.
    """
    if not (folder / file).is_file():
        raise InputError(f"{folder} is no {kind}: it has no {file}.")
    try:
        return form(**read_sealed(folder / file, MADE_AGAIN))
    except ValidationError:
        raise InputError(
            f"{folder} is a {kind} of another version: give the command that made it again, with a "
            "new folder."
        ) from None


def read_plan(folder: Path) -> StudyPlan:
    """Return which runs a study on disk has or will have."""
    found = read_study_file(folder)
    recipes = tuple(get_recipe(folder / "recipes" / f"{name}.yaml") for name in found.recipes)
    return StudyPlan(recipes, found.seeds, found.draws, found.folds, found.due)
