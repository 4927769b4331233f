"""A trained net with all that it needs to be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from torch import Tensor, nn

from equipoise.backbones import Trunk, get_backbone, rounded
from equipoise.errors import InputError, require
from equipoise.files import atomic
from equipoise.images import at_once
from equipoise.readers.sizing import resize, to_channels
from equipoise.training.decisions import Decision, plain
from equipoise.training.devices import device_of, moved
from equipoise.training.nets import Net, build_net

__all__ = ["Model", "channel_statistics", "fit_image", "load_model", "save_model"]

_FORMAT = 1

# Images that are evaluated together. Measured: more leave the caches and are slower on a CPU.
_EVALUATED, _EVALUATED_CPU = 1024, 128

# Pixels of the images whose channels are summed together, and of those that are evaluated together.
_SUMMED, _MAPPED = 2**20, 2**22


@dataclass(frozen=True)
class Model:
    """A trained net with its classes, normalisation and decision.

    Attributes
    ----------
    net : nn.Module
    net_name : str
        Its name in `equipoise.training.NETS`; "custom" for a net of one's own.
    classes : tuple of str
    size : (height, width)
        Of the images it was trained on.
    mean, std : tuple of C floats
        Of the training images on a scale from 0 to 1.
    decision : Decision
        The one tuned on validation.
    positive : int, optional
        Label of the positive class of two.
    flip : bool
        Whether logits are the mean over an image and its mirror image.
    adjusted : Decision, optional
        Post-hoc logit adjustment, tuned on validation.
    temperature : float
        By which logits are divided for calibrated probabilities; found on validation.
    backbone, tuned_blocks
        As in `Trainer`: the pretrained net of which `net` is the end, or all.
    fit : {'squash', 'crop', 'pad'}
        How images are brought to its size.
    """

    net: nn.Module
    net_name: str
    classes: tuple[str, ...]
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    decision: Decision
    positive: int | None = None
    flip: bool = False
    adjusted: Decision | None = None
    temperature: float = 1.0
    backbone: str | None = None
    tuned_blocks: int | Literal["all"] = "all"
    fit: str = "squash"

    @property
    def trunk(self) -> Trunk | None:
        """The frozen part of a pretrained net, which makes of pictures what `net` takes."""
        if self.backbone is None or self.tuned_blocks == "all":
            return None
        return get_backbone(self.backbone).trunk(self.tuned_blocks)

    @property
    def channels(self) -> int:
        """Channels of an image: 1, 3 or 4."""
        return len(self.mean)

    def logits(self, images: ArrayLike | Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return (N, K) logits; see `predict` for `images`."""
        return evaluate(self, self._fitting(images))

    def predict_proba(
        self, images: ArrayLike | Sequence[NDArray[np.uint8]], *, calibrated: bool = False
    ) -> NDArray[np.float64]:
        """Return (N, K) probabilities, the softmax of the logits; see `predict` for `images`.

        Calibrated: of the logits divided by the temperature found on validation.
        """
        divisor = self.temperature if calibrated else 1.0
        return softmax(self.logits(images).astype(np.float64) / divisor, axis=1)

    def predict(
        self,
        images: ArrayLike | Sequence[NDArray[np.uint8]],
        decision: Literal["tuned", "plain", "adjusted"] = "tuned",
    ) -> NDArray[np.int64]:
        """Return the (N,) labels, positions in `classes`.

        Parameters
        ----------
        images : (N, H, W, C) uint8 array, or a sequence of (H, W, C) uint8 arrays
            Images of another size are brought to the model's as in `equipoise.load`.
        decision : {'tuned', 'plain', 'adjusted'}
            The offsets that were tuned on validation; the largest logit; or logit adjustment tuned
            on validation.
        """
        return self.decided(decision).apply(self.logits(images))

    def decided(self, decision: str) -> Decision:
        """Return the decision 'tuned', 'plain' or 'adjusted'; not every model has the last."""
        known = {
            "tuned": self.decision,
            "plain": plain(len(self.classes)),
            "adjusted": self.adjusted,
        }
        found = known.get(decision)
        if found is None:
            there = ", ".join(repr(name) for name, of in known.items() if of is not None)
            raise InputError(f"decision must be one of {there}, but got decision={decision!r}.")
        return found

    def normalise(self, images: Tensor) -> Tensor:
        """Return (N, H, W, C) uint8 images as (N, C, H, W) floats that the net takes.

        Activations of a trunk are what the net takes as they are.
        """
        if images.dtype != torch.uint8:
            return images.float()
        mean = torch.tensor(self.mean, device=images.device).view(-1, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(-1, 1, 1)
        # The permuted view is channels-last as it stands.
        pixels = images.permute(0, 3, 1, 2).float()
        if pixels.shape[1] < len(mean):  # grey pictures for a net of colour
            pixels = pixels.repeat(1, len(mean), 1, 1)
        return pixels.sub_(255 * mean).div_(255 * std)

    def _fitting(self, images: ArrayLike | Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Bring images to the model's size and channels, as `equipoise.load` does."""
        shape = (*self.size, self.channels)
        if isinstance(images, np.ndarray) and images.shape[1:] == shape:
            fitting = images
        else:
            fitting = np.empty((len(images), *shape), np.uint8)  # type: ignore[arg-type]
            for i, image in enumerate(images):  # type: ignore[arg-type]
                fitting[i] = fit_image(np.asarray(image), shape, self.fit)
        require(fitting.dtype == np.uint8, "images of type uint8", dtype=str(fitting.dtype))
        return fitting


def fit_image(image: NDArray[np.uint8], shape: tuple[int, int, int], fit: str) -> NDArray[np.uint8]:
    """Bring an image to a model's (height, width, channels), as `equipoise.load` does."""
    height, width, channels = shape
    have = image.shape[-1] if image.ndim == 3 else 0
    require(
        image.dtype == np.uint8 and (have == channels or (have, channels) in ((1, 3), (4, 3))),
        f"images H×W×{channels} of type uint8",
        image=f"{image.dtype} of shape {image.shape}",
    )
    image = to_channels(image, channels)
    if image.shape == shape:
        return image
    require(
        height == width,
        f"images of {height}×{width} for a model of images that are not square",
        image=f"{image.shape[0]}×{image.shape[1]}",
    )
    return resize(image, height, fit)


def evaluate(model: Model, images: NDArray) -> NDArray[np.float32]:
    """Return the (N, K) logits of fitting images, leaving no trace in the net.

    For a net on a trunk these may be the trunk's activations instead.
    """
    training = model.net.training
    model.net.eval()
    try:
        with torch.inference_mode():
            # One empty batch where there is no image, for the shape.
            most = _EVALUATED_CPU if device_of(model.net).type == "cpu" else _EVALUATED
            pixels = images.shape[1:3] if images.ndim == 4 else (1, 1)  # or embeddings
            size = at_once(pixels, pixels=_MAPPED, most=most)
            starts = range(0, max(1, len(images)), size)
            parts = [_logits(model, images[i : i + size]) for i in starts]
            return torch.cat(parts).float().cpu().numpy()
    finally:
        model.net.train(training)


def _logits(model: Model, images: NDArray) -> Tensor:
    if images.dtype == np.uint8 and (trunk := model.trunk) is not None:
        images = rounded(trunk.run(to_channels(images, 3)))
    # torch refuses read-only memory maps and reversed views: it gets a copy.
    pixels = torch.from_numpy(np.array(images, order="C"))
    batch = model.normalise(moved(pixels, device_of(model.net)))
    logits = model.net(batch)
    return (logits + model.net(batch.flip(3))) / 2 if model.flip else logits


def channel_statistics(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel on a scale from 0 to 1.

    The deviation of a constant channel counts as one grey level.
    """
    sums, squares, count = 0.0, 0.0, 0
    step = at_once(images.shape[1:3], pixels=_SUMMED, most=1024)
    for start in range(0, len(images), step):
        part = images[start : start + step].reshape(-1, images.shape[-1]).astype(np.float64) / 255
        sums, squares, count = sums + part.sum(0), squares + (part**2).sum(0), count + len(part)
    mean = sums / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1 / 255**2))
    return tuple(np.asarray(mean).tolist()), tuple(np.asarray(std).tolist())


def save_model(model: Model, path: Path) -> None:
    """Write a model as tensors and plain values, whole or not at all."""
    fields = {
        "format": _FORMAT,
        "net": model.net_name,
        "weights": model.net.state_dict(),
        "classes": list(model.classes),
        "size": list(model.size),
        "mean": list(model.mean),
        "std": list(model.std),
        "decision": model.decision.to_dict(),
        "positive": model.positive,
        "flip": model.flip,
        "adjusted": None if model.adjusted is None else model.adjusted.to_dict(),
        "temperature": model.temperature,
        "backbone": model.backbone,
        "tuned_blocks": model.tuned_blocks,
        "fit": model.fit,
    }
    with atomic(path) as part:
        torch.save(fields, part)


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
        If there is no model, or it is none of ours. Nothing in the file is executed.
    """
    path = Path(path)
    path = path / "model.pt" if path.is_dir() else path
    fields = _read(path)
    name = fields["net"]
    if name == "custom" and net is None:
        raise InputError(
            f"{path} holds a net of your own: give the function that makes it as net=."
        )
    size = (int(fields["size"][0]), int(fields["size"][1]))
    # Models of earlier versions have no backbone, and cut pictures to their centre.
    backbone, tuned = fields.get("backbone"), fields.get("tuned_blocks", "all")
    if backbone is None:
        module = build_net(net or name, len(fields["mean"]), len(fields["classes"]), size, seed=0)
    else:
        module = get_backbone(backbone).tail(tuned, len(fields["classes"]))
    try:
        module.load_state_dict(fields["weights"])
    except RuntimeError:
        raise InputError(f"{path}: its weights do not fit the net {name!r}.") from None
    return Model(
        net=module.eval(),
        net_name=name,
        classes=tuple(fields["classes"]),
        size=size,
        mean=tuple(fields["mean"]),
        std=tuple(fields["std"]),
        decision=Decision.from_dict(fields["decision"]),
        positive=fields["positive"],
        flip=fields["flip"],
        # Models of earlier versions have neither.
        adjusted=Decision.from_dict(fields["adjusted"]) if fields.get("adjusted") else None,
        temperature=fields.get("temperature", 1.0),
        backbone=backbone,
        tuned_blocks=tuned,
        fit=fields.get("fit", "crop"),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        fields = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror}. Name a run's folder or its model.pt."
        ) from None
    except Exception:
        # What torch raises for a file that is none of its own differs from version to version.
        raise InputError(f"{path} is no model of ours.") from None
    if not isinstance(fields, dict) or fields.get("format") != _FORMAT:
        raise InputError(f"{path} is no model of ours, or of another version.")
    return fields
