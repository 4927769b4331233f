"""An ONNX file as a backbone: any embedding of pictures of one's own, to put a linear head on."""

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.compose import add_prefix, merge_models
from torch import nn

from equipoise.backbones.activations import Trunk
from equipoise.backbones.hubs import IMAGENET, USUAL
from equipoise.backbones.probe import LinearProbe
from equipoise.backbones.runtime import onnx_trunk
from equipoise.errors import InputError, reason, require

__all__ = ["OnnxFile", "onnx_file"]

Statistics = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class OnnxFile:
    """See `named.Backbone`; `fixed` is the (height, width) that the file takes alone, if any."""

    name: str
    size: int
    fixed: tuple[int, int] | None
    features: int
    graph: bytes

    blocks = 0
    licence = "the file's own"
    statistics = IMAGENET

    @property
    def side(self) -> int:
        """What larger pictures are brought to: the size of the file."""
        return self.size

    @cached_property
    def digest(self) -> str:
        """Of the graph with its weights."""
        return sha256(self.graph).hexdigest()

    @cached_property
    def _trunk(self) -> Trunk:
        return onnx_trunk(self.graph)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise `InputError` for pictures of a (height, width) that the file cannot take."""
        if self.fixed is not None and size != self.fixed:
            raise InputError(
                f"backbone {self.name} takes pictures of {self.fixed[1]}×{self.fixed[0]}, but got "
                f"{size[1]}×{size[0]}. Give size {self.size}."
            )

    def trunk(self, tuned: int = 0) -> Trunk:
        """Return the file as a trunk, which no block can be taken from."""
        require(tuned == 0, f"tuned_blocks 0 for {self.name}", tuned_blocks=tuned)
        return self._trunk

    def tail(self, tuned: int | Literal["all"], classes: int, size: tuple[int, int]) -> nn.Module:
        """Return a linear head."""
        require(tuned == 0, f"tuned_blocks 0 for {self.name}", tuned_blocks=tuned)
        return LinearProbe(self.features, classes)


def onnx_file(name: str) -> OnnxFile:
    """Return a file of ONNX as a backbone.

    It has one input of pictures, N×H×W×3 or N×3×H×W with N free: as uint8 they come as they are, as
    floats normalised by the `mean` and `std` of its metadata (JSON lists on a scale from 0 to 1)
    or else by ImageNet's. Its first output is N×D.

    Raises
    ------
    InputError
        If it is something else.
    """
    path = Path(name).absolute()
    try:
        model = onnx.load(path)
    except FileNotFoundError:
        raise InputError(f"backbone {name}: there is no such file.") from None
    except Exception as error:
        # What is no ONNX raises what protobuf or the system do.
        raise InputError(f"backbone {name} is no model of ONNX: {reason(error)}.") from None
    given = _input(model, name)
    channels, fixed = _layout(given, name)
    try:
        graph = _from_pixels(model, given, channels).SerializeToString()
        size = fixed or (USUAL, USUAL)
        values = onnx_trunk(graph).run(np.zeros((2, *size, 3), np.uint8))
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"backbone {name} does not run: {reason(error)}.") from None
    if values.ndim != 2 or len(values) != 2:
        raise InputError(
            f"backbone {name}: its first output must be an N×D embedding, but two pictures give "
            f"{'×'.join(map(str, values.shape))}."
        )
    side = max(size)
    return OnnxFile(str(path), side, fixed, values.shape[1], graph)


def _input(model: Any, name: str) -> Any:
    """Return a model's one input."""
    weights = {one.name for one in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise InputError(f"backbone {name} must have one input, but has {len(inputs)}: {names}.")
    return inputs[0]


def _layout(given: Any, name: str) -> tuple[int, tuple[int, int] | None]:
    """Return where the channels of an input's pictures are, and their size where it is fixed."""
    shape = given.type.tensor_type.shape.dim
    sides = [one.dim_value if one.HasField("dim_value") else None for one in shape]
    if len(sides) != 4 or sides[0] is not None or 3 not in (sides[1], sides[3]):
        shown = "×".join("?" if side is None else str(side) for side in sides)
        raise InputError(
            f"backbone {name} must take pictures N×H×W×3 or N×3×H×W with N free, but takes {shown}."
        )
    channels = 1 if sides[1] == 3 else 3
    height, width = (side for place, side in enumerate(sides) if place not in (0, channels))
    if height != width and None not in (height, width):
        raise InputError(f"backbone {name} must take square pictures, but takes {width}×{height}.")
    return channels, None if height is None or width is None else (height, width)


def _from_pixels(model: Any, given: Any, channels: int) -> Any:
    """Return a model from `pictures`, N×H×W×3 uint8, to `activations`."""
    taken = f"own/{model.graph.output[0].name}"
    before, own = _before(model, given, channels), add_prefix(model, "own/")
    before.ir_version = model.ir_version
    whole = merge_models(before, own, [("prepared", f"own/{given.name}")], outputs=[taken])
    cast = helper.make_node("Cast", [taken], ["activations"], to=TensorProto.FLOAT)
    whole.graph.node.append(cast)
    output = helper.make_tensor_value_info("activations", TensorProto.FLOAT, [None] * 2)
    del whole.graph.output[:], whole.opset_import[:]
    whole.graph.output.append(output)
    whole.opset_import.extend(model.opset_import)
    return whole


def _before(model: Any, given: Any, channels: int) -> Any:
    """Return the graph that makes of pictures what a model takes."""
    nodes: list[Any] = []
    constants: list[Any] = []
    kind, last = given.type.tensor_type.elem_type, "pictures"

    def add(operation: str, *more: np.ndarray, **fields: Any) -> None:
        nonlocal last
        names = [f"c{len(constants) + k}" for k in range(len(more))]
        constants.extend(
            numpy_helper.from_array(value, name) for value, name in zip(more, names, strict=True)
        )
        output = f"x{len(nodes)}"
        nodes.append(helper.make_node(operation, [last, *names], [output], **fields))
        last = output

    if kind != TensorProto.UINT8:
        mean, std = _statistics(model)
        add("Cast", to=TensorProto.FLOAT)
        add("Sub", np.asarray(mean, np.float32) * 255)
        add("Div", np.asarray(std, np.float32) * 255)
        if kind != TensorProto.FLOAT:
            add("Cast", to=kind)
    if channels == 1:
        add("Transpose", perm=[0, 3, 1, 2])
    nodes.append(helper.make_node("Identity", [last], ["prepared"]))
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["n", "h", "w", 3])
    prepared = helper.make_tensor_value_info("prepared", kind, [None] * 4)
    graph = helper.make_graph(nodes, "pixels", [pictures], [prepared], constants)
    opsets = [one for one in model.opset_import if one.domain in ("", "ai.onnx")]
    return helper.make_model(graph, opset_imports=opsets)


def _statistics(model: Any) -> Statistics:
    found = {one.key: one.value for one in model.metadata_props}
    mean, std = (
        tuple(map(float, json.loads(found[key]))) if key in found else usual
        for key, usual in zip(("mean", "std"), IMAGENET, strict=True)
    )
    return mean, std
