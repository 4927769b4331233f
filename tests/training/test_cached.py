"""Training on a frozen trunk: what is shown, and that training and use see the same figures."""

from pathlib import Path

import numpy as np
import pytest

from equipoise import engine
from equipoise.backbones import ActivationCache, get_backbone
from equipoise.errors import InputError
from equipoise.images import ImageSet, Splits
from equipoise.planning import Plan
from equipoise.recipes import Recipe
from equipoise.training import fit, get_trainer, load_model
from equipoise.training.budgets import budget
from equipoise.training.cached import (
    CachedSet,
    activations_of,
    decided_plainly,
    extract,
    present_cached,
)
from equipoise.training.presenting import draw_up
from equipoise.training.saving import save_model

TRUNK = get_backbone("lite0").trunk(1)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EQUIPOISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def pictures(make_digits) -> Splits:
    """Digits of 32×32."""
    return enlarged(make_digits({3: 24, 8: 8}, held_out=12), 4)


def enlarged(small: Splits, times: int) -> Splits:
    def larger(part: ImageSet) -> ImageSet:
        images = part.array.repeat(times, axis=1).repeat(times, axis=2)
        return ImageSet(images, part.labels, part.classes, part.ids, part.names, part.digests)

    return Splits(*(larger(part) for part in small.parts.values()))


def presented(data: Splits, recipe: Recipe, flip: str = "none", views: int = 3) -> CachedSet:
    trainer = get_trainer("finetune").model_copy(update={"flip": flip, "views": views})

    def budget_of(count: int):
        return budget(data.train.labels, trainer, presented=count)

    return present_cached(data.train, recipe, trainer, TRUNK, seed=7, budget_of=budget_of)


def of(images: np.ndarray) -> np.ndarray:
    return TRUNK.run(images.repeat(3, axis=-1)).astype(np.float16)


def test_static_copies_are_the_activations_of_the_copies(pictures):
    recipe = Recipe(name="r", strategy="auto", techniques=("noise", "flip"))
    shown = presented(pictures, recipe)
    roster = draw_up(pictures.train.labels, pictures.train.ids, recipe, seed=7)
    plan = Plan(roster.source, roster.technique, roster.copy, np.zeros(len(roster), bool))
    train = pictures.train
    copies = engine.carry_out(train.array, train.ids, plan, roster.techniques, seed=7)
    np.testing.assert_array_equal(shown.values[shown.place], of(copies))


def test_fresh_draws_show_the_clean_image_or_a_view_of_it(pictures):
    recipe = Recipe(name="r", draws="balanced", techniques=("noise",), augmentation="fresh")
    shown, train = presented(pictures, recipe), pictures.train
    rare = np.flatnonzero(train.labels == 1)
    expected = {row: [train.array[row]] for row in rare}
    for view in (1, 2, 3):
        made = engine.augment(
            train.array[rare], "noise", seed=7, ids=train.ids[rare], copy=view, epoch=0
        )
        for row, image in zip(rare, made, strict=True):
            expected[row].append(image)
    known = {row: of(np.stack(images)) for row, images in expected.items()}
    batch = shown.batch(0, 4000)
    seen = {row: set() for row in rare}
    for row, values in zip(batch.rows, batch.images, strict=True):
        if row not in known:
            np.testing.assert_array_equal(values, shown.values[row])
            continue
        seen[row].add(next(k for k, one in enumerate(known[row]) if (one == values).all()))
    assert all(found == {0, 1, 2, 3} for found in seen.values())
    mine = np.isin(batch.rows, rare)
    clean = (batch.images[mine] == shown.values[batch.rows[mine]]).reshape(mine.sum(), -1).all(1)
    assert abs(clean.mean() - 0.5) < 0.05  # as often as with one technique on pixels


def test_the_trainer_s_mirroring_shows_mirror_images(pictures):
    shown, train = presented(pictures, Recipe(name="r"), flip="random"), pictures.train
    batch = shown.mirrored(shown.draws, 0, 64)
    own, mirrored = of(train.array), of(train.array[:, :, ::-1])
    is_own, is_mirrored = (
        (batch.images == known[batch.rows]).reshape(64, -1).all(1) for known in (own, mirrored)
    )
    assert (is_own | is_mirrored).all()
    assert 0.25 < is_mirrored.mean() < 0.75


