"""The article's own recipe as a tutorial writes it: the reference of `benchmarks/training.py`.

Written from the description of O. Olu-Ipinlaye, "Data augmentation: a class imbalance mitigative
measure", Paperspace blog, its faults included: the net ends in softmax and the cross-entropy
applies softmax again, the loader does not shuffle, the net is put in training mode once. Copies of
the minority are made once; images are normalised one by one; the net passes over the training set
a second time for its accuracy, recall and precision.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

Item = tuple[NDArray[np.uint8], int]


class ConvNet(nn.Module):
    def __init__(self, softmax: bool = True) -> None:
        super().__init__()
        self.softmax = softmax
        widths = [(3, 8), (8, 8), (8, 32), (32, 32), (32, 128), (128, 128)]
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in widths)
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for _, o in widths)
        self.last = nn.Conv2d(128, 2, 1)
        for module in [*self.convolutions, self.last]:
            assert isinstance(module, nn.Conv2d)
            nn.init.xavier_uniform_(module.weight)
            nn.init.constant_(module.bias, 0.01)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        for number, (convolution, norm) in enumerate(
            zip(self.convolutions, self.norms, strict=True)
        ):
            x = F.relu(convolution(x))
            if number % 2:
                x = F.max_pool2d(x, 2)
            x = norm(x)
        x = F.avg_pool2d(self.last(x), 3).flatten(1)
        return F.softmax(x, dim=1) if self.softmax else x


def crop(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    y, x = random.integers(0, 13, 2)
    return cv2.resize(image[y : y + 20, x : x + 20], (32, 32)).astype(np.uint8)


def flip(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    return np.fliplr(image)


def noise(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Salt and pepper: 15 % white and 10 % black pixels, visited one by one."""
    image = image.copy()
    for row in range(32):
        for column in range(32):
            draw = random.random()
            if draw < 0.15:
                image[row, column] = 255
            elif draw < 0.25:
                image[row, column] = 0
    return image


def upsampled(images: Sequence[NDArray[np.uint8]], labels: Sequence[int], seed: int) -> list[Item]:
    """The items in mixed order, with a cropped, a flipped and a noised copy of each of class 1."""
    random = np.random.default_rng(seed)
    items = [(image, int(label)) for image, label in zip(images, labels, strict=True)]
    minority = [image for image, label in items if label == 1]
    for change in (crop, flip, noise):
        items.extend((change(image, random), 1) for image in minority)
    return [items[i] for i in random.permutation(len(items))]


class PerItem(Dataset[tuple[Tensor, int]]):
    """Items by way of Pillow to a normalised tensor, as `ToTensor` and `Normalize` do it."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.pictures = [(Image.fromarray(np.ascontiguousarray(i)), label) for i, label in items]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture, label = self.pictures[index]
        pixels = np.asarray(picture).astype(np.float32) / 255
        pixels = (pixels - 0.5) / 0.5
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy()), label


@dataclass(frozen=True)
class Figures:
    """Accuracy, and the recall of each class."""

    accuracy: float
    recalls: tuple[float, float]

    @property
    def balanced_accuracy(self) -> float:
        return sum(self.recalls) / 2


def train_steps(
    net: nn.Module, loader: DataLoader, optimiser: torch.optim.Optimizer
) -> list[float]:
    """One pass over a loader; the losses of its batches."""
    losses = []
    for images, labels in loader:
        optimiser.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def measure(net: nn.Module, loader: DataLoader) -> tuple[list[float], Figures]:
    """An evaluation pass: the losses of its batches, and its figures."""
    losses, hits, totals = [], [0, 0], [0, 0]
    net.eval()
    with torch.no_grad():
        for images, labels in loader:
            outputs = net(images)
            losses.append(F.cross_entropy(outputs, labels).item())
            for label, guess in zip(labels.tolist(), outputs.argmax(1).tolist(), strict=True):
                totals[label] += 1
                hits[label] += label == guess
    recalls = (hits[0] / totals[0], hits[1] / totals[1])
    return losses, Figures(sum(hits) / sum(totals), recalls)


def train(
    items: Sequence[Item],
    held_out: Sequence[Item],
    epochs: int,
    seed: int,
    told: Callable[[Figures], None] = lambda figures: None,
) -> Figures:
    """Train as the article does; the figures after the last epoch on the images held out."""
    torch.manual_seed(seed)
    loader = DataLoader(PerItem(items), batch_size=64)
    validation = DataLoader(PerItem(held_out), batch_size=64)
    net = ConvNet()
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    net.train()
    for _ in range(epochs):
        train_steps(net, loader, optimiser)
        measure(net, loader)
        _, figures = measure(net, validation)
        told(figures)
    return figures
