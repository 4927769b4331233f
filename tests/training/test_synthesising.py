"""SMOTE and its kin on embeddings: what is made of what, and where it is refused."""

from dataclasses import replace

import numpy as np
import pytest

from equipoise.backbones import get_backbone
from equipoise.errors import InputError
from equipoise.images import ImageSet, Splits
from equipoise.recipes import Recipe
from equipoise.training import batches, fit, get_trainer
from equipoise.training.budgets import budget
from equipoise.training.cached import present_cached
from equipoise.training.synthesising import check_synthesis, synthesise
from equipoise.writers import upsample

WAYS = ("smote", "borderline_smote", "adasyn")
PROBE = get_trainer("probe", epochs=1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def pictures(make_digits) -> Splits:
    """Digits of 32×32: 24 of a class and 8 of another."""

    def larger(part: ImageSet) -> ImageSet:
        return replace(part, images=part.array.repeat(4, axis=1).repeat(4, axis=2))

    return Splits(*(larger(p) for p in make_digits({3: 24, 8: 8}, held_out=12).parts.values()))


def recipe(way: str = "smote", **fields) -> Recipe:
    return Recipe(name=way, synthesise=way, **fields)


def points(*, of_each: int = 3, groups: int = 4) -> tuple[np.ndarray, ImageSet]:
    """A large class, and a rare one whose groups are tight heaps among it."""
    rng = np.random.default_rng(0)
    large = rng.normal(0, 2, (60, 2))
    heaps = np.array([[0, 0.6], [0.6, 0], [0, -0.6], [-0.6, 0]])[:groups].repeat(of_each, axis=0)
    rare = heaps + rng.normal(0, 0.01, heaps.shape)
    values = np.concatenate([large, rare]).astype(np.float32)
    labels = np.repeat([0, 1], [len(large), len(rare)])
    names = np.arange(len(labels)).astype(str)
    group = np.concatenate([names[:60], np.arange(groups).repeat(of_each).astype("U4")])
    pixels = np.zeros((len(labels), 4, 4, 1), np.uint8)
    ids, digests = np.arange(len(labels)), np.zeros(len(labels), "S16")
    return values, ImageSet(pixels, labels, ("many", "rare"), ids, names, digests, group)


@pytest.mark.parametrize("way", WAYS)
def test_new_points_lie_between_images_of_different_groups(way):
    values, train = points()
    made = synthesise(values, train, recipe(way), {1: 48}, seed=0)[0][1]
    assert abs(len(made) - 48) <= 6
    rare = values[60:]
    for point in made:
        ends = [
            (a // 3, b // 3)
            for a, start in enumerate(rare)
            for b, stop in enumerate(rare)
            if np.isclose(
                np.linalg.norm(point - start) + np.linalg.norm(stop - point),
                np.linalg.norm(stop - start),
                rtol=1e-5,
            )
        ]
        assert any(a != b for a, b in ends)


def test_without_groups_the_nearest_images_are_neighbours():
    values, train = points()
    made = synthesise(values, replace(train, groups=None), recipe(), {1: 48}, seed=0)[0][1]
    near = np.linalg.norm(made[:, None] - values[60:], axis=2).min(1)
    assert (near < 0.05).mean() > 0.3  # within a heap; between two of them such points are rare


def test_the_same_seed_makes_the_same_points_and_another_does_not():
    values, train = points()
    one, again, other = (
        synthesise(values, train, recipe(), {1: 9}, seed=seed)[0][1] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_fewer_neighbours_for_a_tiny_class_are_told():
    values, train = points(of_each=1, groups=3)
    made, remarks = synthesise(values, train, recipe(), {1: 9}, seed=0)
    assert len(made[1]) == 9
    assert remarks == [
        "smote: 'rare' has 3 images to train on, so a neighbour is one of the nearest 2 of another "
        "group, not of 5."
    ]


def test_a_class_of_one_group_is_refused():
    _, train = points(groups=1)
    with pytest.raises(InputError, match=r"'rare' has 3 images of one group to train on"):
        check_synthesis(train, recipe())
    check_synthesis(train, recipe(strategy={"many": 70}))


def test_a_class_far_from_all_others_gets_plain_copies():
    values, train = points()
    values[60:] += 1000
    for way in ("borderline_smote", "adasyn"):
        made, remarks = synthesise(values, train, recipe(way), {1: 9}, seed=0)
        assert not len(made[1])
        assert "is brought up by plain copies" in remarks[-1]


@pytest.mark.parametrize("flip", ["none", "random"])
def test_a_training_set_shows_the_points_in_the_place_of_copies(pictures, flip):
    data = pictures
    trainer = PROBE.model_copy(update={"flip": flip})
    shown = present_cached(
        data.train, recipe(), trainer, get_backbone("lite0").trunk(), seed=0,
        budget_of=lambda count: budget(data.train.labels, trainer, presented=count),
    )  # fmt: skip
    assert np.bincount(shown.roster.labels).tolist() == [24, 24]
    batch = shown.mirrored(shown.draws, 0, 48)
    new = shown.place[32:]
    assert len(set(new.tolist())) == 16
    originals = {row.tobytes() for row in shown.values[:32]}
    assert not originals & {row.tobytes() for row in shown.values[new]}
    mine = batch.rows >= 32
    np.testing.assert_array_equal(batch.images[mine], shown.values[shown.place[batch.rows[mine]]])


@pytest.mark.parametrize("way", WAYS)
def test_a_probe_is_trained_with_it(pictures, way):
    few = replace(pictures, train=pictures.train.select(np.arange(27)))
    run = fit(few, recipe(way), PROBE, seed=0)
    assert any("a neighbour is one of the nearest 2" in line for line in run.metrics["remarks"])
    assert run.metrics["presented"] == 48


def test_it_is_refused_where_there_are_no_embeddings(pictures, tmp_path):
    data = pictures
    for trainer in ("fast", "finetune", "finetune-all"):
        with pytest.raises(InputError, match="outside a linear head on embeddings"):
            fit(data, recipe(), get_trainer(trainer, epochs=1), seed=0)
    with pytest.raises(InputError, match="outside a linear head"):
        batches(data.train.array, data.train.labels, recipe=recipe(), batch_size=4, seed=0)
    with pytest.raises(InputError, match="cannot be written as images"):
        upsample(data, tmp_path / "out", recipe=recipe())
    with pytest.raises(InputError, match="no techniques where embeddings are synthesised"):
        fit(data, recipe(techniques=("flip",)), PROBE, seed=0)
