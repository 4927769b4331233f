"""A model's file: tensors and plain values, each looked at before it is used."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor, nn

from equipoise.backbones import get_backbone
from equipoise.errors import DamagedError, InputError, printable, reason
from equipoise.files import SEALS, atomic, damage
from equipoise.selection import FULL
from equipoise.training.decisions import Decision, plain
from equipoise.training.model import Model
from equipoise.training.nets import Net, build_net
from equipoise.training.stored import packed, read_bytes, unpacked

__all__ = ["MODEL", "load_model", "save_model"]

MODEL = "model.pt"
_FORMAT = 1

# Pixels a side of a model's images: more are no model's, but a file that would fill the memory.
_LARGEST = 2**14


def save_model(model: Model, path: Path) -> None:
    """Write a model as tensors and plain values, whole or not at all; equal ones as equal bytes."""
    values = {
        "format": _FORMAT,
        "net": model.net_name,
        "classes": list(model.classes),
        "size": list(model.size),
        "mean": list(model.mean),
        "std": list(model.std),
        "decision": model.decision.to_dict(),
        "positive": model.positive,
        "flip": model.flip,
        "adjusted": None if model.adjusted is None else model.adjusted.to_dict(),
        "temperature": model.temperature,
        "range": None if model.range is None else list(model.range),
        "backbone": model.backbone,
        "backbone_digest": None if model.backbone is None else get_backbone(model.backbone).digest,
        "tuned_blocks": model.tuned_blocks,
        "fit": model.fit,
    }
    # A pickle also tells which equal values are one object: there and back none is.
    fields = json.loads(json.dumps(values))
    fields["weights"] = dict(model.net.state_dict())
    with atomic(path) as part:
        part.write_bytes(packed(fields))


def load_model(path: str | Path, *, net: Net | None = None) -> Model:
    """Return the model that a run wrote.

    Parameters
    ----------
    path : str or Path
        The run's folder, or its `model.pt`.
    net : callable, optional
        The function (channels, classes, (height, width)) -> module that made the net, where it was
        one of your own.

    Raises
    ------
    InputError
        If there is no model, it is none of ours, or not the one that the run of the folder wrote.
        Nothing in the file is executed.
    """
    path = Path(path)
    if path.is_dir():
        path = _of_run(path)
    fields = _read(path)
    if fields.net == "custom" and net is None:
        raise InputError(
            f"{path} holds a net of your own: give the function that makes it as net=."
        )
    classes, positive = tuple(fields.classes), fields.positive
    try:
        module = _filled(fields, net)
        decision, adjusted = (
            None if one is None else one.made(classes, positive)
            for one in (fields.decision, fields.adjusted)
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return Model(
        net=module.eval(),
        net_name=fields.net,
        classes=classes,
        size=fields.size,
        mean=tuple(fields.mean),
        std=tuple(fields.std),
        decision=decision or plain(len(classes)),
        positive=positive,
        flip=fields.flip,
        adjusted=adjusted,
        temperature=fields.temperature,
        range=fields.range,
        backbone=fields.backbone,
        tuned_blocks=fields.tuned_blocks,
        fit=fields.fit,
    )


def _of_run(folder: Path) -> Path:
    """The model in a run's folder; refused where it is not the one that the run wrote."""
    path = folder / MODEL
    if path.exists() and (folder / SEALS).is_file() and (wrong := damage(folder, [MODEL])):
        raise DamagedError(f"{folder}: {wrong}. Train it again, or name {MODEL} itself.")
    return path


class _Stored(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)


class _Decision(_Stored):
    offsets: list[float]
    objective: str | dict[str, Any] = ""
    tau: float | None = None
    gains: list[list[float]] | None = None
    scale: float = 1.0
    few: dict[str, int] = Field(default_factory=dict)
    unmet: dict[str, float] = Field(default_factory=dict)

    def made(self, classes: Sequence[str], positive: int | None) -> Decision:
        return Decision.from_dict(self.model_dump(), classes, positive)

    def fits(self, classes: int) -> bool:
        """Whether it has an offset, and where there are gains a row and a column, a class."""
        rows = [self.offsets] if self.gains is None else [self.offsets, *self.gains]
        square = self.gains is None or len(self.gains) == classes
        return square and all(len(row) == classes for row in rows)


