import numpy as np
import pytest

from equipoise.engine import augment
from equipoise.files import write_json
from equipoise.readers import load
from equipoise.recipes import Recipe, get_recipe
from equipoise.studies.shortcut import (
    find_shortcuts,
    predict_augmented,
    remedied,
    shortcut_matrix,
)
from equipoise.techniques import resolve
from equipoise.training import Trainer, fit


def _folders(tmp_path, name, runs):
    """Folders as `probe` leaves them: confusion matrices of cats and dogs, clean and noised."""
    folders = []
    for number, (clean, noise) in enumerate(runs):
        folder = tmp_path / f"{name}-{number}"
        write_json(folder / "shortcut.json", {"clean": clean, "noise": noise})
        folders.append(folder)
    return folders


def _matrix(tmp_path, nets, classes=("cat", "dog")):
    folders = {name: _folders(tmp_path, name, runs) for name, runs in nets.items()}
    keys = [(seed, 0) for seed in range(len(next(iter(nets.values()))))]
    return shortcut_matrix(folders, "none", classes, keys)


SAME = [[[90, 10], [20, 80]], [[80, 20], [20, 80]]]


def test_the_excess_is_the_rise_beyond_the_baselines(tmp_path):
    taught = [[[90, 10], [20, 80]], [[50, 50], [10, 90]]]
    matrix = _matrix(tmp_path, {"none": [SAME, SAME], "article": [taught, taught]})
    cat = matrix["article"]["noise"]["cat"]
    # Clean cats are taken for dogs by 10 %, noised ones by 50 %: a rise of 40 points, of which
    # noise alone explains the 10 of the baseline.
    assert cat.clean == pytest.approx(0.1)
    assert cat.augmented == pytest.approx(0.5)
    assert cat.control == pytest.approx(0.2)
    assert cat.toward == "dog"
    assert cat.excess == pytest.approx(0.3)
    assert matrix["none"]["noise"]["cat"].excess == pytest.approx(0.0)
    assert matrix["article"]["noise"]["dog"].excess == pytest.approx(-0.1)
    # Two runs without any spread between nets say nothing about it.
    assert cat.p is None


def near(matrix, rng, by=2):
    """The same net again: some images fall the other way."""
    moved = np.array(matrix)
    for row in moved:
        step = rng.integers(-by, by + 1)
        row += (step, -step)
    return moved.tolist()


def test_marks_only_where_the_excess_is_shown(tmp_path):
    strong = [[[90, 10], [20, 80]], [[50, 50], [20, 80]]]
    weak = [[[90, 10], [20, 80]], [[82, 18], [20, 80]]]
    # Better with noise than without, only less so than the baseline: no mark of anything.
    spared = [[[70, 30], [20, 80]], [[71, 29], [20, 80]]]
    # Better when clean and as bad with noise: the rise is larger, the mark is none.
    better = [[[98, 2], [20, 80]], [[80, 20], [20, 80]]]
    rng = np.random.default_rng(0)
    nets = {"none": SAME, "sure": strong, "weak": weak, "spared": spared, "better": better}
    runs = {
        name: [[near(part, rng) for part in net] for _ in range(3)] for name, net in nets.items()
    }
    runs["wavering"] = [[near(part, rng) for part in net] for net in (strong, weak, spared)]
    matrix = _matrix(tmp_path, runs)
    recipes = {name: Recipe(name=name, techniques=("noise",)) for name in matrix}
    marks, remedies = find_shortcuts(matrix, "none", recipes)
    assert [(mark.recipe, mark.technique) for mark in marks] == [("sure", "noise")]
    assert marks[0].classes == ("dog",)
    assert marks[0].lost == ("cat",)
    assert "noise has become a mark of dog: after noise, 49%" in marks[0].sentence
    assert "scope: all and augmentation: fresh" in marks[0].sentence
    assert list(remedies) == ["sure"]
    assert "scope: all" in remedies["sure"]
    every = recipes["sure"].model_copy(update={"scope": "all"})
    marks, _ = find_shortcuts(matrix, "none", recipes | {"sure": every})
    assert "half its strength" in marks[0].sentence
    # What a recipe never shows it has taught nothing by, whatever its nets make of it.
    other = Recipe(name="sure", techniques=("flip",))
    assert find_shortcuts(matrix, "none", recipes | {"sure": other}) == ((), {})