def test_a_block_of_draws_does_not_depend_on_how_it_is_asked_for(pictures):
    recipe = Recipe(name="r", draws="balanced", techniques=("noise",), augmentation="fresh")
    shown = presented(pictures, recipe, flip="random")
    whole = shown.mirrored(shown.draws, 0, 60).images
    parts = [shown.mirrored(shown.draws, a, a + 20).images for a in (0, 20, 40)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize("trainer", ["probe", "finetune", "finetune-all"])
def test_a_trained_model_says_the_same_of_pictures_when_it_is_loaded(pictures, tmp_path, trainer):
    run = fit(pictures, Recipe(name="none"), get_trainer(trainer, epochs=1), seed=0)
    save_model(run.model, tmp_path / "model.pt")
    loaded = load_model(tmp_path)
    found = loaded.logits(pictures.test.array)
    np.testing.assert_allclose(found, run.predictions["test"].logits, atol=1e-4)
    kept = activations_of(pictures.test, TRUNK).images if trainer == "finetune" else None
    if kept is not None:
        np.testing.assert_array_equal(kept, of(pictures.test.array))


def test_probing_learns_the_digits(make_digits):
    digits = enlarged(make_digits({0: 60, 1: 20}, held_out=40), 8)
    upright = get_trainer("probe", epochs=20).model_copy(update={"flip": "none"})
    run = fit(digits, Recipe(name="none"), upright, seed=0)
    assert run.metrics["test"]["plain"]["roc_auc"] > 0.9


def test_batch_norm_keeps_the_statistics_it_was_trained_with(pictures):
    run = fit(pictures, Recipe(name="none"), get_trainer("finetune", epochs=1), seed=0)
    published = get_backbone("lite0").net().head.norm.running_mean
    np.testing.assert_array_equal(run.model.net.head.norm.running_mean, published)


def test_a_killed_run_goes_on_to_the_same_weights(pictures, tmp_path: Path):
    recipe, trainer = Recipe(name="none"), get_trainer("finetune", epochs=2)
    whole = fit(pictures, recipe, trainer, seed=0)

    def stop(progress) -> None:
        if progress.row is not None and progress.epoch == 1:
            raise KeyboardInterrupt

    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        fit(pictures, recipe, trainer, seed=0, folder=folder, progress=stop)
    again = fit(pictures, recipe, trainer, seed=0, folder=folder)
    np.testing.assert_array_equal(
        again.predictions["test"].logits, whole.predictions["test"].logits
    )


def test_too_many_blocks_are_refused(pictures):
    trainer = get_trainer("finetune").model_copy(update={"tuned_blocks": 40})
    with pytest.raises(InputError, match="tuned_blocks <= 16"):
        fit(pictures, Recipe(name="none"), trainer, seed=0)


def test_what_was_extracted_once_is_found_again(pictures, tmp_path):
    cache = ActivationCache(tmp_path)
    first = activations_of(pictures.test, TRUNK, cache).images
    size = cache.size()
    np.testing.assert_array_equal(activations_of(pictures.test, TRUNK, cache).images, first)
    assert cache.size() == size


@pytest.mark.parametrize("trainer", ["probe", "finetune"])
def test_mixup_mixes_activations_and_boxes_are_refused(pictures, trainer):
    how = get_trainer(trainer, epochs=1)
    plain = fit(pictures, Recipe(name="none"), how, seed=0)
    mixed = fit(pictures, Recipe(name="mixup", mixing="mixup"), how, seed=0)
    assert np.isfinite(mixed.predictions["test"].logits).all()
    assert (mixed.predictions["test"].logits != plain.predictions["test"].logits).any()
    for box in ("cutmix", "cmo"):
        with pytest.raises(InputError, match="no mixing but mixup on the cached activations"):
            fit(pictures, Recipe(name=box, mixing=box), how, seed=0)


def test_a_second_run_extracts_nothing(pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path))
    recipe, trainer = Recipe(name="none"), get_trainer("finetune", epochs=1)
    first = fit(pictures, recipe, trainer, seed=0)
    size = ActivationCache().size()
    extracted = {row.tobytes() for row in first.predictions["test"].logits}
    again = fit(pictures, recipe, trainer, seed=0)
    assert ActivationCache().size() == size
    assert {row.tobytes() for row in again.predictions["test"].logits} == extracted
    activations_of(pictures.test, TRUNK)  # the test split's are among them
    assert ActivationCache().size() == size


@pytest.mark.parametrize("backend", ["loky", pytest.param("ray", marks=pytest.mark.slow)])
def test_what_is_extracted_ahead_is_not_computed_again_by_a_run(
    pictures, tmp_path, monkeypatch, backend
):
    if backend == "ray":
        pytest.importorskip("ray")
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path))
    trainer = get_trainer("finetune", epochs=1)
    extract(pictures, trainer, backend)
    kept = ActivationCache().size()
    assert kept > 0
    fit(pictures, Recipe(name="none"), trainer, seed=0)
    assert ActivationCache().size() == kept


def test_nets_that_are_asked_about_the_same_pictures_share_what_the_trunk_makes_of_them(
    pictures, tmp_path, monkeypatch
):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path))
    trainer = get_trainer("finetune", epochs=1)
    models = [fit(pictures, Recipe(name="r"), trainer, seed=seed).model for seed in (0, 1)]
    darker = pictures.validation.array // 2
    first, second = models
    np.testing.assert_array_equal(decided_plainly(first, darker), first.predict(darker, "plain"))
    size = ActivationCache().size()
    decided_plainly(second, darker)

    assert ActivationCache().size() == size > 0
