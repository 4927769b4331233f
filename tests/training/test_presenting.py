from hashlib import sha256

import numpy as np
import pytest

from equipoise import InputError, Recipe, engine
from equipoise.planning import plan
from equipoise.recipes import NAMED
from equipoise.training import Trainer, budget
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


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("none", "8ee621e42bca13a0"),
        ("article", "fa2fd463f8736ed0"),
        ("balanced", "4d2813885b521664"),
    ],
)
def test_the_streams_are_those_of_earlier_versions(digits, name, digest):
    """Published runs can be made again; other bytes need a new `engine.ENGINE_VERSION`."""
    train = digits.train
    shown = present(train.array, train.labels, train.ids, NAMED[name], seed=3, threads=1)
    batch, mark = shown.batch(0, 500), sha256()
    for column in (
        batch.images,
        *(v.astype("<i8") for v in (batch.labels, batch.rows, batch.passes)),
    ):
        mark.update(np.ascontiguousarray(column).tobytes())
    assert mark.hexdigest()[:16] == digest


@pytest.mark.parametrize("strategy", [None, {"8": 25}])
def test_undersampling_comes_first_and_what_it_leaves_is_brought_up(digits, strategy):
    shown = presented(digits, undersample={"3": 30}, strategy=strategy, techniques=ARTICLE)
    assert np.bincount(shown.roster.labels).tolist() == [30, 15 if strategy is None else 25]
    originals = shown.roster.technique < 0
    rows = shown.roster.source[originals]
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(everything(shown)[originals], digits.train.array[rows])
    made = ~originals
    copies = engine.augment_each(
        digits.train.array[shown.roster.source[made]], ARTICLE, shown.roster.technique[made],
        seed=0, ids=shown.roster.ids[made], copy=shown.roster.copy[made],
    )  # fmt: skip
    np.testing.assert_array_equal(everything(shown)[made], copies)


def test_weights_share_out_the_fresh_draws(digits):
    fields = {"techniques": ["flip", "blur", "noise"], "augmentation": "fresh", "scope": "all"}
    shown = presented(digits, **fields, weights=[1, 2, 5])
    batch = shown.batch(0, 3000)
    clean = digits.train.array[shown.roster.source[batch.rows]]
    shares = {"clean": (batch.images == clean).all((1, 2, 3)).mean()}
    for name in fields["techniques"]:
        alone = engine.augment(
            clean, name, seed=0, ids=shown.roster.ids[batch.rows], epoch=batch.passes
        )
        shares[name] = (batch.images == alone).all((1, 2, 3)).mean()
    # Clean one time in four; four standard deviations of 3,000 draws.
    for share, expected in zip(shares.values(), (1 / 4, 3 / 32, 6 / 32, 15 / 32), strict=True):
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 3000), shares
    even, plain = (
        presented(digits, **fields, **w).batch(0, 200) for w in ({"weights": [2] * 3}, {})
    )
    np.testing.assert_array_equal(even.images, plain.images)


def test_weights_share_out_the_static_copies(digits):
    shown = presented(digits, strategy="auto", techniques=ARTICLE, weights=[1, 1, 3])
    assert np.bincount(shown.roster.technique + 1)[1:].tolist() == [9, 9, 27]


def test_deferred_draws_begin_with_the_step_after_their_share_of_the_budget(digits):
    train, trainer = digits.train, Trainer(name="t", epochs=5, batch_size=16)

    def budget_of(presented):
        return budget(train.labels, trainer, presented=presented)

    recipe = Recipe(name="r", draws="balanced", defer=0.8)
    shown = present(train.array, train.labels, train.ids, recipe, seed=0, budget_of=budget_of)
    run = budget_of(len(shown))
    # 120 images in balance make 8 steps an epoch: 40 in all, 32 of them natural.
    assert (run.steps, shown.draws.begins) == (40, 32 * 16)
    late = shown.batch(*run.span(32))
    assert np.bincount(late.labels).tolist() == [8, 8]


def test_a_stream_without_an_end_refuses_what_changes(digits):
    for fields in (
        {"draws": "progressive"},
        {"draws": "balanced", "defer": 0.5},
        {"mixing": "mixup"},
    ):
        with pytest.raises(InputError, match=r"in a training loop of your own"):
            presented(digits, **fields)
    presented(digits, loss="weighted", defer=0.5)
