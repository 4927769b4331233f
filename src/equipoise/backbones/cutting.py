"""Any pretrained module of torch as a backbone: cut before one of its blocks, run by torch.

Libraries build their nets each in its own way, but all have a list of blocks that are run in turn.
The trunk is the whole net, of which what the first tuned block is given is caught. The tail is the
whole net too: the blocks before are passed over, and the first tuned one is given what was caught.
"""

from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equipoise.backbones.activations import BATCH, Pictures, Trunk
from equipoise.backbones.probe import LinearProbe
from equipoise.errors import InputError, reason, require
from equipoise.parallel import one_thread

__all__ = ["TorchBackbone"]

_CLOSE = 1e-3  # relative: how far the parts of a cut net may be from the whole one


@dataclass(frozen=True, eq=False)
class TorchBackbone:
    """See `named.Backbone`.

    Attributes
    ----------
    net : nn.Module
        From (N, 3, H, W) normalised pictures to (N, D) embeddings, in evaluation mode.
    """

    name: str
    net: nn.Module
    size: int
    statistics: tuple[tuple[float, ...], tuple[float, ...]]
    licence: str

    @property
    def side(self) -> int:
        """What larger pictures are brought to: the size that it was trained at."""
        return self.size

    @cached_property
    def digest(self) -> str:
        """Of layers and weights."""
        state = sha256(repr(self.net).encode())
        for name, values in self.net.state_dict().items():
            state.update(name.encode())
            state.update(values.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
        return state.hexdigest()

    @cached_property
    def blocks(self) -> int:
        """How many blocks can be tuned."""
        found = _blocks(self.net)
        return 0 if found is None else len(found)

    @cached_property
    def _trunks(self) -> dict[int, Trunk]:
        return {}

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise `InputError` for pictures of a (height, width) that the net cannot take."""
        try:
            self.trunk().run(np.zeros((1, *size, 3), np.uint8))
        except Exception as error:
            # What a net raises is its own.
            raise InputError(
                f"backbone {self.name} does not take pictures of {size[1]}×{size[0]} "
                f"({reason(error)}). Give size {self.size}."
            ) from None

    def trunk(self, tuned: int = 0) -> Trunk:
        """Return all but the last `tuned` blocks; without any an embedding of a picture."""
        if tuned not in self._trunks:
            module = _Before(self.net, self._frozen(tuned)) if tuned else self.net
            self._trunks[tuned] = self._run(module, tuned)
        return self._trunks[tuned]

    def _run(self, module: nn.Module, tuned: int) -> Trunk:
        whole = _FromPixels(module, self.statistics).eval()

        def run(pictures: Pictures) -> NDArray[np.float32]:
            # Of one size, since kernels differ by it.
            some = np.zeros((BATCH, *pictures.shape[1:]), np.uint8)
            some[: len(pictures)] = pictures
            with torch.inference_mode(), one_thread():
                return whole(torch.from_numpy(some)).numpy()[: len(pictures)]

        return Trunk(run, f"{self.digest} {tuned} torch {torch.__version__}", module=whole)

    def tail(self, tuned: int | Literal["all"], classes: int, size: tuple[int, int]) -> nn.Module:
        """Return the last `tuned` blocks with a new head, for what `trunk` makes."""
        features = self.trunk().run(np.zeros((1, *size, 3), np.uint8)).shape[1]
        if tuned == 0:
            return LinearProbe(features, classes)
        if tuned == "all":
            return _Headed(deepcopy(self.net), features, classes)
        after = _After(self.net, self._frozen(tuned), size)
        self._check_cut(after, tuned, size)
        return _Headed(after, features, classes)

    def _check_cut(self, after: nn.Module, tuned: int, size: tuple[int, int]) -> None:
        """Raise `InputError` where the parts do not give what the whole net gives."""
        pictures = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
        wanted = self.trunk().run(pictures)
        try:
            with torch.inference_mode():
                found = after(torch.from_numpy(self.trunk(tuned).run(pictures))).numpy()
            holds = np.allclose(found, wanted, rtol=_CLOSE, atol=_CLOSE * np.abs(wanted).max())
        except Exception:
            holds = False  # what a net raises that is not run as it was built is its own
        require(
            holds,
            f"tuned_blocks 0 or 'all' for {self.name}, which cannot be cut",
            tuned_blocks=tuned,
        )

    def _frozen(self, tuned: int) -> int:
        rule = f"tuned_blocks <= {self.blocks} for {self.name}"
        require(tuned <= self.blocks, rule, tuned_blocks=tuned)
        return self.blocks - tuned


def _blocks(net: nn.Module) -> nn.ModuleList | nn.Sequential | None:
    """Return the list of blocks of one kind that has most of the weights, the outermost of such."""
    lists = [
        module
        for module in net.modules()
        if isinstance(module, nn.ModuleList | nn.Sequential)
        and len(module) > 1
        and len({type(block) for block in module}) == 1
    ]
    return max(lists, key=_weights, default=None)


def _weights(module: nn.Module) -> int:
    return sum(values.numel() for values in module.parameters())


class _FromPixels(nn.Module):
    """A net for (N, H, W, 3) uint8 pictures."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, statistics: tuple[tuple[float, ...], ...]) -> None:
        super().__init__()
        self.net = net
        mean, std = (255 * torch.tensor(of).view(-1, 1, 1) for of in statistics)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.net((pictures.permute(0, 3, 1, 2).float() - self.mean) / self.std)


class _Skipped(nn.Module):
    """Stands where a block was: gives on what it is given."""

    def forward(self, hidden: Tensor, *more: Any, **named: Any) -> Tensor:
        return hidden


class _Before(nn.Module):
    """What the block after the first `frozen` ones is given."""

    def __init__(self, net: nn.Module, frozen: int) -> None:
        super().__init__()
        self.net = deepcopy(net)
        blocks = _blocks(self.net)
        assert blocks is not None
        blocks[frozen].register_forward_pre_hook(self._catch, with_kwargs=True)

    def _catch(self, block: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        raise _CaughtError(args[0] if args else next(iter(named.values())))

    def forward(self, images: Tensor) -> Tensor:
        try:
            self.net(images)
        except _CaughtError as caught:
            return caught.args[0]
        raise RuntimeError("the blocks are not run")


class _CaughtError(Exception):
    """Carries what was caught: the rest of the net need not run."""


class _After(nn.Module):
    """A net from the block after the first `frozen` ones on, for what that block is given."""

    def __init__(self, net: nn.Module, frozen: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.net, self.size = deepcopy(net).requires_grad_(False), size
        blocks = _blocks(self.net)
        assert blocks is not None
        for number in range(frozen):
            blocks[number] = _Skipped()
        after = False
        for module in self.net.modules():
            after = after or module is blocks[frozen]
            if after:
                module.requires_grad_(True)
        self.given: Tensor | None = None
        blocks[frozen].register_forward_pre_hook(self._replace, with_kwargs=True)

    def _replace(
        self, block: nn.Module, args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (self.given, *args[1:]), named
        first = next(iter(named))
        return args, {**named, first: self.given}

    def forward(self, given: Tensor) -> Tensor:
        # What comes before the blocks runs for what it tells them, such as positions.
        self.given = given
        return self.net(given.new_zeros(len(given), 3, *self.size))


class _Headed(nn.Module):
    """A net with a linear head; batch norm stays in evaluation mode."""

    def __init__(self, net: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.net = net
        self.classifier = nn.Linear(features, classes)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.net(x))

    def train(self, mode: bool = True) -> "_Headed":
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self
