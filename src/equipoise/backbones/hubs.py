"""Backbones of the model hubs, by the extras `huggingface` and `timm`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equipoise.backbones.cutting import TorchBackbone
from equipoise.errors import InputError, reason

__all__ = ["HF", "IMAGENET", "TIMM", "USUAL", "from_timm", "from_transformers"]

HF, TIMM = "hf/", "timm/"

# Mean and standard deviation of ImageNet's channels, on a scale from 0 to 1.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
USUAL = 224  # pixels, where a model does not say its size


class _Embedding(nn.Module):
    """A model of transformers, from pictures to one vector each."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return what the model pools, else the mean over places."""
        found = self.model(pixel_values=images)
        pooled = getattr(found, "pooler_output", None)
        if pooled is None:
            last = found.last_hidden_state
            pooled = last.mean(1) if last.ndim == 3 else last.mean((2, 3))
        return pooled.flatten(1)


def from_transformers(name: str) -> TorchBackbone:
    """Return a model that transformers reads, from its hub or a folder.

    Raises
    ------
    InputError
        Without the library, or if there is no such model, or it makes no embedding of pictures.
    """
    try:
        import transformers
    except (ImportError, RuntimeError) as error:
        raise InputError(
            f"backbone {name} needs transformers, which cannot be imported ({reason(error)}): "
            "pip install 'equipoise[huggingface]'."
        ) from None
    place = name.removeprefix(HF)
    try:
        with _quiet(transformers.utils.logging):
            model, told = transformers.AutoModel.from_pretrained(
                place, dtype=torch.float32, output_loading_info=True
            )
            prepared = _prepared(transformers, place)
    except Exception as error:
        # Reading and downloading fail in ways of their own.
        raise InputError(f"backbone {name} cannot be read: {reason(error)}.") from None
    # Of models of pictures and texts, the part for pictures.
    model = getattr(model, "vision_model", model)
    _leave_out(model, told["missing_keys"], name)
    mean, std = (
        tuple(prepared.get(key) or usual)
        for key, usual in zip(("image_mean", "image_std"), IMAGENET, strict=True)
    )
    net = _Embedding(model).eval()
    found = TorchBackbone(name, net, _side(model.config), (mean, std), f"see {place}'s model card")
    try:
        found.trunk().run(np.zeros((1, found.size, found.size, 3), np.uint8))
    except Exception as error:
        # What a model raises is its own.
        raise InputError(f"backbone {name} embeds no pictures: {reason(error)}.") from None
    return found


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Keep to itself what transformers says while it reads."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _leave_out(model: nn.Module, missing: Iterable[str], name: str) -> None:
    """Take away a pooling layer without weights, which would be random; others must have theirs."""
    lacking = {key.rpartition("pooler.")[1] or key for key in missing}
    if lacking - {"pooler."}:
        raise InputError(f"backbone {name} lacks weights, such as {min(lacking - {'pooler.'})}.")
    if lacking:
        model.pooler = None  # type: ignore[assignment]


def _prepared(transformers: Any, place: str) -> dict[str, Any]:
    """Return how a model's pictures are prepared, where it says so."""
    try:
        kind = transformers.image_processing_base.ImageProcessingMixin
        return kind.get_image_processor_dict(place)[0]
    except OSError:
        return {}


def _side(config: Any) -> int:
    size = getattr(config, "image_size", None) or USUAL
    return int(size if isinstance(size, int) else max(size))


def from_timm(name: str) -> TorchBackbone:
    """Return a pretrained model of timm.

    Raises
    ------
    InputError
        Without the library, or if there is no such model or no weights of it.
    """
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        # Beside another build of torch, torchvision raises RuntimeError when it is imported.
        raise InputError(
            f"backbone {name} needs timm, which cannot be imported ({reason(error)}): pip install "
            f"'equipoise[timm]', with builds of torch and torchvision that match "
            f"(torch here: {torch.__version__})."
        ) from None
    of = name.removeprefix(TIMM)
    try:
        net = timm.create_model(of, pretrained=True, num_classes=0)
    except Exception as error:
        # Downloading, reading and building fail in ways of their own.
        raise InputError(f"backbone {name}: {reason(error)}.") from None
    told = net.pretrained_cfg
    statistics = (tuple(told["mean"]), tuple(told["std"]))
    size = max(told["input_size"][1:])
    return TorchBackbone(name, net.eval(), size, statistics, str(told.get("license") or "see timm"))
