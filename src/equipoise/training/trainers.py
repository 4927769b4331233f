"""`Trainer`: how a net is trained, as data, and the named trainers.

A trainer is one and the same for every recipe of a comparison, so that no comparison confuses the
net or its optimiser with the measure against imbalance.
"""

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    model_serializer,
)

from equipoise.errors import InputError, require, unknown
from equipoise.files import read_yaml
from equipoise.images import Splits
from equipoise.recipes import Number, Whole, validation_line
from equipoise.selection import LARGE, SMALL
from equipoise.training.budgets import budget

__all__ = [
    "NAMED",
    "Function",
    "Trainer",
    "TrainerLike",
    "get_trainer",
    "large_side",
    "trainer_beside",
    "with_trainer",
]


# A training function of one's own: see `equipoise.training.Task`.
Function = Callable[[Any], Any]


class Trainer(BaseModel):
    """How a net is trained.

    Attributes
    ----------
    name : str
    net : str
        Name of a net in `equipoise.training.NETS`, or `timm/` and the name of one of timm.
    weights : str, optional
        What a net of timm starts from: 'pretrained', or a file of weights.
    backbone : str, optional
        A pretrained net in the place of `net`: `lite0`, `lite1`, `lite2`, FILE.onnx, `hf/` and a
        repository or folder, or `timm/` and a name.
    tuned_blocks : int or 'all'
        How many of the backbone's last blocks are trained, besides the head. The others are a
        frozen trunk, whose activations are computed once and kept; with 0 a linear head is trained
        on its embeddings. 'all' trains the whole net on pixels.
    views : int
        On a frozen trunk: between how many augmented views of an image, besides the clean one,
        fresh augmentation chooses.
    head_rate : float
        Of a backbone: the head's learning rate is so many times that of the blocks.
    optimiser : {'adam', 'adamw', 'sgd', 'muon'}
        Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015; Loshchilov and
        Hutter, "Decoupled weight decay regularization", ICLR 2019; SGD with Nesterov momentum;
        Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    learning_rate : float
        The highest one.
    momentum : float
        Of SGD and Muon.
    weight_decay : float
    schedule : str
        Name of a schedule in `equipoise.training.SCHEDULES`.
    batch_size : int
    epochs : int
        The budget, and how often the net is evaluated. See `equipoise.training.budget`.
    least_steps : int
        A small set gets more epochs than these, so that there are so many steps, unless the number
        of epochs is given apart from the trainer.
    label_smoothing : float
        Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016.
    ema : float, optional
        Decay a step of the moving average of the weights that is evaluated and kept; less in the
        first steps: at most (1 + step) / (10 + step).
    clip : float, optional
        Largest norm of the gradient.
    flip : {'none', 'random', 'alternating'}
        Mirrors images of every class, whatever the recipe does. Alternating: in every other pass,
        a random half of the images in the first (Jordan, "94% on CIFAR-10 in 3.29 seconds on a
        single GPU", 2024).
    shift : float
        Moves images of every class by whole pixels, up to this share of height and width each
        way, the rim reflected, whatever the recipe does; anew each time.
    test_time_flip : bool
        Logits are the mean over an image and its mirror image.
    keep : {'last', 'best'}
        The weights of the last epoch, or of the one that did best on validation.
    patience : int, optional
        Stops after so many epochs without a better one on validation.
    precision : {'float32', 'bfloat16'}
        Of the steps' products and convolutions; weights, sums and evaluation stay float32. On a CPU
        bfloat16 is slower unless it computes in it (AMX, AVX512-BF16).
    compile : bool
        Whether the steps run through `torch.compile`, which needs a C++ compiler, a minute before
        the first step, and is not always faster.
    function : callable, optional
        Trains instead of all that: see `equipoise.training.Task`. Files hold 'own' for it.
    version : str, optional
        Of that function.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    net: str = "article"
    weights: str | None = None
    backbone: str | None = None
    tuned_blocks: Annotated[int, Field(ge=0, le=64)] | Literal["all"] = 0
    views: Annotated[int, Field(ge=1, le=64)] = 2
    head_rate: Annotated[float, Field(gt=0, le=1000)] = 1.0
    optimiser: Literal["adam", "adamw", "sgd", "muon"] = "adam"
    learning_rate: Annotated[Number, Field(gt=0, le=10)] = 1e-3
    momentum: Annotated[Number, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[Number, Field(ge=0, le=1)] = 0.0
    schedule: Literal["constant", "linear", "cosine", "one_cycle", "step"] = "constant"
    batch_size: Annotated[Whole, Field(ge=2, le=65536)] = 64
    epochs: Annotated[Whole, Field(ge=1, le=100_000)] = 10
    least_steps: Annotated[Whole, Field(ge=0, le=100_000)] = 0
    label_smoothing: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    ema: Annotated[Number, Field(gt=0, lt=1)] | None = None
    clip: Annotated[Number, Field(gt=0)] | None = None
    flip: Literal["none", "random", "alternating"] = "none"
    shift: Annotated[Number, Field(ge=0, le=0.5)] = 0.0
    test_time_flip: bool = False
    keep: Literal["last", "best"] = "last"
    patience: Annotated[Whole, Field(ge=1)] | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    function: Function | Literal["own"] | None = None
    version: str | None = None

    @field_serializer("function")
    def _unnamed(self, function: Function | Literal["own"] | None) -> Literal["own"] | None:
        return None if function is None else "own"

    # A return type would take the fields' place in the schema.
    @model_serializer(mode="wrap")
    def _own_alone(self, fields: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        """Of a function of one's own nothing else counts; without one its fields do not."""
        kept = fields(self).items()
        return {k: v for k, v in kept if (k in _OWN if self.function else k not in _OWN[1:])}

    def to_yaml(self) -> str:
        """Return the trainer as YAML that `get_trainer` reads."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


# The fields of a trainer that is a function.
_OWN = ("name", "function", "version")

# Cao et al., "Learning imbalanced datasets with label-distribution-aware margin loss", 2019,
# with Nesterov's momentum.
_LONGTAIL = Trainer(
    name="longtail",
    net="resnet32",
    optimiser="sgd",
    learning_rate=0.1,
    weight_decay=2e-4,
    schedule="step",
    batch_size=128,
    epochs=200,
    flip="random",
    shift=0.125,
)

# Chosen on validation images: docs/results/training.md.
_FAST = Trainer(
    name="fast",
    net="airbench",
    optimiser="muon",
    learning_rate=0.03,
    weight_decay=0.1,
    schedule="one_cycle",
    batch_size=128,
    epochs=12,
    label_smoothing=0.1,
    ema=0.99,
    flip="alternating",
    shift=0.125,
    test_time_flip=True,
)

# Its rate, decay, schedule, batches and smoothing were found by a search: docs/results/search.md.
_STRONG = _FAST.model_copy(
    update={
        "name": "strong",
        "net": "airbench_wide",
        "learning_rate": 0.09,
        "weight_decay": 0.0,
        "schedule": "constant",
        "batch_size": 64,
        "epochs": 10,
        "label_smoothing": 0.0,
        "ema": 0.998,
    }
)

# For digits, text and whatever else has a left and a right.
_UPRIGHT = _FAST.model_copy(update={"name": "upright", "flip": "none", "test_time_flip": False})

# A pretrained net whose last blocks are trained. Chosen by cross-validation, with whole groups held
# out: docs/results/photograph-settings.md.
_FINETUNE = Trainer(
    name="finetune",
    backbone="lite0",
    tuned_blocks=1,
    optimiser="adamw",
    learning_rate=1e-3,
    weight_decay=0.01,
    schedule="one_cycle",
    batch_size=16,
    epochs=2,
    least_steps=200,
    label_smoothing=0.05,
    flip="random",
)

_PROBE = _FINETUNE.model_copy(
    update={
        "name": "probe",
        "tuned_blocks": 0,
        "learning_rate": 1e-3,
        "batch_size": 64,
        "epochs": 10,
        "label_smoothing": 0.1,
    }
)

NAMED: dict[str, Trainer] = {
    trainer.name: trainer
    for trainer in (
        _FAST, _UPRIGHT, _STRONG, Trainer(name="article"), _LONGTAIL, _FINETUNE, _PROBE,
        _FINETUNE.model_copy(
            update={
                "name": "finetune-all",
                "tuned_blocks": "all",
                "learning_rate": 3e-4,
                "head_rate": 5.0,
                "batch_size": 32,
                "epochs": 8,
                "least_steps": 0,
            }
        ),
    )
}  # fmt: skip

# Without a name: for pictures up to `SMALL` pixels a side, and for larger ones.
_DEFAULT, _LARGE_DEFAULT = "fast", "finetune"


TrainerLike = str | Path | Trainer | Function


def get_trainer(
    spec: TrainerLike | None = None,
    *,
    epochs: int | None = None,
    net: str | None = None,
    backbone: str | None = None,
) -> Trainer:
    """Return a trainer by its name or from its YAML file, with what else is given in its place.

    A function is a trainer by its `name` (or else its own) and `version`. Without a trainer a
    backbone is tuned, or probed where it has no blocks to tune.

    Raises
    ------
    InputError
        If there is no such trainer, net or field, or a value is out of its range.
    """
    if spec is None:
        spec = _DEFAULT if backbone is None else _for_backbone(backbone)
    if isinstance(spec, Trainer):
        trainer = spec
    elif callable(spec):
        trainer = _of_function(spec)
    elif str(spec) in NAMED:
        trainer = NAMED[str(spec)]
    elif Path(spec).suffix in (".yaml", ".yml"):
        trainer = _read(Path(spec))
    else:
        raise unknown("trainer", str(spec), NAMED)
    if trainer.function is not None:
        return _checked_own(trainer, epochs=epochs, net=net, backbone=backbone)
    if epochs is not None:
        require(1 <= epochs <= 100_000, "1 <= epochs <= 100000", epochs=epochs)
        trainer = trainer.model_copy(update={"epochs": epochs, "least_steps": 0})
    if net is not None:
        rule = "a trainer without a backbone where a net is named"
        require(trainer.backbone is None, rule, trainer=trainer.name, net=net)
        trainer = trainer.model_copy(update={"net": net})
    if backbone is not None:
        rule = "a trainer with a backbone, such as finetune, where another is named"
        require(trainer.backbone is not None, rule, trainer=trainer.name, backbone=backbone)
        trainer = trainer.model_copy(update={"backbone": backbone})
    _check_net(trainer)
    return trainer


def _for_backbone(backbone: str) -> str:
    from equipoise.backbones import get_backbone

    return _LARGE_DEFAULT if get_backbone(backbone).blocks else "probe"


def _of_function(function: Function) -> Trainer:
    name = str(getattr(function, "name", None) or getattr(function, "__name__", ""))
    version = getattr(function, "version", None)
    version = None if version is None else str(version)
    try:
        return Trainer(name=name, version=version, function=function, epochs=1)
    except ValidationError:
        raise InputError(
            f"A training function needs a name of letters, digits and ._- , but got name={name!r}. "
            "Set its attribute `name`."
        ) from None


def _checked_own(trainer: Trainer, **given: int | str | None) -> Trainer:
    require(
        trainer.function != "own",
        "the function itself for a trainer that is one of your own",
        "Give it in Python as trainer=.",
        trainer=trainer.name,
    )
    for option, value in given.items():
        rule = f"no {option} for a training function, which trains as it likes"
        require(value is None, rule, trainer=trainer.name)
    return trainer


def with_trainer(
    data: Splits,
    spec: TrainerLike | None = None,
    *,
    epochs: int | None = None,
    net: str | None = None,
    backbone: str | None = None,
) -> tuple[Splits, Trainer]:
    """Return a data set and its trainer; where none is named, by the size of the pictures.

    A note of the data set then says which trainer it is and why. A net that is named is trained
    as nets from scratch are. The trainer's epochs make its `least_steps` on this set.
    """
    if spec is not None or net is not None or backbone is not None:
        trainer = get_trainer(spec, epochs=epochs, net=net, backbone=backbone)
        return data, _for_set(trainer, data)
    height, width = data.train.array.shape[1:3]
    large = max(height, width) > SMALL
    trainer = get_trainer(_LARGE_DEFAULT if large else _DEFAULT, epochs=epochs)
    what = f"a pretrained {trainer.backbone}" if trainer.backbone else "a net from scratch"
    note = (
        f"Trainer {trainer.name} ({what}): the pictures are {width}×{height} and it is the default "
        f"{'above' if large else 'up to'} {SMALL} pixels; --trainer names another"
    )
    return replace(data, notes=(*data.notes, note)), _for_set(trainer, data)


def _for_set(trainer: Trainer, data: Splits) -> Trainer:
    """Return a trainer with the epochs that make its least number of steps."""
    if not (trainer.least_steps and len(data.train)):
        return trainer
    each = budget(data.train.labels, trainer).steps_per_epoch
    epochs = max(trainer.epochs, ceil(trainer.least_steps / each))
    return trainer.model_copy(update={"epochs": epochs, "least_steps": 0})


def large_side(
    spec: TrainerLike | None, net: str | None = None, backbone: str | None = None
) -> int:
    """Return what pictures above 64 pixels are brought to for a trainer, where no size is given."""
    if spec is None and net is None and backbone is None:
        return LARGE
    from equipoise.backbones import get_backbone

    trainer = get_trainer(spec, net=net, backbone=backbone)
    if trainer.function is not None:
        return LARGE
    return SMALL if trainer.backbone is None else get_backbone(trainer.backbone).side


def trainer_beside(recipe: str | Path) -> Path | None:
    """Return a recipe's file where it holds a trainer too, as a search's best.yaml does.

    The file must be one that `get_recipe` has read.
    """
    path = Path(recipe)
    is_file = path.suffix in (".yaml", ".yml") and path.is_file()
    both = is_file and "trainer" in read_yaml(path, "a recipe's fields")
    return path if both else None


def _check_net(trainer: Trainer) -> None:
    from equipoise.backbones import get_backbone
    from equipoise.training.nets import check_net

    check_net(trainer.net, trainer.weights)
    if trainer.backbone is not None:
        _check_backbone(trainer, get_backbone(trainer.backbone).blocks)


def _check_backbone(trainer: Trainer, blocks: int) -> None:
    """Raise `InputError` for fields that do not go with a backbone."""
    tuned, remedy = trainer.tuned_blocks, "" if blocks else "Take the trainer probe."
    fits = blocks > 0 if tuned == "all" else tuned <= blocks
    require(fits, f"tuned_blocks <= {blocks} for {trainer.backbone}", remedy, tuned_blocks=tuned)
    if tuned == "all":
        return
    rule = "no shift and no test_time_flip on cached activations"
    require(not (trainer.shift or trainer.test_time_flip), rule, trainer=trainer.name)


def _read(path: Path) -> Trainer:
    # A file with both, such as a search's best.yaml, holds each under its own key.
    fields = read_yaml(path, "a trainer's fields, such as 'epochs: 10'", "trainer")
    try:
        return Trainer(**{"name": path.stem, **fields})
    except ValidationError as error:
        raise InputError(f"{path}: {validation_line(error, Trainer)}") from None
