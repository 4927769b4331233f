"""`batches` and `Augmented`, for a training loop of one's own."""

import multiprocessing
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader

import equipoise as eq
from equipoise.recipes import get_recipe
from equipoise.techniques import register
from equipoise.training.presenting import present

FRESH = eq.Recipe(
    name="fresh", strategy="auto", techniques=["crop", "noise"], augmentation="fresh", scope="all"
)

SHARED_OUT = FRESH.model_copy(
    update={"name": "shared", "weights": (1.0, 4.0), "draws": "square_root", "strategy": None}
)

RECIPES = ["article", "balanced", FRESH, SHARED_OUT]


class Pictures:
    """A map-style dataset as people have them, of PIL images, arrays or tensors."""

    def __init__(self, data, kind):
        self.images, self.targets, self.kind = data.array, data.labels.tolist(), kind

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        return KINDS[self.kind](self.images[index]), self.targets[index]


KINDS = {
    "array": lambda image: image,
    "grey array": lambda image: image[..., 0],
    "tensor": lambda image: torch.from_numpy(image.transpose(2, 0, 1)),
    "PIL": lambda image: Image.fromarray(image[..., 0]),
}


def all_rows(dataset, **options):
    loader = DataLoader(dataset, batch_size=16, **options)
    batches = list(loader)
    return torch.cat([b[0] for b in batches]), torch.cat([b[1] for b in batches])