_Side = Annotated[int, Field(ge=1, le=_LARGEST)]
_Value = Annotated[int, Field(ge=FULL[0], le=FULL[1])]


class _Fields(_Stored):
    """What a model's file holds. Models of earlier versions lack what has a default."""

    format: Literal[1]
    net: str
    weights: dict[str, Tensor]
    classes: Annotated[list[str], Field(min_length=2)]
    size: Annotated[tuple[_Side, _Side], Field(strict=False)]
    mean: list[float]
    std: list[Annotated[float, Field(gt=0)]]
    decision: _Decision
    positive: int | None = None
    flip: bool = False
    adjusted: _Decision | None = None
    temperature: Annotated[float, Field(gt=0)] = 1.0
    range: Annotated[tuple[_Value, _Value], Field(strict=False)] | None = None
    backbone: str | None = None
    backbone_digest: str | None = None
    tuned_blocks: Annotated[int, Field(ge=0)] | Literal["all"] = "all"
    fit: Literal["squash", "crop", "pad"] = "crop"

    @model_validator(mode="after")
    def _agree(self) -> "_Fields":
        classes, decisions = len(self.classes), (self.decision, self.adjusted)
        if not len(self.mean) == len(self.std) in (1, 3, 4):
            raise ValueError("mean and std of 1, 3 or 4 channels")
        if len(set(self.classes)) < classes:
            raise ValueError("classes of different names")
        if any(d is not None and not d.fits(classes) for d in decisions):
            raise ValueError("an offset a class")
        if self.positive is not None and not 0 <= self.positive < classes:
            raise ValueError("a positive class that there is")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError("a range from a lower value to a higher one")
        return self


def _read(path: Path) -> _Fields:
    try:
        return _Fields(**unpacked(read_bytes(path)))
    except OSError as error:
        raise InputError(f"{path}: {reason(error)}. Name a run's folder or its model.pt.") from None
    except ValidationError as error:
        # Without the values: they may be of any size.
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = printable(".".join(map(str, first["loc"][:1])))
        raise InputError(f"{path} is no model of ours: {where}: {first['msg']}.") from None
    except (DamagedError, TypeError) as error:
        raise InputError(f"{path} is no model of ours: {reason(error)}.") from None


def _filled(fields: _Fields, net: Net | None) -> nn.Module:
    """Build a model's net and give it its weights, which must be what the net has."""

    def build() -> nn.Module:
        if fields.backbone is not None:
            pretrained = get_backbone(fields.backbone)
            if fields.backbone_digest not in (None, pretrained.digest):
                raise InputError(
                    f"backbone {fields.backbone} is not the one that the model was trained with."
                )
            return pretrained.tail(fields.tuned_blocks, len(fields.classes), fields.size)
        sizes = (len(fields.mean), len(fields.classes), fields.size)
        return build_net(net or fields.net, *sizes, seed=0)

    if net is None and fields.backbone is None:
        # First without memory: what the fields promise may not be what the file holds.
        with torch.device("meta"):
            module = build()
        _check_weights(fields, module)
    module = build()
    _check_weights(fields, module)
    module.load_state_dict(fields.weights)
    return module


def _check_weights(fields: _Fields, module: nn.Module) -> None:
    wanted = {name: (t.shape, t.dtype) for name, t in module.state_dict().items()}
    found = {name: (t.shape, t.dtype) for name, t in fields.weights.items()}
    plain_ones = all(t.layout == torch.strided for t in fields.weights.values())
    if wanted != found or not plain_ones:
        raise InputError(f"its weights do not fit the net {printable(repr(fields.net))}.")
    if not all(bool(torch.isfinite(t).all()) for t in fields.weights.values()):
        raise InputError("its weights are not finite.")
