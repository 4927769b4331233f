"""The engine: what surrounds the techniques."""

import multiprocessing
import subprocess
import sys
from hashlib import blake2b
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import equipoise.engine as engine
from equipoise.engine import augment, augment_each, carry_out, fresh
from equipoise.errors import InputError, WorkError
from equipoise.techniques import CATALOGUE, resolve

TECHNIQUES = [
    "crop",
    {"noise": {"white": 0.3}},
    "rotate",
    {"chain": {"techniques": ["flip", "hue"]}},
]


@pytest.fixture(scope="module")
def batch(patches):
    """More than 256 kB a thread, so that threads are used."""
    return patches(400, 32, 32), np.random.default_rng(0).integers(0, 2**62, 400)


def digest(array):
    return blake2b(np.ascontiguousarray(array), digest_size=8).hexdigest()


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_threads_change_nothing(name, batch, monkeypatch):
    images, ids = batch
    alone = augment(images, name, seed=7, ids=ids, threads=1)
    for threads in (2, 3):
        assert np.array_equal(augment(images, name, seed=7, ids=ids, threads=threads), alone)
    monkeypatch.setattr(engine, "_CHUNK_BYTES", 50_000)
    assert np.array_equal(augment(images, name, seed=7, ids=ids, threads=3), alone)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_split_of_any_choice_agrees_with_augment(batch, data):
    """Each image is what `augment` makes of it alone, whatever stands around it."""
    images, ids = batch
    rows = np.array(data.draw(st.lists(st.integers(0, 399), min_size=1, max_size=40)))
    choice = np.array(
        data.draw(st.lists(st.integers(-1, 3), min_size=len(rows), max_size=len(rows)))
    )
    copies = rows % 5
    result = augment_each(
        images[rows], TECHNIQUES, choice, seed=3, ids=ids[rows], copy=copies, epoch=2, threads=2
    )
    cut = data.draw(st.integers(0, len(rows)))
    parts = [
        augment_each(
            images[rows[part]], TECHNIQUES, choice[part], seed=3, ids=ids[rows[part]],
            copy=copies[part], epoch=2,
        )
        for part in (slice(None, cut), slice(cut, None))
    ]  # fmt: skip
    assert np.array_equal(result, np.concatenate(parts))
    for row, kind, copy, found in zip(rows, choice, copies, result, strict=True):
        expected = images[row : row + 1]
        if kind >= 0:
            expected = augment(
                expected, TECHNIQUES[kind], seed=3, ids=ids[row : row + 1], copy=copy, epoch=2
            )
        assert np.array_equal(found, expected[0])


def test_fresh_gives_each_technique_and_none_the_same_share(batch):
    images, ids = batch
    names = ["flip", "vertical_flip", "posterize"]
    kinds = [images[:, :, ::-1], images[:, ::-1], images & 240, images]
    counts = np.zeros(4)
    for epoch in range(10):
        result = fresh(images, names, seed=0, ids=ids, epoch=epoch)
        counts += [(result == kind).all(axis=(1, 2, 3)).sum() for kind in kinds]
    assert counts.sum() >= 4000
    assert np.abs(counts / 4000 - 0.25).max() < 4.5 * np.sqrt(0.1875 / 4000)


def test_fresh_leaves_untouched_what_it_may_not_touch(batch):
    images, ids = batch
    touch = np.arange(400) % 2 == 0
    result = fresh(images, ["noise", "noise"], seed=0, ids=ids, touch=touch)
    assert np.array_equal(result[~touch], images[~touch])
    free = fresh(images, ["noise", "noise"], seed=0, ids=ids)
    assert np.array_equal(result[touch], free[touch])
    assert not np.array_equal(result[touch], images[touch])
    assert not np.array_equal(free, fresh(images, ["noise", "noise"], seed=0, ids=ids, epoch=1))
    assert np.array_equal(fresh(images, [], seed=0, ids=ids), images)


