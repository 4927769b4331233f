"""DeepSMOTE: an autoencoder, and SMOTE among its codes.

D. Dablain, B. Krawczyk and N. V. Chawla, "DeepSMOTE: fusing deep learning and SMOTE for imbalanced
data", IEEE Transactions on Neural Networks and Learning Systems, 2022. The autoencoder learns to
give every image back, and, which is the paper's penalty, to give back the images of one class from
codes that were exchanged among them: so it meets variation within a class as SMOTE brings it about.
An image is made from a code on the way from that of a training image to that of one of its nearest
neighbours of the same class.
"""

import itertools
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from equipoise import keys
from equipoise.errors import InputError
from equipoise.files import atomic
from equipoise.generating.making import Learner, Maker, Origin, Workplace, model_digest
from equipoise.images import ImageSet
from equipoise.parallel import one_thread, seeded
from equipoise.readers.sizing import resize, scaled
from equipoise.training.stored import packed, unpacked

__all__ = ["deepsmote"]

_SIDES = (16, 32, 64)  # pixels that the autoencoder is made for
_WIDTH = 32  # channels after the first convolution
_BATCH = 64
_RATE = 1e-3
_TOLD = 10  # steps between two reports


def deepsmote(
    train: ImageSet, *, steps: int = 2000, latent: int = 128, neighbours: int = 5
) -> Learner:
    """Return what learns a DeepSMOTE model.

    Pictures above 64 pixels a side are made at 64.

    Parameters
    ----------
    train : ImageSet
        Of one size.
    steps : int
        Of the optimiser, each of two batches of 64.
    latent : int
        Length of a code.
    neighbours : int
        How many of the nearest codes of a class lead away from each.
    """
    for name, value, most in (
        ("steps", steps, 10**6),
        ("latent", latent, 4096),
        ("neighbours", neighbours, 1000),
    ):
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole and 1 <= value <= most):
            raise InputError(
                f"1 <= {name} <= {most}, a whole number, must hold, but got {name}={value!r}."
            )
    if not train.uniform:
        raise InputError("method deepsmote needs images of one size: give --size N.")
    return partial(_learn, train, steps, latent, neighbours)


def _learn(train: ImageSet, steps: int, latent: int, neighbours: int, place: Workplace) -> Maker:
    height, width, channels = train.array.shape[1:]
    side = next((s for s in _SIDES if s >= max(height, width)), _SIDES[-1])
    shape = (min(height, side), min(width, side)) if max(height, width) <= side else (side, side)
    pictures = np.stack([resize(image, side) for image in train.array])
    with one_thread(), seeded(place.seed, place.device):
        net = Autoencoder(side, channels, latent).to(place.device)
        path = place.folder / "deepsmote.pt"
        if path.is_file():
            net.load_state_dict(unpacked(path.read_bytes()))
        else:
            _train(net, pictures, train.labels, steps, place)
            with atomic(path) as part:
                part.write_bytes(packed(net.state_dict()))
        # On the CPU each image is the same whatever made the model.
        net = net.cpu().eval()
        codes = _codes(net, pictures)
    notes = () if shape == (height, width) else (f"Images are made at {side}×{side} pixels",)
    model = Model(net, codes, train, neighbours, shape, place.seed)
    return Maker(model.origin, model.make, model_digest(net), notes)


def _train(
    net: "Autoencoder", pictures: NDArray[np.uint8], labels: NDArray[np.int64], steps: int,
    place: Workplace,
) -> None:  # fmt: skip
    optimiser = torch.optim.Adam(net.parameters(), _RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    net.train()
    for step in range(steps):
        some = torch.randint(len(pictures), (_BATCH,)).numpy()
        mine = rows[int(torch.randint(len(rows), ()))]
        same = mine[torch.randint(len(mine), (_BATCH,)).numpy()]
        given, kin = (_floats(pictures[of]).to(place.device) for of in (some, same))
        exchanged = net.encoder(kin)[torch.randperm(_BATCH)]
        loss = functional.mse_loss(net(given), given)
        loss = loss + functional.mse_loss(net.decoder(exchanged), kin)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % _TOLD == _TOLD - 1 or step == steps - 1:
            place.progress(step + 1, steps, "training the model")


def _codes(net: "Autoencoder", pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        parts = [
            net.encoder(_floats(pictures[start : start + _BATCH]))
            for start in range(0, len(pictures), _BATCH)
        ]
    return torch.cat(parts).numpy()


@dataclass(frozen=True)
class Model:
    """A trained autoencoder, the codes of the training images, and how images are made of them."""

    net: "Autoencoder"
    codes: NDArray[np.float32]
    train: ImageSet
    neighbours: int
    shape: tuple[int, int]
    seed: int

    def origin(self, label: int, number: int) -> Origin:
        """Draw an image of the class, one of its nearest neighbours, and how far to go there."""
        first, other, share = self._drawn(label, number)
        return Origin(first, {"towards": str(self.train.names[other]), "share": share})

    def make(self, label: int, number: int) -> NDArray[np.uint8]:
        """Decode a code between those of two images."""
        first, other, share = self._drawn(label, number)
        code = self.codes[first] + np.float32(share) * (self.codes[other] - self.codes[first])
        # One at a time: in a batch the last bits would hang on how many there are.
        with one_thread(), torch.inference_mode():
            pixels = self.net.decoder(torch.from_numpy(code)[None])[0].permute(1, 2, 0).numpy()
        image = np.rint(pixels * 255).clip(0, 255).astype(np.uint8)
        return scaled(image, *self.shape)

    def _drawn(self, label: int, number: int) -> tuple[int, int, float]:
        rows = np.flatnonzero(self.train.labels == label)
        address = keys.image_keys(self.seed, [number], copies=label)
        first, second, share = keys.uniforms(address, "deepsmote", 3)[0].tolist()
        base = int(first * len(rows))
        apart = ((self.codes[rows] - self.codes[rows[base]]) ** 2).sum(axis=1)
        apart[base] = np.inf
        others = np.argsort(apart, kind="stable")[: min(self.neighbours, len(rows) - 1)]
        other = int(others[int(second * len(others))]) if len(others) else base
        return int(rows[base]), int(rows[other]), share


def _floats(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


class Autoencoder(nn.Module):
    """Convolutions from side × side pixels to a code, and back."""

    def __init__(self, side: int, channels: int, latent: int) -> None:
        super().__init__()
        depth = int(np.log2(side // 4))
        widths = [channels, *(_WIDTH << k for k in range(depth))]
        down: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            down += [
                nn.Conv2d(inputs, outputs, 4, stride=2, padding=1),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(0.2),
            ]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(widths[-1] * 16, latent))
        up: list[nn.Module] = [nn.Linear(latent, widths[-1] * 16), nn.Unflatten(1, (-1, 4, 4))]
        for inputs, outputs in zip(widths[:1:-1], widths[-2:0:-1], strict=True):
            up += [
                nn.BatchNorm2d(inputs),
                nn.ReLU(),
                nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1),
            ]
        up += [nn.BatchNorm2d(widths[1]), nn.ReLU()]
        up += [nn.ConvTranspose2d(widths[1], channels, 4, stride=2, padding=1), nn.Sigmoid()]
        self.decoder = nn.Sequential(*up)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, C, H, W) images in [0, 1] given back."""
        return self.decoder(self.encoder(images))
