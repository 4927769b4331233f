import pytest

from equipoise.files import write_json
from equipoise.recipes import Recipe, get_recipe
from equipoise.studies.shortcut import (
    mended,
    shortcut_matrix,
    shortcut_remedies,
    shortcut_words,
)


def _folders(tmp_path, name, runs):
    """Folders as `probe` leaves them: confusion matrices of cats and dogs, clean and noised."""
    folders = []
    for number, (clean, noise) in enumerate(runs):
        folder = tmp_path / f"{name}-{number}"
        write_json(folder / "shortcut.json", {"clean": clean, "noise": noise})
        folders.append(folder)
    return folders


def test_the_excess_is_the_rise_beyond_the_baselines(tmp_path):
    same = [[[90, 10], [20, 80]], [[80, 20], [20, 80]]]
    taught = [[[90, 10], [20, 80]], [[50, 50], [10, 90]]]
    matrix = shortcut_matrix(
        {
            "none": _folders(tmp_path, "none", [same, same]),
            "article": _folders(tmp_path, "article", [taught, taught]),
        },
        "none",
        ["cat", "dog"],
    )
    cat = matrix["article"]["noise"]["cat"]
    # Clean cats are taken for dogs by 10 %, noised ones by 50 %: a rise of 40 points, of which
    # noise alone explains the 10 of the baseline.
    assert cat["clean"] == pytest.approx(0.1)
    assert cat["augmented"] == pytest.approx(0.5)
    assert cat["toward"] == "dog"
    assert cat["excess"] == pytest.approx(0.3)
    assert matrix["none"]["noise"]["cat"]["excess"] == pytest.approx(0.0)
    assert matrix["article"]["noise"]["dog"]["excess"] == pytest.approx(-0.1)


def test_words_only_where_the_excess_is_shown(tmp_path):
    same = [[[90, 10], [20, 80]], [[80, 20], [20, 80]]]
    strong = [[[90, 10], [20, 80]], [[50, 50], [20, 80]]]
    weak = [[[90, 10], [20, 80]], [[82, 18], [20, 80]]]
    # Better with noise than without, only less so than the baseline: no mark of anything.
    spared = [[[70, 30], [20, 80]], [[71, 29], [20, 80]]]
    helped = [[[90, 10], [40, 60]], [[90, 10], [20, 80]]]
    # Better when clean and as bad with noise: the rise is larger, the mark is none.
    better = [[[100, 0], [20, 80]], [[80, 20], [20, 80]]]
    matrix = shortcut_matrix(
        {
            "none": _folders(tmp_path, "none", [same, same]),
            "sure": _folders(tmp_path, "sure", [strong, strong]),
            "wavering": _folders(tmp_path, "wavering", [strong, weak]),
            "spared": _folders(tmp_path, "spared", [spared, spared]),
            "helped": _folders(tmp_path, "helped", [helped, helped]),
            "better": _folders(tmp_path, "better", [better, better]),
        },
        "none",
        ["cat", "dog"],
    )
    recipes = {name: Recipe(name=name, techniques=("noise",)) for name in matrix}
    words = shortcut_words(matrix, "none", recipes)
    assert len(words) == 1
    assert "'sure'" in words[0]
    assert "mark of dog" in words[0]
    assert "scope: all and augmentation: fresh" in words[0]
    every = recipes["sure"].model_copy(update={"scope": "all"})
    assert "scope: all" not in shortcut_words(matrix, "none", recipes | {"sure": every})[0]
    # What a recipe never shows it has taught nothing by, whatever its nets make of it.
    other = Recipe(name="sure", techniques=("flip",))
    assert shortcut_words(matrix, "none", recipes | {"sure": other}) == []
    assert shortcut_remedies(matrix, "none", recipes | {"sure": other}) == {}
    remedies = shortcut_remedies(matrix, "none", recipes)
    assert list(remedies) == ["sure"]
    assert "scope: all" in remedies["sure"]


def test_the_remedy_is_a_recipe_that_shows_the_mark_to_all(tmp_path):
    article = get_recipe("article")
    better = mended(article, ["noise"])
    assert better == article.model_copy(
        update={"name": "article-all", "scope": "all", "augmentation": "fresh"}
    )
    path = tmp_path / "better.yaml"
    path.write_text(better.to_yaml())
    assert get_recipe(path) == better
    # Where all classes see it already, the mark alone is shown more weakly.
    weaker = mended(better, ["noise"])
    crop, _, noise = weaker.resolved()
    assert noise.parameters == {"white": 0.075, "black": 0.05}
    assert crop.parameters == {"scale": 0.625}