def test_carry_out_makes_the_copies_of_a_plan(batch):
    images, ids = batch
    plan = SimpleNamespace(
        source=np.array([3, 3, 399, 0, 3], np.int64),
        technique=np.array([0, 1, -1, 3, 0], np.int16),
        copy=np.array([0, 1, 0, 0, 2], np.int32),
    )
    result = carry_out(images, ids, plan, TECHNIQUES, seed=9)
    assert np.array_equal(result[2], images[399])
    assert not np.array_equal(result[0], result[4])
    for i in (0, 1, 3, 4):
        row = slice(plan.source[i], plan.source[i] + 1)
        expected = augment(
            images[row], TECHNIQUES[plan.technique[i]], seed=9, ids=ids[row], copy=plan.copy[i]
        )
        assert np.array_equal(result[i], expected[0])
    listed = carry_out(list(images), ids, plan, TECHNIQUES, seed=9)
    assert np.array_equal(np.stack(listed), result)


def test_images_of_mixed_sizes_come_back_as_a_list(patches):
    shapes = [(5, 7, 3), (32, 32, 3), (9, 4, 4), (5, 7, 3)]
    images = [patches(1, *shape)[0] for shape in shapes]
    result = augment(images, "crop", seed=0, ids=np.arange(4), threads=2)
    assert isinstance(result, list)
    for image, found, i in zip(images, result, range(4), strict=True):
        assert np.array_equal(found, augment(image[None], "crop", seed=0, ids=[i])[0])


def test_any_layout_of_memory_gives_the_same(batch, tmp_path):
    images, ids = batch
    expected = augment(images, "crop", seed=0, ids=ids)
    wide = np.zeros((400, 32, 64, 3), np.uint8)
    wide[:, :, ::2] = images
    assert np.array_equal(augment(wide[:, :, ::2], "crop", seed=0, ids=ids), expected)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert np.array_equal(augment(mapped, "crop", seed=0, ids=ids), expected)
    out = np.empty_like(images)
    assert augment(images, "crop", seed=0, ids=ids, out=out) is out
    assert np.array_equal(out, expected)
    assert augment(images[:0], "crop", seed=0, ids=ids[:0]).shape == (0, 32, 32, 3)


def test_parameters_go_with_a_name(batch):
    images, ids = batch
    named = augment(images, "noise", seed=0, ids=ids, white=0.5)
    assert np.array_equal(named, augment(images, {"noise": {"white": 0.5}}, seed=0, ids=ids))
    assert np.array_equal(
        named, augment(images, resolve({"noise": {"white": 0.5}}), seed=0, ids=ids)
    )


ONE = np.zeros((1, 4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": ONE.astype(np.float32)}, "of uint8 with 1, 3 or 4 channels"),
        ({"images": ONE[:, 0]}, "images N×H×W×C"),
        ({"images": ONE[..., :2]}, "1, 3 or 4 channels"),
        ({"images": ONE[:, :1]}, "height and width >= 2"),
        ({"images": [ONE[0, :1]]}, "height and width >= 2"),
        ({"ids": [1, 2]}, "ids one whole number an image"),
        ({"ids": [0.5]}, "ids one whole number an image"),
        ({"copy": [0, 1]}, "copy one whole number an image, or one for all"),
        ({"epoch": 0.5}, "epoch one whole number an image, or one for all"),
        ({"threads": 0}, "threads >= 1"),
        ({"out": np.zeros((1, 4, 5, 3), np.uint8)}, "out a contiguous array"),
        ({"out": ONE}, "out apart from images"),
        ({"images": [ONE[0]], "out": ONE}, "out goes with images in one array"),
        (
            {"technique": {"noise": {}}, "white": 0.1},
            "Parameters go with a technique given by name",
        ),
        ({"technique": "noise", "whit": 0.1}, "parameter of noise 'whit'"),
    ],
)
def test_what_is_refused(arguments, message):
    given = {"images": ONE, "technique": "flip", "seed": 0, "ids": [0], **arguments}
    with pytest.raises(InputError, match=message):
        augment(given.pop("images"), given.pop("technique"), **given)


def test_a_choice_out_of_range_is_refused():
    for choice in ([1], [-2]):
        with pytest.raises(InputError, match=r"-1 <= choice < 1"):
            augment_each(ONE, ["flip"], choice, seed=0, ids=[0])


def speckle(image, rng):
    """A user's technique."""
    return np.where(rng.random((*image.shape[:2], 1)) < 0.2, 255, image).astype(np.uint8)


