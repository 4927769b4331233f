"""A model as an ONNX file that takes images as they are, through the extra `onnx`."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equipoise.errors import InputError, WorkError, reason
from equipoise.files import atomic
from equipoise.training.model import Model

__all__ = ["export_onnx"]

_OPSET = 18


class _Whole(nn.Module):
    """A model's whole way from uint8 images, or a trunk's activations, to the decided label.

    A trunk that is a module of torch is the first part of the way.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: Model, trunk: nn.Module | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        self.net = model.net
        self.flip = model.flip
        self.decision = model.decision
        self.register_buffer("mean", 255 * torch.tensor(model.mean).view(-1, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(model.std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.trunk is not None:
            images = self.trunk(images)
        if images.dtype == torch.uint8:
            images = (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
        else:
            images = _rounded(images)
        logits = self.net(images)
        if self.flip:
            logits = (logits + self.net(images.flip(3))) / 2
        return logits, logits.softmax(1), self.decided(logits.double())

    def decided(self, logits: Tensor) -> Tensor:
        """What `Decision.apply` does."""
        decision = self.decision
        moved = logits + torch.tensor(decision.offsets, dtype=torch.float64)
        if decision.gains is None:
            return moved.argmax(1)
        gains = torch.tensor(decision.gains, dtype=torch.float64)
        return ((decision.scale * moved).softmax(1) @ gains).argmax(1)


def _rounded(activations: Tensor) -> Tensor:
    """Activations as training saw them: in half precision, where a row fits it."""
    halves = activations.half().float()
    fit = halves.flatten(1).isfinite().all(1)
    return torch.where(fit.view(-1, *[1] * (activations.ndim - 1)), halves, activations)


def export_onnx(model: Model, path: str | Path) -> None:
    """Write a model as ONNX, once the file gives what the model gives.

    The input `images` is N×H×W×C uint8 of the model's size, for any N; the outputs are `logits` and
    `probabilities`, N×K float32, and `label`, N int64: the decided class. Normalisation is part of
    the graph, and so are a pretrained net's frozen blocks, and the mean over both mirror images
    where the model takes it. The metadata hold `classes` and the `decision`, tuned on validation,
    for those who decide otherwise: the label is the largest of logits plus `decision.offsets`, and
    where it has `gains`, the largest of softmax(scale · (logits + offsets)) @ gains. Those of a
    model of 16-bit images hold the `range`, too: its values are what 0 and 255 stand for.

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
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, *model.size, model.channels), dtype=np.uint8)
    try:
        proto = _graph(model, images)
        onnx.helper.set_model_props(proto, _metadata(model))
        onnx.checker.check_model(proto)
        logits = _run(proto, images)
    except Exception as error:
        # What torch raises differs from cause to cause and version to version.
        raise WorkError(f"The net {model.net_name} has no ONNX form: {reason(error)}.") from None
    if not np.allclose(logits, model.logits(images), rtol=1e-2, atol=1e-2):
        raise WorkError(f"The net {model.net_name} gives other logits as ONNX than in torch.")
    try:
        with atomic(Path(path)) as part:
            part.write_bytes(proto.SerializeToString())
    except OSError as error:
        raise WorkError(f"{path} cannot be written: {error.strerror}.") from None


def _graph(model: Model, images: NDArray[np.uint8]) -> Any:
    """Return the whole way as a model of ONNX: what torch writes, after a trunk's own graph."""
    import onnx

    trunk = model.trunk
    if trunk is None or trunk.graph is None:
        whole = _Whole(model, None if trunk is None else trunk.module)
        return _written(whole, torch.from_numpy(images), _OPSET)
    first = onnx.load_from_string(trunk.graph)
    opset = next(one.version for one in first.opset_import if one.domain in ("", "ai.onnx"))
    if opset < _OPSET:
        first = onnx.version_converter.convert_version(first, _OPSET)
    head = _written(_Whole(model), torch.from_numpy(trunk.run(images)), max(opset, _OPSET))
    return _after_trunk(first, head)


def _written(whole: nn.Module, given: Tensor, opset: int) -> Any:
    with _quiet():
        program = torch.onnx.export(
            whole.eval(),
            (given,),
            input_names=["images"],
            output_names=["logits", "probabilities", "label"],
            dynamic_shapes={"images": {0: torch.export.Dim("images")}},
            opset_version=opset,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _after_trunk(first: Any, head: Any) -> Any:
    """Return one model of a trunk's graph and what takes its activations as `images`."""
    from onnx.compose import add_prefix, merge_models

    first.ir_version = head.ir_version
    whole = merge_models(add_prefix(first, "trunk/"), head, [("trunk/activations", "images")])
    whole.graph.input[0].name = "images"
    for node in whole.graph.node:
        names = ["images" if name == "trunk/pictures" else name for name in node.input]
        node.input[:] = names
    return whole


def _run(proto: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found: list[Any] = session.run(["logits"], {"images": images})
    return found[0]


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
