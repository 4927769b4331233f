"""Backbones by name: published ones, files of one's own, and those of the model hubs."""

from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

from torch import nn

from equipoise.backbones.activations import Trunk
from equipoise.backbones.hubs import HF, TIMM, from_timm, from_transformers
from equipoise.backbones.published import BACKBONES
from equipoise.errors import unknown

__all__ = ["Backbone", "get_backbone"]


class Backbone(Protocol):
    """A pretrained net, whatever is behind it.

    Attributes
    ----------
    name : str
        By which it is found again.
    digest : str
        Of its weights.
    licence : str
        Of the weights.
    size : int
        Side of the pictures that it was trained on, in pixels.
    side : int
        What larger pictures are brought to for it.
    blocks : int
        How many of its last blocks can be tuned, besides the head.
    statistics : pair of tuples of float
        Mean and standard deviation of each channel that it takes, on a scale from 0 to 1.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102
    @property
    def licence(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def side(self) -> int: ...  # noqa: D102
    @property
    def blocks(self) -> int: ...  # noqa: D102
    @property
    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]: ...  # noqa: D102

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise `InputError` for pictures of a (height, width) that it cannot take."""

    def trunk(self, tuned: int = 0) -> Trunk:
        """Return all but the last `tuned` blocks; without any an embedding of a picture."""
        ...

    def tail(self, tuned: int | Literal["all"], classes: int, size: tuple[int, int]) -> nn.Module:
        """Return the last `tuned` blocks with a new head, to be trained.

        It takes what `trunk(tuned)` makes of pictures of a size; with 'all' it takes pictures,
        (N, 3, H, W) normalised.
        """
        ...


def get_backbone(name: str) -> Backbone:
    """Return a backbone by its name.

    Parameters
    ----------
    name : str
        A name of `BACKBONES`; a file of ONNX that embeds pictures; `hf/` and a repository of the
        Hugging Face hub, or a folder of a model that transformers saved; `timm/` and a name of
        timm.

    Raises
    ------
    InputError
        For a name that there is not, a library that is missing, or a net that makes no embedding.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    path = Path(name.removeprefix(HF))
    if path.suffix == ".onnx":
        from equipoise.backbones.onnx_file import onnx_file

        return _kept(onnx_file, str(path), _stamp(path))
    if name.startswith(HF) or (path / "config.json").is_file():
        return _kept(from_transformers, name, _stamp(path))
    if name.startswith(TIMM):
        return _kept(from_timm, name, 0)
    raise unknown("backbone", name, [*BACKBONES, "FILE.onnx", f"{HF}REPO", f"{TIMM}NAME"])


@lru_cache(maxsize=4)
def _kept(make, name: str, stamp: int) -> Backbone:  # type: ignore[no-untyped-def]
    """A net is read once, unless its file has changed."""
    return make(name)


def _stamp(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else [path] if path.is_file() else []
    return max((file.stat().st_mtime_ns for file in files), default=0)
