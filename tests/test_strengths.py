import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.recipes import Recipe
from equipoise.strengths import class_strengths, weaken
from equipoise.techniques import CATALOGUE, resolve
from equipoise.training.presenting import draw_up, freshen, present

CLASSES = ("cat", "dog", "fox")
LABELS = np.repeat([0, 1, 2], [40, 12, 8])
IDS = np.arange(len(LABELS)) * 7
IMAGES = np.random.default_rng(0).integers(0, 256, (len(LABELS), 16, 16, 3), np.uint8)
TECHNIQUES = ("crop", "flip", "noise")


def shown(recipe, seed=3):
    """Every row of the roster as training would show it first."""
    given = present(IMAGES, LABELS, IDS, recipe, seed=seed, classes=CLASSES)
    rows = np.arange(len(given))
    pixels = given._pixels(rows)
    if given.roster.fresh:
        pixels = freshen(pixels, given.roster, rows, np.zeros(len(rows), int), seed=seed)
    return given.roster, pixels


@pytest.mark.parametrize("name", CATALOGUE)
def test_at_full_strength_a_technique_is_itself_and_at_none_it_changes_nothing(name):
    technique = resolve(name)
    assert weaken(technique, 1) == technique
    for parameter in CATALOGUE[name].parameters:
        if parameter.none is not None:
            ends = (parameter.none, technique.parameters[parameter.name])
            for strength in (0, 0.3, 0.5):
                got = weaken(technique, strength)
                if not technique.parts or name == "trivial":
                    assert min(ends) <= got.parameters[parameter.name] <= max(ends)
            if not technique.parts or name == "trivial":
                assert weaken(technique, 0).parameters[parameter.name] == parameter.none


def test_the_parts_of_a_policy_are_weakened():
    chain = resolve({"chain": {"techniques": ["crop", {"blur": {"kernel": 7}}]}})
    crop, blur = weaken(chain, 0.5).parts
    assert crop.parameters["scale"] == pytest.approx(0.8125)
    assert blur.parameters["kernel"] == 3


@pytest.mark.parametrize("augmentation", ["static", "fresh"])
@pytest.mark.parametrize("strength", [{"majority": 1, "minority": 1}, {"dog": 1.0}])
def test_strength_one_gives_the_same_bytes_as_none_given(augmentation, strength):
    fields = {"strategy": "auto", "techniques": TECHNIQUES, "augmentation": augmentation}
    for scope in ("minority", "all"):
        plain = shown(Recipe(name="a", scope=scope, **fields))[1]
        given = shown(Recipe(name="a", scope=scope, strength=strength, **fields))[1]
        np.testing.assert_array_equal(plain, given)


@pytest.mark.parametrize("augmentation", ["static", "fresh"])
def test_each_class_is_augmented_at_its_own_strength(augmentation):
    fields = {
        "strategy": "auto",
        "techniques": ("noise",),
        "augmentation": augmentation,
        "scope": "all",
    }
    strength = {"majority": 0.0, "minority": 0.5, "dog": 1.0}
    roster, pixels = shown(Recipe(name="a", strength=strength, **fields))
    changed = (pixels != IMAGES[roster.source]).any(3).mean((1, 2))
    share = [changed[(roster.labels == k) & (changed > 0)] for k in range(3)]
    assert len(share[0]) == 0
    assert share[1].mean() == pytest.approx(0.25, abs=0.04)
    assert share[2].mean() == pytest.approx(0.125, abs=0.03)


def test_a_copy_keeps_its_address_whatever_the_strength_of_others():
    fields = {"strategy": "auto", "techniques": TECHNIQUES}
    plain, full = shown(Recipe(name="a", **fields))
    roster, pixels = shown(Recipe(name="a", strength={"fox": 0.4}, **fields))
    np.testing.assert_array_equal(plain.copy, roster.copy)
    dogs, foxes = roster.labels == 1, roster.labels == 2
    np.testing.assert_array_equal(full[dogs], pixels[dogs])
    assert (full[foxes] != pixels[foxes]).any()


def test_classes_alike_are_all_the_majority():
    each = class_strengths((resolve("crop"),), {"minority": 0.0}, [5, 5], ("a", "b"))
    assert each.offset.tolist() == [0, 0]
    assert each.of([0, -1], [1, 1]).tolist() == [0, -1]


def test_a_class_called_majority_is_that_class():
    each = class_strengths((resolve("crop"),), {"majority": 0.0}, [5, 2], ("big", "majority"))
    assert each.offset.tolist() == [0, -1]


def test_mistakes_are_named():
    with pytest.raises(InputError, match=r"no class 'dgo'. Did you mean 'dog'"):
        draw_up(LABELS, IDS, Recipe(name="a", strength={"dgo": 0.5}), seed=0, classes=CLASSES)
    own = resolve(lambda image, _: image)
    with pytest.raises(InputError, match=r"has no strength that could be 0\.5"):
        weaken(own, 0.5)