def test_nothing_is_claimed_where_nets_differ_by_chance_alone(tmp_path):
    """Ten classes and three recipes are thirty cells, of which some look like something."""
    rng = np.random.default_rng(1)
    claims = 0
    for study in range(20):
        runs = {}
        for name in ("none", "a", "b", "c"):
            runs[name] = []
            for _ in range(3):
                share = np.clip(rng.normal(0.7, 0.08, 10), 0, 1)
                right = rng.binomial(40, share)
                runs[name].append([_spread(rng, rng.binomial(40, 0.8, 10)), _spread(rng, right)])
        matrix = _matrix(tmp_path / str(study), runs, [str(k) for k in range(10)])
        recipes = {name: Recipe(name=name, techniques=("noise",)) for name in matrix}
        claims += len(find_shortcuts(matrix, "none", recipes)[0]) > 0
    assert claims <= 3


def _spread(rng, right):
    matrix = np.diag(right)
    for row, hits in enumerate(right):
        others = np.delete(np.arange(10), row)
        matrix[row, others] = rng.multinomial(40 - hits, np.full(9, 1 / 9))
    return matrix.tolist()


def test_no_single_class_is_named_that_takes_less_than_half(tmp_path):
    """Noised images of `common` go to any of the rare classes, not to one of them."""
    rng = np.random.default_rng(2)

    def net(lost):
        kept = 100 - lost - int(rng.integers(0, 3))
        parts = [(100 - kept) // 3 + (k < (100 - kept) % 3) for k in range(3)]
        return [[kept, *parts], *(np.eye(4, dtype=int)[1:] * 50).tolist()]

    runs = {
        name: [[net(10), net(lost)] for _ in range(3)]
        for name, lost in (("none", 20), ("copies", 60), ("other", 20))
    }
    matrix = _matrix(tmp_path, runs, ["common", "x", "y", "z"])
    recipes = {name: Recipe(name=name, techniques=("noise",)) for name in matrix}
    mark = find_shortcuts(matrix, "none", recipes)[0][0]
    assert len(mark.classes) == 2
    assert "a mark of the group of" in mark.sentence


def test_the_remedy_is_a_recipe_that_shows_the_mark_to_all(tmp_path):
    article = get_recipe("article")
    better = remedied(article, ["noise"])
    assert better == article.model_copy(
        update={"name": "article-all", "scope": "all", "augmentation": "fresh"}
    )
    path = tmp_path / "better.yaml"
    path.write_text(better.to_yaml())
    assert get_recipe(path) == better
    # Where all classes see it already, the mark alone is shown more weakly.
    weaker = remedied(better, ["noise"])
    crop, _, noise = weaker.resolved()
    assert noise.parameters == {"white": 0.075, "black": 0.05}
    assert crop.parameters == {"scale": 0.625}


def test_images_are_shown_some_at_a_time_and_it_makes_no_difference(monkeypatch):
    data, noise = load("digits"), resolve("noise")
    part = data.validation
    model = fit(data, get_recipe("none"), Trainer(name="t", epochs=2), seed=0, device="cpu").model
    shown = np.asarray(augment(part.array, noise, seed=5, ids=part.ids))
    monkeypatch.setattr("equipoise.mapped._BLOCK", 7 * part.array[0].nbytes)
    decided = predict_augmented(model, part, noise, seed=5)
    np.testing.assert_array_equal(decided, model.predict(shown, "plain"))
    assert len(np.unique(decided)) > 1
