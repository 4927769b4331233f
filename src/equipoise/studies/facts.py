"""What a study is about: everything its summary needs besides the runs, in `study.json`."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from equipoise import __version__
from equipoise.auditing import audit
from equipoise.errors import InputError
from equipoise.files import read_json, write_json, write_text
from equipoise.images import Splits
from equipoise.recipes import Recipe, get_recipe
from equipoise.studies.trials import Trial
from equipoise.training import Trainer

__all__ = ["Plan", "describe", "extend", "read_facts", "read_trials", "write_facts"]

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
class Plan:
    """Which runs a study has: recipes in order (the first is the reference) × seeds × draws."""

    recipes: tuple[Recipe, ...]
    seeds: tuple[int, ...]
    draws: tuple[int, ...] = (0,)

    @property
    def trials(self) -> list[Trial]:
        """All runs, seed by seed, so that a whole table stands as early as possible."""
        return [
            Trial(recipe, seed, draw)
            for seed in self.seeds
            for draw in self.draws
            for recipe in self.recipes
        ]


def describe(data: Splits, trainer: Trainer, **settings: Any) -> dict[str, Any]:
    """Return the facts of a study that do not depend on its recipes and seeds."""
    return {
        "equipoise": __version__,
        **settings,
        "versions": {"python": platform.python_version(), **{p: version(p) for p in _PACKAGES}},
        "machine": {"cores": len(os.sched_getaffinity(0)), "processor": _processor()},
        "data": {
            "source": data.source,
            "digest": data.digest,
            "classes": list(data.classes),
            "audit": audit(data).to_dict(),
            "notes": list(data.notes),
        },
        "positive_class": data.classes[data.rarest] if len(data.classes) == 2 else None,
        "trainer": trainer.model_dump(mode="json"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor()


def extend(folder: Path, plan: Plan) -> Plan:
    """Return `plan` together with what an earlier run of the same study had planned.

    Raises
    ------
    InputError
        If a recipe has the name of an earlier one but other fields.
    """
    if not (folder / _FILE).is_file():
        return plan
    facts = read_facts(folder)
    earlier = {name: get_recipe(folder / "recipes" / f"{name}.yaml") for name in facts["recipes"]}
    for recipe in plan.recipes:
        if earlier.setdefault(recipe.name, recipe) != recipe:
            raise InputError(
                f"{folder} holds another recipe '{recipe.name}'. "
                "Give the new one another name, or name another folder."
            )
    seeds = tuple(sorted({*plan.seeds, *facts["seeds"]}))
    return Plan(tuple(earlier.values()), seeds, tuple(sorted({*plan.draws, *facts["draws"]})))


def write_facts(folder: Path, plan: Plan, facts: dict[str, Any], trainer: Trainer) -> None:
    """Write study.json, the recipes and the trainer."""
    for recipe in plan.recipes:
        write_text(folder / "recipes" / f"{recipe.name}.yaml", recipe.to_yaml())
    write_text(folder / "trainer.yaml", trainer.to_yaml())
    names = [recipe.name for recipe in plan.recipes]
    runs = {"recipes": names, "seeds": list(plan.seeds), "draws": list(plan.draws)}
    write_json(folder / _FILE, {**facts, **runs})


def read_facts(folder: Path) -> dict[str, Any]:
    """Read study.json."""
    if not (folder / _FILE).is_file():
        raise InputError(f"{folder} is no study: it has no {_FILE}.")
    return read_json(folder / _FILE)


def read_trials(folder: Path, facts: dict[str, Any]) -> Sequence[Trial]:
    """Return the runs that a study on disk has or will have."""
    recipes = [get_recipe(folder / "recipes" / f"{name}.yaml") for name in facts["recipes"]]
    return Plan(tuple(recipes), tuple(facts["seeds"]), tuple(facts["draws"])).trials
