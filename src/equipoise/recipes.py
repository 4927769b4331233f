"""`Recipe`: one measure against imbalance as data, and the named recipes.

A recipe says what is done about the imbalance and nothing about the net or its optimiser: those
are the trainer's, the same for every recipe of a comparison.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from equipoise.errors import InputError, unknown
from equipoise.techniques import Technique, resolve

__all__ = ["NAMED", "Recipe", "get_recipe", "load_recipes", "validation_line"]

Strategy = (
    Literal["auto", "minority", "not minority", "not majority", "all"]
    | Annotated[float, Field(gt=0, le=1)]
    | dict[str, Annotated[int, Field(ge=0)]]
)


class Recipe(BaseModel):
    """One measure against imbalance.

    Attributes
    ----------
    name : str
        How tables and folders call it.
    strategy : str, float or dict, optional
        imbalanced-learn's `sampling_strategy`: the classes to bring up and how far. A dict goes
        from class name to target count. None leaves the counts as they are.
    techniques : list of str or dict
        Augmentations that make the copies: names, or one-key dicts `{name: {parameter: value}}`.
        Without any, copies are plain duplicates.
    augmentation : {'static', 'fresh'}
        Static copies are made once, before training. Fresh: every drawn image is, with equal
        probability, left clean or given one of the techniques, anew each time.
    scope : {'minority', 'all'}
        Which images the techniques touch: those of the classes that are brought up, or all. With
        static copies, `all` gives every class the same share of augmented images.
    draws : {'natural', 'balanced'}
        Natural: passes over the whole set. Balanced: each class is drawn equally often.
    loss : str
        Name of a loss, `cross_entropy` or `weighted` (inverse class frequency).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    strategy: Strategy | None = None
    techniques: tuple[str | dict[str, dict[str, Any]], ...] = ()
    augmentation: Literal["static", "fresh"] = "static"
    scope: Literal["minority", "all"] = "minority"
    draws: Literal["natural", "balanced"] = "natural"
    loss: Literal["cross_entropy", "weighted"] = "cross_entropy"

    def resolved(self) -> tuple[Technique, ...]:
        """Return the techniques with their parameters checked; an error names a wrong one."""
        return tuple(resolve(spec) for spec in self.techniques)

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


_ARTICLE = ("crop", "flip", "noise")

NAMED: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(name="none"),
        Recipe(name="duplicate", strategy="auto"),
        Recipe(name="weights", loss="weighted"),
        Recipe(name="article", strategy="auto", techniques=_ARTICLE),
        Recipe(name="article-blur", strategy="auto", techniques=("crop", "flip", "blur")),
        Recipe(
            name="balanced",
            draws="balanced",
            techniques=_ARTICLE,
            augmentation="fresh",
            scope="all",
        ),
    )
}


def get_recipe(spec: str | Path | Recipe) -> Recipe:
    """Return a recipe by its name or from its YAML file, every name in it resolved."""
    if isinstance(spec, Recipe):
        recipe = spec
    elif str(spec) in NAMED:
        recipe = NAMED[str(spec)]
    elif Path(spec).suffix in (".yaml", ".yml"):
        recipe = _read(Path(spec))
    else:
        raise unknown("recipe", str(spec), NAMED)
    recipe.resolved()
    return recipe


def load_recipes(specs: Iterable[str | Path | Recipe]) -> list[Recipe]:
    """Return several recipes in order; their names must differ."""
    recipes = [get_recipe(spec) for spec in specs]
    names = [recipe.name for recipe in recipes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"Each recipe needs a name of its own, but got {', '.join(twice)} twice.")
    if not recipes:
        raise InputError(f"No recipe was given. There is: {', '.join(NAMED)}.")
    return recipes


def _read(path: Path) -> Recipe:
    try:
        fields = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(fields, dict):
        raise InputError(f"{path} must hold a recipe's fields, such as 'strategy: auto'.")
    try:
        return Recipe(**{"name": path.stem, **fields.get("recipe", fields)})
    except ValidationError as error:
        raise InputError(f"{path}: {validation_line(error, Recipe)}") from None


def validation_line(error: ValidationError, model: type[BaseModel]) -> str:
    """Return pydantic's first complaint as one line that says what is allowed."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"][:1])
    if first["type"] == "extra_forbidden":
        return str(unknown("field", key, model.model_fields))
    field = model.model_fields.get(key)
    allowed = f" Allowed: {_words(field.annotation)}." if field else ""
    return f"{key}: {first['msg']}, but got {first['input']!r}.{allowed}"


def _words(annotation: object) -> str:
    text = str(annotation).replace("typing.", "")
    return " ".join(text.split())
