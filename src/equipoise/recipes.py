"""`Recipe`: one measure against imbalance as data, and the named recipes.

A recipe says what is done about the imbalance and nothing about the net or its optimiser: those
are the trainer's, the same for every recipe of a comparison.
"""

from collections.abc import Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from equipoise.errors import InputError, printable, reason, require, unknown
from equipoise.files import read_yaml
from equipoise.techniques import Technique, register, registered, resolve

__all__ = [
    "NAMED",
    "SUMMARIES",
    "Number",
    "Recipe",
    "Whole",
    "get_recipe",
    "load_recipes",
    "validation_line",
]


def _no_yes(value: Any) -> Any:
    """Refuse true and false, also written yes and no, which Python would take for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number is needed")
    return value


Number = Annotated[float, BeforeValidator(_no_yes)]
Whole = Annotated[int, BeforeValidator(_no_yes)]

_Ratio = Annotated[Number, Field(gt=0, le=1)]
_Counts = dict[str, Annotated[Whole, Field(ge=0)]]
_Shares = dict[str, Annotated[Number, Field(ge=0, le=1)]]
Strategy = Literal["auto", "minority", "not minority", "not majority", "all"] | _Ratio | _Counts
Undersample = Literal["auto", "majority", "not minority", "not majority", "all"] | _Ratio | _Counts
# A name, or {name: {parameter: value}}; the room that owns the catalogue resolves it.
Choice = str | Annotated[dict[str, dict[str, Any] | None], Field(min_length=1, max_length=1)]


class Recipe(BaseModel):
    """One measure against imbalance.

    Attributes
    ----------
    name : str
        How tables and folders call it.
    strategy : str, float or dict, optional
        imbalanced-learn's `sampling_strategy`: the classes to bring up and how far. A dict goes
        from class name to target count. None leaves the counts as they are.
    undersample : str, float or dict, optional
        imbalanced-learn's `sampling_strategy` for under-sampling: the classes to bring down and
        how far, before any upsampling. None takes nothing away.
    techniques : list of str or dict
        Augmentations that make the copies: names, or one-key dicts `{name: {parameter: value}}`.
        Without any, copies are plain duplicates.
    weights : list of float, optional
        One a technique: their shares of the copies, or of the fresh draws that are not left clean.
        Equal by default.
    augmentation : {'static', 'fresh'}
        Static copies are made once, before training. Fresh: every drawn image is, with equal
        probability, left clean or given one of the techniques, anew each time.
    scope : {'minority', 'all'}
        Which images the techniques touch: those of the classes that are brought up, or all. With
        static copies, `all` gives every class the same share of augmented images.
    strength : dict, optional
        From class name, `majority` or `minority` to a share of the techniques' own strength, in
        [0, 1]: 0 leaves the images of a class clean. 1 for all by default.
    extra : str, optional
        A folder of class folders with images from elsewhere, such as a generative model's, which
        join training and nothing else. In a YAML file it is relative to the file; in a recipe made
        in Python, to the current folder.
    extra_weight : float
        In (0, 1]: how much an image of the `extra` folder counts in the loss, where a real one
        counts 1.
    synthesise : {'smote', 'borderline_smote', 'adasyn'}, optional
        What brings classes up, 'auto' without a strategy, in the place of copies: points between
        embeddings of a class, by imbalanced-learn. Only for a trainer with a linear head on a
        frozen backbone, such as `probe`; without techniques.
    draws : {'natural', 'balanced', 'square_root', 'progressive'}
        Natural: passes over the whole set. Balanced: each class is drawn equally often. Square
        root: in proportion to the square root of its size. Progressive: from natural shares to
        equal ones in the course of training.
    mixing : str or dict, optional
        `mixup`, `cutmix` or `cmo`, or `{name: {parameter: value}}`; see
        `equipoise.training.MIXINGS`.
    loss : str or dict
        The name of a loss, or `{name: {parameter: value}}`; see `equipoise.training.LOSSES`.
        Weights, margins and priors are those of the set after under- and upsampling.
    defer : float
        The share of the budget, in [0, 1), after which the loss's class weights count and balanced
        or square-root draws begin; before it training is unweighted and natural.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    strategy: Strategy | None = None
    undersample: Undersample | None = None
    techniques: tuple[str | dict[str, dict[str, Any]], ...] = ()
    weights: tuple[Annotated[Number, Field(gt=0, le=1e6)], ...] | None = None
    augmentation: Literal["static", "fresh"] = "static"
    scope: Literal["minority", "all"] = "minority"
    strength: _Shares | None = None
    extra: str | None = None
    extra_weight: Annotated[Number, Field(gt=0, le=1)] = 1.0
    synthesise: Literal["smote", "borderline_smote", "adasyn"] | None = None
    draws: Literal["natural", "balanced", "square_root", "progressive"] = "natural"
    mixing: Choice | None = None
    loss: Choice = "cross_entropy"
    defer: Annotated[Number, Field(ge=0, lt=1)] = 0.0

    def resolved(self) -> tuple[Technique, ...]:
        """Return the techniques with their parameters checked; an error names a wrong one."""
        fits = self.weights is None or len(self.weights) == len(self.techniques)
        require(
            fits,
            "one weight a technique",
            weights=self.weights,
            techniques=len(self.techniques),
        )
        return tuple(resolve(spec) for spec in self.techniques)

    def __getstate__(self) -> dict[Any, Any]:
        # Registered techniques go with the recipe: where it is carried out, their names are known.
        return {**super().__getstate__(), "registered": registered(self.resolved())}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        for name, function in state["registered"].items():
            register(name, function)
        super().__setstate__({key: part for key, part in state.items() if key != "registered"})

    def to_yaml(self) -> str:
        """Return the recipe as YAML that `get_recipe` reads."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


_ARTICLE = ("crop", "flip", "noise")

# Where Cao et al. defer to: 160 of 200 epochs.
_LATE = 0.8

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
        Recipe(
            name="cutout",
            draws="balanced",
            techniques=("erase",),
            augmentation="fresh",
            scope="all",
        ),
        Recipe(
            name="trivial-cutout",
            draws="balanced",
            techniques=("trivial", "erase"),
            augmentation="fresh",
            scope="all",
        ),
        Recipe(name="undersample", undersample="auto"),
        Recipe(name="resample", draws="balanced"),
        Recipe(name="square-root", draws="square_root"),
        Recipe(name="progressive", draws="progressive"),
        Recipe(name="effective-number", loss="effective_number"),
        Recipe(name="focal", loss="focal"),
        Recipe(name="drw", loss="effective_number", defer=_LATE),
        Recipe(name="drs", draws="balanced", defer=_LATE),
        Recipe(name="ldam", loss="ldam"),
        Recipe(name="ldam-drw", loss="ldam", defer=_LATE),
        Recipe(name="balanced-softmax", loss="balanced_softmax"),
        Recipe(name="logit-adjusted", loss="logit_adjusted"),
        Recipe(name="mixup", mixing="mixup"),
        Recipe(name="mixup-drw", mixing="mixup", loss="effective_number", defer=_LATE),
        Recipe(name="cutmix", mixing="cutmix"),
        Recipe(name="cutmix-drw", mixing="cutmix", loss="effective_number", defer=_LATE),
        Recipe(name="cmo", mixing="cmo"),
        Recipe(name="cmo-drw", mixing="cmo", loss="effective_number", defer=_LATE),
    )
}


# What each named recipe does, and whose it is where a paper made it known.
SUMMARIES: dict[str, str] = {
    "none": "Nothing is done about the imbalance.",
    "duplicate": "Rarer classes brought up to the largest by plain copies.",
    "weights": "Cross-entropy weighted by the inverse class frequency.",
    "article": "Rarer classes brought up by cropped, flipped and noised copies, made once.",
    "article-blur": "As article, with blur in place of noise.",
    "balanced": "Each class drawn equally often, all classes cropped, flipped and noised afresh.",
    "cutout": "Each class drawn equally often, boxes of all classes blanked (DeVries 2017).",
    "trivial-cutout": "As cutout, with TrivialAugment in as many draws (Müller and Hutter 2021).",
    "undersample": "Larger classes brought down to the smallest.",
    "resample": "Each class drawn equally often.",
    "square-root": "Classes drawn by the square root of their size (Mahajan et al. 2018).",
    "progressive": "Draws that go from natural to balanced during training (Kang et al. 2020).",
    "effective-number": "Weights by the effective number of images (Cui et al. 2019).",
    "focal": "Focal loss, in which what is already recognised counts less (Lin et al. 2017).",
    "drw": "Effective-number weights in the last fifth only (Cao et al. 2019).",
    "drs": "Balanced draws in the last fifth only (Cao et al. 2019).",
    "ldam": "Margins that are larger for rarer classes (Cao et al. 2019).",
    "ldam-drw": "As ldam, with effective-number weights in the last fifth (Cao et al. 2019).",
    "balanced-softmax": "Softmax shifted by the class counts in training (Ren et al. 2020).",
    "logit-adjusted": "Logits shifted by the log prior in training (Menon et al. 2021).",
    "mixup": "Images and labels mixed in pairs (Zhang et al. 2018).",
    "mixup-drw": "As mixup, with effective-number weights in the last fifth.",
    "cutmix": "A box of another image pasted into each (Yun et al. 2019).",
    "cutmix-drw": "As cutmix, with effective-number weights in the last fifth.",
    "cmo": "A box of a class-balanced draw pasted into half of the images (Park et al. 2022).",
    "cmo-drw": "As cmo, with effective-number weights in the last fifth.",
}


def get_recipe(spec: str | Path | Recipe) -> Recipe:
    """Return a recipe by its name or from its YAML file, every name in it resolved."""
    if isinstance(spec, Recipe):
        recipe = spec
    elif str(spec) in NAMED:
        recipe = NAMED[str(spec)]
    elif Path(spec).suffix in (".yaml", ".yml"):
        return _read(Path(spec))
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
    fields = read_yaml(path, "a recipe's fields, such as 'strategy: auto'", "recipe")
    given = {"name": path.stem, **fields}
    try:
        if isinstance(given.get("extra"), str):
            given["extra"] = str((path.parent / Path(given["extra"]).expanduser()).absolute())
        recipe = Recipe(**given)
        recipe.resolved()
    except ValidationError as error:
        raise InputError(f"{path}: {validation_line(error, Recipe)}") from None
    except (InputError, RuntimeError) as error:  # a home folder that there is not
        raise InputError(f"{path}: {reason(error)}.") from None
    return recipe


_KINDS = {
    float: "a number",
    int: "a whole number",
    str: "a name",
    bool: "true or false",
    NoneType: "null",
    Any: "a value",
}


def validation_line(error: ValidationError, model: type[BaseModel]) -> str:
    """Return pydantic's first complaint as one line that says what is allowed."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"][:1])
    if first["type"] == "extra_forbidden":
        return str(unknown("field", key, model.model_fields))
    field = model.model_fields.get(key)
    allowed = f" Allowed: {_words(field.annotation)}." if field else ""
    return f"{key}: {first['msg']}, but got {printable(repr(first['input']))}.{allowed}"


def _words(annotation: Any) -> str:
    """Say which values a field takes; their ranges are in pydantic's own message."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(parts[0])
    if origin is Literal:
        return ", ".join(map(str, parts))
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in parts)
    if origin is dict:
        return f"names, each with {_words(parts[1])}"
    if origin is tuple:
        return f"a list, each {_words(parts[0])}"
    return _KINDS.get(annotation, str(annotation))
