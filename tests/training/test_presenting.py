import numpy as np
import pytest

from equipoise import InputError, Recipe, engine
from equipoise.planning import plan
from equipoise.training.presenting import check_recipe, present

ARTICLE = ("crop", "flip", "noise")


def presented(digits, seed=0, **fields):
    train = digits.train
    recipe = Recipe(name="r", **fields)
    return present(train.array, train.labels, train.ids, recipe, seed=seed, classes=train.classes)


def everything(shown):
    """All rows in order, with their pixels, whatever the draws."""
    place = np.arange(len(shown))
    return shown._pixels(place)


def test_without_a_strategy_the_set_is_as_given(digits):
    shown = presented(digits)
    assert len(shown) == len(digits.train)
    np.testing.assert_array_equal(everything(shown), digits.train.array)


@pytest.mark.parametrize("techniques", [(), ARTICLE])
@pytest.mark.parametrize("scope", ["minority", "all"])
def test_static_copies_are_the_plans_carried_out(digits, techniques, scope):
    train = digits.train
    shown = presented(digits, strategy="auto", techniques=techniques, scope=scope)
    made = plan(train.labels, "auto", len(techniques), seed=0, ids=train.ids, scope=scope)
    kept = made.kept(len(train))
    copies = engine.carry_out(train.array, train.ids, made, techniques, seed=0)
    np.testing.assert_array_equal(everything(shown), np.concatenate([train.array[kept], copies]))
    labels = np.concatenate([train.labels[kept], train.labels[made.source]])
    np.testing.assert_array_equal(shown.roster.labels, labels)
    assert (np.bincount(labels) == train.counts.max()).all()
    # The same in every pass.
    rows, _ = shown.draws(0, 3 * len(shown))
    batch = shown.batch(0, 3 * len(shown))
    np.testing.assert_array_equal(batch.images, everything(shown)[rows])
    np.testing.assert_array_equal(batch.labels, labels[rows])


def test_fresh_is_anew_in_every_pass_and_clean_for_one_in_so_many(digits):
    shown = presented(digits, techniques=["noise"], augmentation="fresh", scope="all")
    n = len(shown)
    passes = []
    for number in range(8):
        batch = shown.batch(number * n, (number + 1) * n)
        passes.append(batch.images[np.argsort(batch.rows)])
    clean = np.array([(one == digits.train.array).all((1, 2, 3)) for one in passes])
    # With one technique half are clean: 600 draws, four standard deviations.
    assert abs(clean.mean() - 0.5) < 4 * 0.5 / np.sqrt(clean.size)
    assert not (passes[0] == passes[1]).all()
    changed = ~clean[0] & ~clean[1]
    assert not (passes[0][changed] == passes[1][changed]).all((1, 2, 3)).any()


@pytest.mark.parametrize("fields", [{"strategy": "auto"}, {"draws": "balanced"}, {}])
def test_fresh_touches_only_the_classes_to_be_brought_up(digits, fields):
    shown = presented(digits, techniques=ARTICLE, augmentation="fresh", **fields)
    batch = shown.batch(0, 4 * len(shown))
    source = digits.train.array[shown.roster.source[batch.rows]]
    changed = (batch.images != source).any((1, 2, 3))
    assert not changed[batch.labels == 0].any()
    assert changed[batch.labels == 1].mean() > 0.5


def test_fresh_duplicates_differ_from_one_another(digits):
    shown = presented(digits, techniques=["noise"], augmentation="fresh", strategy="auto")
    batch = shown.batch(0, len(shown))
    mine = batch.labels == 1
    source = shown.roster.source[batch.rows[mine]]
    images = batch.images[mine]
    changed = (images != digits.train.array[source]).any((1, 2, 3))
    assert len(np.unique(images[changed], axis=0)) == changed.sum()


@pytest.mark.parametrize("augmentation", ["static", "fresh"])
def test_batches_and_threads_change_nothing(digits, augmentation):
    fields = {"strategy": "auto", "techniques": ARTICLE, "augmentation": augmentation}
    shown = presented(digits, draws="balanced", **fields)
    whole = shown.batch(0, 200)
    train, recipe = digits.train, Recipe(name="r", draws="balanced", **fields)
    single = present(train.array, train.labels, train.ids, recipe, seed=0, threads=1)
    parts = [single.batch(start, min(start + 7, 200)) for start in range(0, 200, 7)]
    np.testing.assert_array_equal(whole.images, np.concatenate([p.images for p in parts]))
    other = presented(digits, seed=1, draws="balanced", **fields).batch(0, 200)
    assert not np.array_equal(whole.images, other.images)


def test_what_does_not_fit_is_said_without_any_work(digits):
    train = digits.train
    for fields, message in (
        ({"strategy": {"3": 5}}, "target count >= the 60 images that class 3 has"),
        ({"strategy": {"4": 500}}, "no class '4'"),
        ({"techniques": ["nose"]}, "no technique 'nose'. Did you mean 'noise'"),
    ):
        recipe = Recipe(name="r", **fields)
        with pytest.raises(InputError, match=message):
            check_recipe(train.array, train.labels, train.ids, recipe, classes=train.classes)
