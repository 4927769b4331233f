"""The whole sieve, on real pictures: what was planted falls, and real images pass."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

import equipoise as eq
from equipoise.backbones import ActivationCache
from equipoise.errors import InputError
from equipoise.extras import check_extra, with_extra
from equipoise.recipes import Recipe
from equipoise.sifting import STEPS, fit_sieve, sift


def pieces(which, count, seed, side=32):
    """Windows of one photograph: a palace, or a flower."""
    photo, rng = load_sample_images().images[which], np.random.default_rng([which, seed])
    found = []
    for _ in range(count):
        top, left = rng.integers(0, 427 - 160), rng.integers(0, 640 - 160)
        part = photo[top : top + 160, left : left + 160]
        found.append(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA))
    return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return ActivationCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """50 palaces and 30 flowers to train on, 8 of each to validate and to test on."""
    root = tmp_path_factory.mktemp("data") / "photos"
    for split, counts in {"train": (50, 30), "val": (8, 8), "test": (8, 8)}.items():
        for which, (name, count) in enumerate(zip(("palace", "flower"), counts, strict=True)):
            (root / split / name).mkdir(parents=True)
            for k, image in enumerate(
                pieces(which, count, {"train": 0, "val": 1, "test": 2}[split])
            ):
                cv2.imwrite(str(root / split / name / f"{k}.png"), image[..., ::-1])
    return root


@pytest.fixture(scope="module")
def data(root):
    return eq.load(root)


@pytest.fixture(scope="module")
def planted(data, tmp_path_factory):
    """Flowers, near copies, palaces that are called flowers, and noise."""
    folder = tmp_path_factory.mktemp("extra") / "extra"
    (folder / "flower").mkdir(parents=True)
    flowers = {name: part.array[part.labels == 0] for name, part in data.parts.items()}
    rng = np.random.default_rng(0)
    images = {f"good{k}": image for k, image in enumerate(pieces(1, 20, 9))}
    for k, name in enumerate(("train", "validation", "test")):
        images[f"copy{k}"] = flowers[name][2][:, ::-1]
        images[f"copy{k}c"] = cv2.resize(flowers[name][3][4:30, 2:28], (32, 32))
    images |= {f"palace{k}": image for k, image in enumerate(pieces(0, 10, 9))}
    images |= {f"noise{k}": rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for k in range(4)}
    for name, image in images.items():
        cv2.imwrite(str(folder / "flower" / f"{name}.png"), image[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def found(planted, data, cache):
    return sift(planted, data, cache=cache)


def fell(found, start):
    """Of the images whose names begin so, the steps at which they fell."""
    names = found.images.names
    mine = [f"/{start}" in name for name in names.tolist()]
    return found.verdict[mine]


def test_each_fault_falls_where_it_should(found):
    assert (fell(found, "copy") == "copy").all()
    assert (fell(found, "palace") != "kept").mean() >= 0.9
    assert "probe" in fell(found, "palace")
    assert (fell(found, "noise") != "kept").all()
    # Some of them are windows of the same flower that overlap: near copies indeed.
    good = fell(found, "good")
    assert np.isin(good, ["kept", "copy"]).mean() >= 0.9


def test_every_image_that_fell_has_its_reason(found):
    assert (found.reason[found.kept] == "").all()
    assert (found.reason[~found.kept] != "").all()
    names = found.images.names.tolist()
    reason = found.reason[[name.endswith("copy2.png") for name in names]][0]
    assert reason.startswith("near test: test/flower/2.png, mirrored")
    told = found.to_dict()
    assert {one["step"] for one in told["fallen"]} <= set(STEPS)
    counts = told["counts"]["flower"]
    assert counts["images"] == len(names) == sum(counts[key] for key in (*STEPS, "kept"))


def test_what_a_comparison_would_refuse_falls(data, cache, tmp_path):
    """So that the images that are kept can be trained with."""
    (tmp_path / "extra" / "flower").mkdir(parents=True)
    blurred = [cv2.GaussianBlur(image, (5, 5), 1.2) for image in data.test.array]
    for k, image in enumerate(blurred):
        cv2.imwrite(str(tmp_path / "extra" / "flower" / f"{k}.png"), image[..., ::-1])
    recipe = Recipe(name="a", extra=str(tmp_path / "extra"))
    extra = with_extra(data, recipe)
    with pytest.raises(InputError, match="must not be trained on"):
        check_extra(extra, recipe)
    found = sift(tmp_path / "extra", data, cache=cache)
    assert "copy" in found.verdict
    rows = np.append(np.ones(len(data.train), bool), found.kept)
    check_extra(replace(extra, train=extra.train.select(rows)), recipe)


def test_nothing_but_copies_hangs_on_validation_and_test(data, cache):
    """With other validation and test images all cuts and probes are the same."""
    emptied = replace(data, validation=data.validation.select([]), test=data.test.select([]))
    one, other = (fit_sieve(some, cache=cache) for some in (data, emptied))
    assert (one.alike == other.alike).all()
    assert (one.likeness.farthest == other.likeness.farthest).all()
    assert (one.likeness.probes == other.likeness.probes).all()


def test_steps_without_enough_real_images_are_skipped_in_a_line(data, planted, cache):
    rows = np.concatenate([np.flatnonzero(data.train.labels == 1), [0, 1, 2]])
    few = replace(data, train=data.train.select(np.sort(rows)))
    assert few.train.counts.tolist() == [3, 50]
    found = sift(planted, few, cache=cache)
    assert found.notes == (
        "flower: 3 real images to judge by, and 24 are needed: the steps probe and distance are "
        "skipped",
    )
    assert set(found.verdict) == {"copy", "kept"}


def test_mistakes_are_named(data, root, tmp_path):
    (tmp_path / "dgo").mkdir()
    with pytest.raises(InputError, match="loaded data set"):
        sift(tmp_path, str(root))
    with pytest.raises(InputError, match="extra"):
        sift(tmp_path, data)
    with pytest.raises(InputError, match="classes of the data set"):
        sift(replace(data.train, classes=("a", "b")), data)
