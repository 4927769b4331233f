import pytest

from equipoise.errors import InputError
from equipoise.objectives import Objective, get_objective


def test_the_default_is_balanced_accuracy_and_with_costs_the_cost():
    assert get_objective() == get_objective("balanced_accuracy") == Objective()
    assert get_objective(costs="dog:cat=5").figure == "cost"


def test_floors_in_one_word_or_in_several():
    expected = {"cat.recall": 0.9, "dog.f0.5": 0.5}
    assert get_objective("mcc", at_least=["cat.recall=0.9, dog.f0.5=.5"]).at_least == expected
    assert get_objective("mcc", at_least=["cat.recall=0.9", "dog.f0.5=.5"]).at_least == expected


def test_a_class_may_have_a_dot_or_an_equals_sign_in_its_name():
    got = get_objective(at_least=["v1.0.recall=0.9", "a=b.recall=0.5"])
    assert got.at_least == {"v1.0.recall": 0.9, "a=b.recall": 0.5}
    got.on(("v1.0", "a=b"), 0)


def test_costs_in_words():
    expected = {"dog": {"cat": 5.0, "fox": 2.0}, "cat": {"dog": 1.0}}
    assert get_objective(costs="dog:cat=5, dog:fox=2,cat:dog=1").costs == expected


def test_costs_from_files(tmp_path):
    expected = {"dog": {"cat": 5.0, "dog": 0.0}, "cat": {"cat": 0.0, "dog": 1.0}}
    table = tmp_path / "costs.csv"
    table.write_text("\ufefftrue,cat,dog\ndog,5,0\ncat,0,1\n", "utf-8")
    assert get_objective(costs=str(table)).costs == expected
    mapping = tmp_path / "costs.yaml"
    mapping.write_text("dog: {cat: 5, dog: 0}\ncat: {cat: 0, dog: 1}\n")
    assert get_objective("cost", costs=str(mapping)).costs == expected
    digits = tmp_path / "digits.yml"  # YAML takes these names for numbers
    digits.write_text("1: {8: 5}\n")
    assert get_objective(costs=str(digits)).costs == {"1": {"8": 5.0}}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"at_least": ["cat.recall"]}, "--at-least is written cat.recall=0.9"),
        ({"at_least": ["cat.recall=much"]}, "--at-least is written"),
        ({"at_least": ["cat.recall=.5", "cat.recall=.6"]}, "each figure once"),
        ({"costs": "dog=5"}, "--costs is written"),
        ({"costs": "dog:cat=5,dog:cat=6"}, "--costs is written"),
        ({"costs": " "}, "--costs is written"),
        ({"costs": "dog:cat=nan"}, "--costs is written"),
        ({"costs": "nowhere.yaml"}, "nowhere.yaml"),
        ({"costs": "nowhere.csv"}, "nowhere.csv"),
        ({"given": "f2", "costs": "dog:cat=5"}, "go with the objective cost"),
        ({"given": {"figure": "f2", "floors": {}}}, "field of an objective 'floors'"),
        ({"given": {"figure": "f2", "at_least": ["cat.recall=0.9"]}}, "at_least from figures"),
        ({"given": {"figure": "f2", "at_least": {"cat.recall": "0.9"}}}, "0 < floor <= 1"),
    ],
)
def test_words_that_are_not_right(words, said):
    with pytest.raises(InputError, match=said):
        get_objective(**words)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "true,cat,dog\ndog,5\n", "rows as long as the head"),
        ("b.csv", "true,cat\ndog,five\n", "dog:cat is 'five'"),
        ("c.csv", "", "holds no costs"),
        ("g.csv", "true,cat\ndog,5\ndog,6\n", "each class once"),
        ("h.csv", "true,cat,cat\ndog,5,6\n", "each class once"),
        ("d.yaml", "[1, 2]", "must hold"),
        ("e.yaml", "dog: 5", "predicted classes for 'dog'"),
        ("f.yaml", "dog: {cat: [", "not YAML"),
    ],
)
def test_files_that_are_not_right(tmp_path, name, text, said):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        get_objective(costs=str(path))
    assert "\n" not in str(caught.value)
