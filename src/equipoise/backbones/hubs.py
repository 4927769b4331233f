"""Backbones of the model hubs, by the extras `huggingface` and `timm`."""

from typing import Any

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
        model = transformers.AutoModel.from_pretrained(place, dtype=torch.float32)
        prepared = _prepared(transformers, place)
    except Exception as error:
        # Reading and downloading fail in ways of their own.
        raise InputError(f"backbone {name} cannot be read: {reason(error)}.") from None
    # Of models of pictures and texts, the part for pictures.
    model = getattr(model, "vision_model", model)
    mean, std = (
        tuple(prepared.get(key) or usual)
        for key, usual in zip(("image_mean", "image_std"), IMAGENET, strict=True)
    )
    net = _Embedding(model).eval()
    found = TorchBackbone(name, net, _side(model.config), (mean, std), f"see {place}'s model card")
    found.check_size((found.size, found.size))
    return found


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
