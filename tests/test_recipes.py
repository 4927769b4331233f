import copy

import numpy as np
import pytest
from joblib import Parallel, delayed

from equipoise import techniques
from equipoise.engine import augment
from equipoise.errors import InputError
from equipoise.recipes import NAMED, SUMMARIES, Recipe, get_recipe, load_recipes


@pytest.mark.parametrize("name", NAMED)
def test_a_recipe_survives_yaml(name, tmp_path):
    path = tmp_path / f"{name}.yaml"
    path.write_text(NAMED[name].to_yaml())
    assert get_recipe(path) == NAMED[name]


def test_the_article_is_what_it_says():
    article = get_recipe("article")
    assert article.strategy == "auto"
    assert article.augmentation == "static"
    assert article.scope == "minority"
    assert [technique.name for technique in article.resolved()] == ["crop", "flip", "noise"]
    assert [t.name for t in get_recipe("article-blur").resolved()] == ["crop", "flip", "blur"]


def test_every_named_recipe_says_what_it_does_and_does_something_of_its_own():
    assert SUMMARIES.keys() == NAMED.keys()
    measures = [recipe.model_dump_json(exclude={"name"}) for recipe in NAMED.values()]
    assert len(set(measures)) == len(measures)


def test_what_earlier_versions_had_is_what_it_was():
    """Published runs are found again by these fields."""
    article = ("crop", "flip", "noise")
    fields = {
        "none": {},
        "duplicate": {"strategy": "auto"},
        "weights": {"loss": "weighted"},
        "article": {"strategy": "auto", "techniques": article},
        "article-blur": {"strategy": "auto", "techniques": ("crop", "flip", "blur")},
        "balanced": {
            "draws": "balanced",
            "techniques": article,
            "augmentation": "fresh",
            "scope": "all",
        },
    }
    for name, expected in fields.items():
        dumped = NAMED[name].model_dump(exclude_defaults=True)
        assert dumped == {"name": name, **expected}


@pytest.mark.parametrize(
    "fields",
    [
        {"loss": {"focal": {"gamma": 1.5}}, "defer": 0.5},
        {"loss": {"focal": None}},
        {"mixing": {"cmo": {"until": 0.9}}, "undersample": {"cat": 300}},
        {"undersample": 0.5, "strategy": "auto", "techniques": ["crop", "flip"], "weights": [1, 3]},
        {"draws": "progressive"},
    ],
)
def test_measures_with_parameters_survive_yaml(fields, tmp_path):
    recipe, path = Recipe(name="mine", **fields), tmp_path / "mine.yaml"
    path.write_text(recipe.to_yaml())
    assert get_recipe(path) == recipe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stratgy: auto", "Did you mean 'strategy'"),
        ("strategy: often", "strategy"),
        ("strategy: 1.5", "strategy"),
        ("scope: everyone", "'minority' or 'all'"),
        ("techniques: [nois]", "Did you mean 'noise'"),
        ("techniques: [{noise: {white: 2}}]", "white"),
        ("techniques: [{noise: {grey: 0.1}}]", "grey"),
        ("loss: {focal: {}, ldam: {}}", "loss"),
        ("loss: 3", "loss"),
        ("mixing: {}", "mixing"),
        ("draws: balancd", "'square_root'"),
        ("undersample: minority", "undersample"),
        ("undersample: 0", "undersample"),
        ("defer: 1", "defer"),
        ("defer: -.inf", "Allowed: a number."),
        ("strategy: true", "or a number or names, each with a whole number or null."),
        ("strategy: .nan", "strategy"),
        ("strategy: {dog: yes}", "strategy"),
        ("strategy: {dog: '²'}", "strategy"),
        ("undersample: .inf", "undersample"),
        ("strength: {dog: .nan}", "strength"),
        ("{techniques: [flip], weights: [yes]}", "a number is needed"),
        ("weights: [1, 2]", "one weight a technique must hold"),
        ("{techniques: [crop, flip], weights: [1, 0]}", "weights"),
        ("{techniques: [crop, flip], weights: [1]}", "one weight a technique must hold"),
        ("- a\n- b", "fields"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.system [ls]", "not YAML"),
        ("name: ../../etc", "name"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(text, words, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        get_recipe(path)
    message = str(caught.value)
    assert words in message
    assert "\n" not in message


def test_names_are_unique_and_known(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'balanced'"):
        get_recipe("ballanced")
    with pytest.raises(InputError, match=r"absent\.yaml: No such file"):
        get_recipe(tmp_path / "absent.yaml")
    with pytest.raises(InputError, match="none twice"):
        load_recipes(["none", Recipe(name="none", loss="weighted")])
    with pytest.raises(InputError, match="No recipe was given"):
        load_recipes([])


def test_registered_techniques_go_with_a_recipe_to_other_processes(monkeypatch, patches):
    monkeypatch.setattr(techniques, "_REGISTERED", {})
    techniques.register("darker", lambda image, rng: image // 2)
    nested = {"chain": {"techniques": ["flip", "darker"]}}
    recipe = Recipe(name="mine", strategy="auto", techniques=["darker", nested])
    there = Parallel(n_jobs=2)(delayed(Recipe.resolved)(recipe) for _ in range(2))
    images = patches(3, 8, 8)
    for found in there:
        assert [technique.name for technique in found] == ["darker", "chain"]
        for one, half in zip(found, (images // 2, images[:, :, ::-1] // 2), strict=True):
            assert np.array_equal(augment(images, one, seed=0, ids=range(3)), half)
    assert copy.deepcopy(recipe) == recipe
