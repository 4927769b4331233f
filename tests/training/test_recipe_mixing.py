import numpy as np
import pytest

from equipoise import InputError, Recipe
from equipoise.training.draws import Draws
from equipoise.training.mixing import MIXINGS, get_mixing, mix
from equipoise.training.presenting import present


@pytest.fixture(scope="module")
def shown(digits):
    train = digits.train
    return present(train.array, train.labels, train.ids, Recipe(name="r"), seed=0, threads=1)


def mixed(shown, spec, start=0, stop=64, seed=0):
    mixing = get_mixing(spec, shown.roster.labels, seed=seed)
    pool = None if mixing.foreground is None else shown.take(mixing.foreground, start, stop)
    batch = shown.batch(start, stop)
    return batch, mix(mixing, batch, pool, classes=2, seed=seed, start=start)


@pytest.mark.parametrize("name", MIXINGS)
def test_a_mixed_batch_is_two_images_and_their_labels_in_shares(shown, name):
    batch, got = mixed(shown, name)
    assert got.images.shape == batch.images.shape
    assert got.images.dtype == np.uint8
    for column in ("labels", "rows", "passes"):
        np.testing.assert_array_equal(getattr(got, column), getattr(batch, column))
    assert got.share.dtype == np.float32
    assert ((got.share >= 0) & (got.share <= 1)).all()
    assert (got.share[got.others == got.labels] > 1 - 1e-5).all()
    other = got.others != got.labels
    assert 0 < other.mean() < 1
    # What kept its whole share is the image it was, and the others are not.
    changed = (got.images != batch.images).any((1, 2, 3))
    assert changed.any()
    if name != "mixup":
        assert not changed[other & (got.share == 1)].any()
    again = mixed(shown, name)[1]
    np.testing.assert_array_equal(again.images, got.images)
    assert not np.array_equal(mixed(shown, name, seed=1)[1].images, got.images)
    assert not np.array_equal(mixed(shown, name, 64, 128)[1].share, got.share)


def test_the_share_of_a_box_is_its_area(shown):
    batch, got = mixed(shown, "cutmix", 0, 200)
    other = got.others != got.labels
    kept = (got.images == batch.images).all(3).mean((1, 2))
    # Pixels of the box may be equal by chance, never the other way round.
    assert (kept[other] >= got.share[other] - 1e-6).all()


def test_cmo_pastes_from_all_classes_equally_often(shown):
    mixing = get_mixing({"cmo": {"probability": 1}}, shown.roster.labels, seed=0)
    assert isinstance(mixing.foreground, Draws)
    rows, _ = mixing.foreground(0, 400)
    assert np.bincount(shown.roster.labels[rows]).tolist() == [200, 200]
    assert not np.array_equal(rows, Draws(shown.roster.labels, "balanced", seed=0)(0, 400)[0])
    share = []
    for start in range(0, 2000, 50):
        batch, got = mixed(shown, {"cmo": {"probability": 1}}, start, start + 50)
        majority = batch.labels == 0
        share.append((got.others[majority] == 1).mean())
    # Half of what is pasted is of the minority, which is a fifth of the images; a box can be empty.
    assert 0.4 < np.mean(share) < 0.55


def test_without_probability_nothing_is_pasted(shown):
    batch, got = mixed(shown, {"cmo": {"probability": 0}})
    np.testing.assert_array_equal(got.images, batch.images)
    assert (got.share == 1).all()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mixpu", "no mixing 'mixpu'. Did you mean 'mixup'"),
        ({"mixup": {"probability": 1}}, "no parameter of mixing mixup 'probability'"),
        ({"cmo": {"until": 1.5}}, "0 <= until <= 1 must hold, but got until=1.5"),
        ({"cutmix": {"alpha": 0}}, "alpha"),
    ],
)
def test_mistakes_are_named(spec, message):
    with pytest.raises(InputError, match=message):
        get_mixing(spec, [0, 1], seed=0)