@pytest.mark.parametrize("recipe", ["none", "duplicate", "article", FRESH])
def test_batches_are_the_recipes_set_in_the_order_of_its_draws(digits, recipe):
    train = digits.train
    loader = eq.batches(train.array, train.labels, recipe, 16, 3)
    shown = present(train.array, train.labels, np.arange(75), get_recipe(recipe), seed=3)
    for epoch in range(2):
        images, labels = (torch.cat(part) for part in zip(*loader, strict=True))
        expected = shown.batch(epoch * len(shown), (epoch + 1) * len(shown))
        np.testing.assert_array_equal(images.permute(0, 2, 3, 1), expected.images)
        np.testing.assert_array_equal(labels, expected.labels)
    assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
    assert len(loader) == len(list(loader)) == -(-len(shown) // 16)


def test_each_iteration_is_the_next_epoch_and_set_epoch_chooses_one(digits):
    train = digits.train
    loader = eq.batches(train.array, train.labels, FRESH, 500)
    first, second = (next(iter(loader))[0] for _ in range(2))
    assert not torch.equal(first, second)
    loader.set_epoch(0)
    assert torch.equal(next(iter(loader))[0], first)
    assert torch.equal(next(iter(loader))[0], second)
    assert first.is_contiguous(memory_format=torch.channels_last) or first.shape[1] == 1


def test_a_loop_that_stops_early_leaves_no_thread_behind(digits):
    import threading

    before = threading.active_count()
    for _ in eq.batches(digits.train.array, digits.train.labels, "none", 8):
        break
    assert threading.active_count() == before


def test_balanced_batches_hold_each_class_equally_often(digits):
    for _, labels in eq.batches(digits.train.array, digits.train.labels, "balanced", 8):
        assert labels.bincount().tolist() == [len(labels) // 2] * 2 or len(labels) % 2


def test_wrong_images_and_labels_are_refused(digits):
    images, labels = digits.train.array, digits.train.labels
    for bad in ((images / 255, labels), (images[0], labels), (images, labels[:5])):
        with pytest.raises(eq.InputError, match=r"^(images|labels): "):
            eq.batches(*bad, "none")
    with pytest.raises(eq.InputError, match="batch_size a whole number >= 1"):
        eq.batches(images, labels, "none", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_items_are_the_rows_of_the_recipes_set(digits, kind):
    train = digits.train
    dataset = eq.Augmented(Pictures(train, kind), "article", seed=3)
    images, labels = all_rows(dataset)
    assert torch.equal(images[:75], torch.from_numpy(train.array).permute(0, 3, 1, 2))
    np.testing.assert_array_equal(labels, dataset.targets)
    assert labels.bincount().tolist() == [60, 60]
    # The same copies as `batches` makes.
    loader = eq.batches(train.array, train.labels, "article", 120, 3)
    batch = next(iter(loader))[0]
    both = (np.unique(part.numpy().reshape(120, -1), axis=0) for part in (batch, images))
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_give_the_same_images_as_none(digits, method):
    # One loader for all recipes: a spawned worker takes seconds to import torch.
    parts = [eq.Augmented(Pictures(digits.train, "array"), r, seed=3) for r in RECIPES]
    for part in parts:
        part.set_epoch(2)
    alone = all_rows(ConcatDataset(parts))
    context = multiprocessing.get_context(method)
    workers = 1 if method == "spawn" else 2
    together = all_rows(ConcatDataset(parts), num_workers=workers, multiprocessing_context=context)
    for mine, theirs in zip(alone, together, strict=True):
        assert torch.equal(mine, theirs)


def test_set_epoch_reaches_persistent_workers(digits):
    dataset = eq.Augmented(Pictures(digits.train, "array"), FRESH)
    loader = DataLoader(dataset, batch_size=200, num_workers=1, persistent_workers=True)
    epochs = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        epochs.append(next(iter(loader))[0])
    assert torch.equal(epochs[0], epochs[2])
    assert not torch.equal(epochs[0], epochs[1])
    assert dataset.epoch == 0


def test_balanced_items_hold_each_class_equally_often_under_a_shuffling_loader(digits):
    dataset = eq.Augmented(Pictures(digits.train, "array"), "balanced")
    _, labels = all_rows(dataset, shuffle=True)
    assert sorted(labels.bincount().tolist()) == [37, 38]


def test_labels_are_found_or_given_and_classes_named(digits):
    pictures = Pictures(digits.train, "array")
    bare = [pictures[i] for i in range(75)]
    assert len(eq.Augmented(bare, "duplicate")) == 120
    assert len(eq.Augmented(bare, "duplicate", labels=[0] * 70 + [1] * 5)) == 140
    recipe = eq.Recipe(name="r", strategy={"8": 20})
    assert len(eq.Augmented(bare, recipe, classes=["3", "8"])) == 80
    with pytest.raises(eq.InputError, match="as many labels as images must hold"):
        eq.Augmented(bare, "none", labels=[0])
    with pytest.raises(IndexError):
        eq.Augmented(bare, "none")[75]
    assert torch.equal(eq.Augmented(bare, "none")[-1][0], eq.Augmented(bare, "none")[74][0])


def test_floats_are_refused_with_what_to_do():
    dataset = eq.Augmented([(np.zeros((8, 8, 3)), 0), (np.zeros((8, 8, 3)), 1)], "none")
    with pytest.raises(eq.InputError, match="Augment before any conversion to float"):
        dataset[0]


def test_it_survives_pickling_with_its_epoch(digits):
    dataset = eq.Augmented(Pictures(digits.train, "array"), FRESH)
    dataset.set_epoch(4)
    again = pickle.loads(pickle.dumps(dataset))
    assert again.epoch == 4
    assert torch.equal(again[100][0], dataset[100][0])


@pytest.mark.parametrize("recipe", ["progressive", "drs", "mixup"])
def test_what_needs_the_trainer_is_refused(digits, recipe):
    train = digits.train
    for make in (
        lambda: eq.batches(train.array, train.labels, recipe),
        lambda: eq.Augmented(Pictures(train, "array"), recipe),
    ):
        with pytest.raises(eq.InputError, match=r"in a training loop of your own must hold"):
            make()


def test_undersampling_leaves_the_same_images_in_both(digits):
    train = digits.train
    dataset = eq.Augmented(Pictures(train, "array"), "undersample", seed=2)
    images, labels = all_rows(dataset)
    assert np.bincount(labels).tolist() == [15, 15]
    batches = eq.batches(train.array, train.labels, "undersample", 30, 2)
    theirs, _ = next(iter(batches))
    assert {i.numpy().tobytes() for i in images} == {
        i.contiguous().numpy().tobytes() for i in theirs
    }


def _from_torch(image, rng):
    return image if torch.rand(()) < 0.5 else image[:, ::-1]


def test_a_callable_that_draws_from_torch_is_not_disturbed_by_the_loop(digits):
    train = digits.train
    register("from-torch", _from_torch)
    recipe = FRESH.model_copy(update={"name": "torch", "techniques": ("from-torch",)})

    def epoch(disturb):
        torch.manual_seed(0)
        shown = []
        for images, _ in eq.batches(train.array, train.labels, recipe, 16, 3):
            shown.append(images.clone())
            if disturb:
                sum(range(20_000))  # long enough for a thread to run ahead
        return torch.cat(shown)

    assert torch.equal(epoch(False), epoch(True))


@pytest.mark.slow
def test_spawned_workers_show_fresh_images_in_each_epoch(digits):
    shown = eq.Augmented(Pictures(digits.train, "array"), FRESH, seed=3)
    alone, spawned = [], []
    for into, options in (
        (alone, {}),
        (spawned, {"num_workers": 2, "multiprocessing_context": "spawn"}),
    ):
        for epoch in (0, 1, 0):
            shown.set_epoch(epoch)
            into.append(all_rows(shown, **options)[0])
    assert all(torch.equal(a, b) for a, b in zip(alone, spawned, strict=True))
    assert torch.equal(spawned[0], spawned[2])
    assert not torch.equal(spawned[0], spawned[1])
