"""A trained net with all that it needs to be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor, nn

from equipoise.backbones import Trunk, computed, get_backbone
from equipoise.errors import InputError, require
from equipoise.images import at_once
from equipoise.readers.arrays import as_image, as_images
from equipoise.readers.decoding import Pixels
from equipoise.readers.depth import Range, to_eight
from equipoise.readers.sizing import resize, to_channels
from equipoise.training.decisions import Decision, plain
from equipoise.training.devices import device_of, moved

__all__ = ["Model", "channel_statistics", "evaluate", "fit_image"]

Images = NDArray[Any] | Sequence[Any]

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
    range : (low, high), optional
        The values of 16-bit images that are 0 and 255 to it; None where it was trained on others.
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
    range: Range | None = None

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

    def logits(self, images: Images) -> NDArray[np.float32]:
        """Return (N, K) logits; see `predict` for `images`."""
        return evaluate(self, self.fitting(images))

    def predict_proba(self, images: Images, *, calibrated: bool = False) -> NDArray[np.float64]:
        """Return (N, K) probabilities, the softmax of the logits; see `predict` for `images`.

        Calibrated: of the logits divided by the temperature found on validation.
        """
        divisor = self.temperature if calibrated else 1.0
        return softmax(self.logits(images).astype(np.float64) / divisor, axis=1)

    def predict(
        self,
        images: Images,
        decision: Literal["tuned", "plain", "adjusted"] = "tuned",
    ) -> NDArray[np.int64]:
        """Return the (N,) labels, positions in `classes`.

        Parameters
        ----------
        images : (N, H, W, C) or (N, H, W) array, or a sequence of (H, W, C) or (H, W) images
            What `equipoise.load` takes: whole numbers 0 … 255, or uint16 where the model was
            trained on 16-bit images; in a sequence also Pillow's images. They are brought to the
            model's size, channels and range as there.
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

    def fitting(self, images: Images) -> NDArray[np.uint8]:
        """Bring images to the model's range, size and channels, as `equipoise.load` does."""
        shape = (*self.size, self.channels)
        if not hasattr(images, "__len__"):
            raise InputError(
                f"images must be an array or a list of images, but got {type(images).__name__}."
            )
        if _is_array(images):
            images = _batch(images)
            if images.dtype == np.uint8 and images.shape[1:] == shape:
                return images
        fitting = np.empty((len(images), *shape), np.uint8)
        for i, image in enumerate(images):
            pixels = as_image(image, f"images[{i}]")
            fitting[i] = fit_image(eight_bits(pixels, self.range), shape, self.fit)
        return fitting


def _is_array(images: object) -> TypeGuard[NDArray[Any]]:
    return isinstance(images, np.ndarray) and images.dtype != np.dtype(object)


def _batch(images: NDArray[Any]) -> NDArray[Any]:
    """Return an array of images as (N, H, W, C); one image alone is refused."""
    alone = images.ndim == 2 or (images.ndim == 3 and images.shape[2] in (1, 3, 4))
    require(
        not alone,
        "images N×H×W×C, or N×H×W where they are grey",
        remedy="One image alone is images[None].",
        shape=images.shape,
    )
    found = as_images(images, "images")
    assert isinstance(found, np.ndarray)
    return found


def eight_bits(pixels: Pixels, bounds: Range | None) -> NDArray[np.uint8]:
    """Return an image in eight bits; one of sixteen needs the range of a model."""
    if pixels.dtype == np.uint8:
        return pixels
    if bounds is None:
        raise InputError(
            "uint16 images need a model that was trained on 16-bit ones, but this was not. Scale "
            "them to 0 … 255 and convert with astype('uint8')."
        )
    return to_eight(pixels, bounds)


def fit_image(image: NDArray[np.uint8], shape: tuple[int, int, int], fit: str) -> NDArray[np.uint8]:
    """Bring an (H, W, C) image to a model's (height, width, channels), as `equipoise.load` does."""
    height, width, channels = shape
    image = to_channels(image, channels)
    if image.shape == shape:
        return image
    if height != width:
        raise InputError(
            f"{image.shape[1]}×{image.shape[0]} pixels cannot be brought to the {width}×{height} "
            "of a model whose images are not square. Bring them to that size."
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
        # As many threads as torch has: one, where runs go on side by side.
        images = computed(to_channels(images, 3), trunk, torch.get_num_threads())
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
