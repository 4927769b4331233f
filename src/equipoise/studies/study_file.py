"""What a study is about: everything its summary needs besides the runs, in `study.json`."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from joblib import cpu_count

from equipoise import __version__
from equipoise.auditing import audit
from equipoise.errors import DamagedError, InputError
from equipoise.files import forget_damaged, read_sealed, write_sealed, write_text
from equipoise.images import Splits
from equipoise.recipes import Recipe, get_recipe
from equipoise.studies.drawing import folded
from equipoise.studies.formats import ORACLE
from equipoise.studies.trials import Trial
from equipoise.training import Trainer, untested_words
from equipoise.training.fingerprints import contents

__all__ = [
    "StudyPlan",
    "check_contents",
    "describe_study",
    "extend_plan",
    "first_seed",
    "forget_damaged_study_file",
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
    data: Splits, trainer: Trainer, *, folds: int | None = None, **settings: Any
) -> dict[str, Any]:
    """Return the facts of a study that do not depend on its recipes and seeds.

    With folds, `overlap` is test to training images of a run.
    """
    overlap = None
    if folds is not None:
        first = folded(data, 0, folds)
        overlap = len(first.test) / len(first.train)
    return {
        "equipoise": __version__,
        **settings,
        "folds": folds,
        "versions": {"python": platform.python_version(), **{p: version(p) for p in _PACKAGES}},
        "machine": {"cores": cpu_count(), "processor": _processor()},
        "data": {
            "source": data.source,
            "digest": data.digest,
            "classes": list(data.classes),
            "audit": audit(data).to_dict(),
            "notes": list(data.notes),
        },
        "untested_words": [] if folds else untested_words(data.untested, data.classes),
        "overlap": overlap,
        "positive_class": data.classes[data.rarest] if len(data.classes) == 2 else None,
        "trainer": trainer.model_dump(mode="json"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor()


def extend_plan(folder: Path, plan: StudyPlan) -> StudyPlan:
    """Return `plan` together with what an earlier run of the same study had planned.

    Raises
    ------
    InputError
        If a recipe has the name of an earlier one but other fields.
    """
    if not (folder / _FILE).is_file():
        return plan
    facts = read_study_file(folder)
    given = {recipe.name: recipe for recipe in plan.recipes}
    earlier = {name: _earlier(folder, name, given) for name in facts["recipes"]}
    for recipe in plan.recipes:
        if earlier.setdefault(recipe.name, recipe) != recipe:
            raise InputError(
                f"{folder} holds another recipe '{recipe.name}'. "
                "Give the new one another name, or name another folder."
            )
    # Those that a study has come first: what is said of its first seeds stays so.
    seeds = tuple(dict.fromkeys([*facts["seeds"], *plan.seeds]))
    recipes = sorted(earlier.values(), key=lambda recipe: recipe.name == ORACLE)
    draws = tuple(sorted({*plan.draws, *facts["draws"]}))
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
    folder: Path, data: Splits, recipes: Sequence[Recipe]
) -> dict[str, dict[str, Any]]:
    """Return, by recipe, what it names and does not hold, see `training.fingerprints.contents`.

    Raises
    ------
    InputError
        If that is not any more what the earlier runs of the study were made with.
    """
    found = {recipe.name: contents(data, recipe) for recipe in recipes}
    found = {name: of for name, of in found.items() if of}
    before = read_study_file(folder)["contents"] if (folder / _FILE).is_file() else {}
    for name, of in before.items():
        now = found.get(name, {})
        for key in dict.fromkeys([*of, *now]):
            if of.get(key) != now.get(key):
                raise InputError(
                    f"{folder} was made with another {key} of the recipe '{name}', which has "
                    "changed since. Bring it back, or name another folder."
                )
    return found


def first_seed(folder: Path, seed: int) -> int:
    """Return the seed that a study was begun with: what is asked of its runs draws from it."""
    return int(read_study_file(folder)["seed"]) if (folder / _FILE).is_file() else seed


def forget_damaged_study_file(folder: Path) -> None:
    """Remove a study.json that is not what was written, and say so."""
    forget_damaged(
        folder / _FILE, "It is written anew, with the recipes and seeds that are given now."
    )


def write_study_file(
    folder: Path, plan: StudyPlan, facts: dict[str, Any], trainer: Trainer
) -> None:
    """Write study.json, the recipes and the trainer."""
    for recipe in plan.recipes:
        write_text(folder / "recipes" / f"{recipe.name}.yaml", recipe.to_yaml())
    write_text(folder / "trainer.yaml", trainer.to_yaml())
    names = [recipe.name for recipe in plan.recipes]
    runs = {
        "recipes": names,
        "seeds": list(plan.seeds),
        "draws": list(plan.draws),
        "due": dict(plan.due),
    }
    write_sealed(folder / _FILE, {**facts, **runs})


def read_study_file(folder: Path) -> dict[str, Any]:
    """Read study.json.

    Raises
    ------
    InputError
        If there is none, or it is not what was written.
    """
    if not (folder / _FILE).is_file():
        raise InputError(f"{folder} is no study: it has no {_FILE}.")
    try:
        return read_sealed(folder / _FILE)
    except DamagedError as error:
        raise DamagedError(f"{error} Give the command that made it again.") from None


def read_plan(folder: Path) -> StudyPlan:
    """Return which runs a study on disk has or will have."""
    facts = read_study_file(folder)
    recipes = tuple(get_recipe(folder / "recipes" / f"{name}.yaml") for name in facts["recipes"])
    draws, folds, due = tuple(facts["draws"]), facts.get("folds"), facts.get("due") or {}
    return StudyPlan(recipes, tuple(facts["seeds"]), draws, folds, due)
