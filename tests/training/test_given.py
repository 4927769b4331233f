"""What a loop of one's own gives is taken as `load` takes it, or refused in a line."""

import numpy as np
import pytest
import torch
from PIL import Image

import equipoise as eq
from equipoise.errors import InputError

LABELS = np.repeat([0, 1], [6, 2])
NAMES = np.where(LABELS, "dog", "cat")


@pytest.fixture
def images(patches):
    return patches(8, 16, 16)


def shown(images, labels=LABELS, recipe="duplicate", **how):
    """All batches of an epoch as one, sorted by their pixels."""
    parts = list(eq.batches(images, labels, recipe, **how))
    pixels, numbers = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    order = np.lexsort(pixels.reshape(len(pixels), -1).T)
    return pixels[order], numbers[order]


@pytest.mark.parametrize(
    "labels",
    [
        LABELS.tolist(),
        LABELS[:, None],
        LABELS.astype(float),
        LABELS.astype(bool),
        torch.from_numpy(LABELS),
        NAMES,
        NAMES.tolist(),
        NAMES.astype(object)[:, None],
    ],
    ids=["list", "column", "float", "bool", "tensor", "text", "texts", "objects"],
)
def test_labels(images, labels):
    for ours, theirs in zip(shown(images, labels), shown(images), strict=True):
        assert np.array_equal(ours, theirs)
    dataset = eq.Augmented([(image, None) for image in images], "duplicate", labels=labels)
    assert dataset.targets == [*LABELS, *[1] * 4]
    assert dataset[-1][1] == 1


def test_text_goes_by_the_classes_where_they_are_named(images):
    named = {"recipe": eq.Recipe(name="mine", strategy={"dog": 5}), "classes": ["dog", "cat"]}
    assert np.bincount(shown(images, NAMES, **named)[1]).tolist() == [5, 6]
    assert sorted(eq.Augmented(list(zip(images, NAMES, strict=True)), **named).targets)[4:6] == [
        0,
        1,
    ]
    with pytest.raises(InputError, match="There is no class 'cat'"):
        eq.batches(images, NAMES, classes=["dog", "fox"])


@pytest.mark.parametrize(
    "convert",
    [
        list,
        lambda images: [Image.fromarray(image) for image in images],
        lambda images: torch.from_numpy(images),
        lambda images: images.astype(np.int32),
        lambda images: np.array([*images, None], object)[:-1],
    ],
    ids=["list", "pillow", "tensor", "int32", "objects"],
)
def test_images(images, convert):
    assert np.array_equal(shown(convert(images))[0], shown(images)[0])


def test_images_of_mixed_sizes_and_channels_are_brought_to_one_as_load_does(images):
    mixed = [np.concatenate([image, image]) if i % 2 else image for i, image in enumerate(images)]
    mixed[0] = mixed[0][..., 0]
    loaded = eq.load((mixed, LABELS), cut=False, size=64).train.array
    assert np.array_equal(shown(mixed)[0], shown(loaded)[0])
    assert shown(images[..., 0])[0].shape[1:] == (1, 16, 16)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"images": "photos/"}, "images must be an array or a list of images, but got 'photos/'"),
        ({"images": None}, "images must be an array"),
        ({"images": ["a.png"] * 8}, r"images\[0\]: pixels must be whole numbers"),
        ({"images": [{"image": 1}] * 8}, r"images\[0\]: pixels must be whole numbers"),
        ({"images": np.zeros((8, 16, 16, 3))}, "images: pixels must be whole numbers"),
        ({"images": np.zeros((8, 3, 16, 16), np.uint8)}, "Move the channels last"),
        ({"labels": np.eye(2)[LABELS]}, "argmax"),
        ({"labels": LABELS + 0.5}, "labels must be whole numbers or text"),
        ({"labels": [None] * 8}, "labels must be whole numbers or text"),
        ({"labels": [0, 1]}, "8 images and labels of shape"),
        ({"ids": ["a"] * 8}, "ids one whole number an image"),
        ({"batch_size": 0}, "batch_size a whole number >= 1"),
        ({"batch_size": "64"}, "batch_size a whole number >= 1"),
    ],
)
def test_batches_that_are_refused(images, given, words):
    with pytest.raises(InputError, match=words):
        eq.batches(**{"images": images, "labels": LABELS, **given})


@pytest.mark.parametrize(
    "item",
    [
        lambda image, label: {"image": image, "label": label},
        lambda image, label: {"label": label, "img": Image.fromarray(image)},
        lambda image, label: [image, np.array([label]), "more"],
        lambda image, label: (image, torch.tensor([label])),
        lambda image, label: (torch.from_numpy(image).permute(2, 0, 1), NAMES[-label]),
    ],
    ids=["dict", "img", "three", "tensor label", "text"],
)
def test_items(images, item):
    items = [item(image, label) for image, label in zip(images, LABELS, strict=True)]
    dataset = eq.Augmented(items, "duplicate")
    assert dataset.targets == [*LABELS, *[1] * 4]
    for index in (0, 7, 11):
        pixels, label = dataset[index]
        source = min(index, 7) if index < 8 else dataset.roster.source[index]
        assert np.array_equal(pixels.permute(1, 2, 0), images[source])
        assert label == dataset.targets[index]


def test_palettes_are_colours(images):
    palettes = [Image.fromarray(image).convert("P") for image in images]
    dataset = eq.Augmented(list(zip(palettes, LABELS, strict=True)), "none")
    assert np.array_equal(dataset[0][0].permute(1, 2, 0), palettes[0].convert("RGB"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda images: None, "whose items can be asked for by number"),
        (lambda images: "photos/", "got a str"),
        (lambda images: {"image": images}, "got a dict"),
        (lambda images: iter(images), "whose items can be asked for by number"),
        (lambda images: ["a.png"] * 8, "Item 0 of the dataset: an item is .* got 'a.png'"),
        (lambda images: list(images), "Item 0 of the dataset: an item is .* got a ndarray"),
        (lambda images: [(image,) for image in images], "an item is"),
        (lambda images: [{"a": image, "b": 0} for image in images], r"its keys are \['a', 'b'\]"),
        (lambda images: [{"image": image} for image in images], "have no labels"),
        (lambda images: [("a.png", i % 2) for i in range(8)], "got 'a.png' for the image"),
        (lambda images: list(zip(images / 255, LABELS, strict=True)), "any conversion to float"),
        (lambda images: list(zip(images[..., :2], LABELS, strict=True)), "C = 1, 3 or 4"),
    ],
)
def test_items_that_are_refused(images, make, words):
    with pytest.raises(InputError, match=words):
        eq.Augmented(make(images), "none")[0]