def test_a_callable_gets_its_address_s_generator(batch):
    images, ids = batch[0][:30], batch[1][:30]
    result = augment(images, speckle, seed=0, ids=ids)
    assert not np.array_equal(result, images)
    assert np.array_equal(augment(images, speckle, seed=0, ids=ids, threads=2), result)
    one_by_one = [
        augment(images[i : i + 1], speckle, seed=0, ids=ids[i : i + 1]) for i in range(30)
    ]
    assert np.array_equal(np.concatenate(one_by_one), result)
    for change in ({"seed": 1}, {"copy": 1}, {"epoch": 1}, {"place": 1}):
        other = augment(images, speckle, **{"seed": 0, "ids": ids, **change})
        assert not np.array_equal(other, result)
    chained = augment(images, {"chain": {"techniques": [speckle, "flip"]}}, seed=0, ids=ids)
    alone = augment(images, speckle, seed=0, ids=ids, place=1)
    assert np.array_equal(chained, alone[:, :, ::-1])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda image, rng: image[:2],
        lambda image, rng: image / 255,
        lambda image, rng: None,
    ],
)
def test_a_callable_that_returns_something_else_fails_clearly(wrong):
    with pytest.raises(WorkError, match="must return an array of uint8 of shape"):
        augment(ONE, wrong, seed=0, ids=[0])


def test_an_error_in_a_thread_ends_the_work(batch, monkeypatch):
    images, ids = batch

    def fail(technique, keys, place, shape):
        raise MemoryError("none left")

    monkeypatch.setattr(engine, "draw", fail)
    with pytest.raises(MemoryError, match="none left"):
        augment(images, "crop", seed=0, ids=ids, threads=2)
    monkeypatch.undo()
    assert augment(images, "crop", seed=0, ids=ids, threads=2).shape == images.shape


def in_child(images, ids):
    return digest(augment(images, "crop", seed=1, ids=ids, threads=2))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_give_the_same(method, batch):
    images, ids = batch
    here = in_child(images, ids)  # the pool of this process exists before the fork
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.starmap(in_child, [(images, ids)] * 2) == [here, here]


def test_importing_compiles_nothing():
    """And loads no part of the house that is heavy."""
    code = (
        "import sys, equipoise.engine, numba\n"
        "kernels = [f for m in list(sys.modules.values()) if m.__name__.startswith('equipoise')\n"
        "           for f in vars(m).values() if isinstance(f, numba.core.dispatcher.Dispatcher)]\n"
        "assert len(kernels) > 30 and not any(f.signatures for f in kernels)\n"
        "assert not {'torch', 'matplotlib', 'pandas', 'sklearn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_albumentations_joins(batch):
    albumentations = pytest.importorskip("albumentations", exc_type=ImportError)
    pipeline = albumentations.Compose(
        [albumentations.HorizontalFlip(p=0.5), albumentations.RandomBrightnessContrast(p=1)]
    )

    def jitter(image, rng):
        pipeline.set_random_seed(int(rng.integers(2**31)))
        return pipeline(image=image)["image"]

    images, ids = batch[0][:10], batch[1][:10]
    result = augment(images, jitter, seed=0, ids=ids)
    assert not np.array_equal(result, images)
    assert np.array_equal(result[::-1], augment(images[::-1], jitter, seed=0, ids=ids[::-1]))


def test_kornia_joins(batch):
    kornia = pytest.importorskip("kornia.augmentation", exc_type=ImportError)
    torch = pytest.importorskip("torch")
    pipeline = kornia.ColorJiggle(0.2, 0.2, 0.2, 0.1, p=1.0)

    def jiggle(image, rng):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**63)))
            tensor = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
            changed = pipeline(tensor)[0].permute(1, 2, 0)
        return (255 * changed).round().byte().numpy()

    images, ids = batch[0][:6], batch[1][:6]
    result = augment(images, jiggle, seed=0, ids=ids)
    assert not np.array_equal(result, images)
    assert np.array_equal(result[::-1], augment(images[::-1], jiggle, seed=0, ids=ids[::-1]))


def test_the_readme_s_call(batch):
    """The contract's example, against OpenCV by way of another technique."""
    images, ids = batch
    out = engine.augment(images, "blur", seed=0, ids=ids)
    assert np.array_equal(out[0], cv2.GaussianBlur(images[0], (5, 5), 0))
