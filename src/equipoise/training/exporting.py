"""A model as an ONNX file that takes images as they are, through the extra `onnx`."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.errors import InputError, WorkError, reason
from equipoise.files import atomic
from equipoise.training.model import Model

__all__ = ["export_onnx"]

_OPSET = 18


class _Whole(nn.Module):
    """A model's whole way from uint8 images to logits and probabilities."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.net = model.net
        self.flip = model.flip
        self.register_buffer("mean", 255 * torch.tensor(model.mean).view(-1, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(model.std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pixels = (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
        logits = self.net(pixels)
        if self.flip:
            logits = (logits + self.net(pixels.flip(3))) / 2
        return logits, logits.softmax(1)


def export_onnx(model: Model, path: str | Path) -> None:
    """Write a model as ONNX.

    The input `images` is N×H×W×C uint8 of the model's size, for any N; the outputs are `logits` and
    `probabilities`, N×K float32. Normalisation is part of the graph, and so is the mean over both
    mirror images where the model takes it. The metadata hold `classes` and the `decision`, tuned
    on validation: the decided class is the largest of logits plus `decision.offsets`, and where it
    has `gains`, the largest of softmax(scale · (logits + offsets)) @ gains. Those of a model of
    16-bit images hold the `range`, too: its values are what 0 and 255 stand for.

    Parameters
    ----------
    model : Model
    path : path

    Raises
    ------
    InputError
        Without the extra.
    WorkError
        If the net has what ONNX cannot express, or the file cannot be written.
    """
    onnx = _library()
    images = torch.zeros(2, *model.size, model.channels, dtype=torch.uint8)
    try:
        with _quiet():
            program = torch.onnx.export(
                _Whole(model).eval(),
                (images,),
                input_names=["images"],
                output_names=["logits", "probabilities"],
                dynamic_shapes={"images": {0: torch.export.Dim("images")}},
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:
        # What torch raises differs from cause to cause and version to version.
        raise WorkError(f"The net {model.net_name} has no ONNX form: {reason(error)}.") from None
    assert program is not None
    proto = program.model_proto
    onnx.helper.set_model_props(proto, _metadata(model))
    onnx.checker.check_model(proto)
    try:
        with atomic(Path(path)) as part:
            part.write_bytes(proto.SerializeToString())
    except OSError as error:
        raise WorkError(f"{path} cannot be written: {error.strerror}.") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what torch says of its own inside and of torchvision, which is not needed."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _metadata(model: Model) -> dict[str, str]:
    fields = {
        "classes": list(model.classes),
        "decision": model.decision.to_dict(),
        "temperature": model.temperature,
        "net": model.net_name,
        **({} if model.range is None else {"range": list(model.range)}),
    }
    return {name: json.dumps(value, ensure_ascii=False) for name, value in fields.items()}


def _library() -> Any:
    try:
        import onnx
        import onnxscript  # noqa: F401  torch.onnx works through it
    except (ImportError, RuntimeError):
        raise InputError(
            "ONNX export needs the packages onnx and onnxscript: pip install 'equipoise[onnx]'."
        ) from None
    return onnx
