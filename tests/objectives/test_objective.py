import pickle

import numpy as np
import pytest
import sklearn.metrics as skm

from equipoise.errors import InputError
from equipoise.metrics import figures
from equipoise.objectives import Objective, get_objective

CATS = ("cat", "dog")
THREE = ("cat", "dog", "fox")
COSTS = {"dog": {"cat": 5.0}, "cat": {"dog": 2.0}}


def decided(k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, 200)
    said = np.where(rng.uniform(size=200) < 0.6, labels, rng.integers(0, k, 200))
    return labels, said, skm.confusion_matrix(labels, said)


@pytest.mark.parametrize("name", ["balanced_accuracy", "macro_f1", "g_mean", "accuracy", "mcc"])
@pytest.mark.parametrize("classes", [CATS, THREE])
def test_its_value_is_the_figure_of_its_name(name, classes):
    labels, said, confusion = decided(len(classes))
    got = Objective(name).on(classes, 1)
    logits = np.eye(len(classes))[said]
    assert got.value(confusion) == pytest.approx(figures(logits, labels)[name], abs=1e-12)
    # Of many matrices at once, and of weighted ones.
    many = np.stack([confusion, 2.5 * confusion]).reshape(2, 1, *confusion.shape)
    np.testing.assert_allclose(got.value(many), np.full((2, 1), got.value(confusion)))


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_f_beta_is_of_the_positive_class_of_two_and_macro_of_more(beta):
    name = f"f{beta:g}"
    for classes, how in ((CATS, {"pos_label": 1}), (THREE, {"average": "macro"})):
        labels, said, confusion = decided(len(classes))
        expected = skm.fbeta_score(labels, said, beta=beta, **how)
        assert Objective(name).on(classes, 1).value(confusion) == pytest.approx(expected, abs=1e-12)
    of_dogs = skm.fbeta_score(labels, said, beta=beta, labels=[1], average=None)
    assert Objective(f"dog.{name}").on(THREE).value(confusion) == pytest.approx(of_dogs[0])


def test_recall_and_precision_of_a_class():
    labels, said, confusion = decided(3)
    got = Objective("fox.recall", {"fox.precision": 0.5}).on(THREE)
    recall, precision = (
        score(labels, said, labels=[2], average=None)[0]
        for score in (skm.recall_score, skm.precision_score)
    )
    assert got.value(confusion) == pytest.approx(recall)
    assert got.measure("fox.precision", confusion) == pytest.approx(precision)
    assert got.figures == ("fox.recall", "fox.precision")
    assert {name: of(confusion) for name, of in got.measures.items()} == {
        "fox.recall": got.value(confusion),
        "fox.precision": got.measure("fox.precision", confusion),
    }
    assert got.alone == 2
    assert Objective("fox.recall", {"accuracy": 0.5}).on(THREE).alone is None


def test_costs_are_the_mean_over_images():
    got = Objective("cost", costs=COSTS).on(THREE)
    assert got.cost_matrix.tolist() == [[0, 2, 1], [5, 0, 1], [1, 1, 0]]
    labels, said, confusion = decided(3)
    assert got.value(confusion) == pytest.approx(got.cost_matrix[labels, said].mean())
    assert not got.higher_is_better
    assert got.worst == 5
    assert got.worth({"cost": 1.0}) > got.worth({"cost": 2.0})


def test_a_floor_that_is_missed_takes_off():
    got = Objective("macro_f1", {"dog.recall": 0.8, "cat.recall": 0.5}).on(CATS, 1)
    met = {"macro_f1": 0.7, "dog.recall": 0.8, "cat.recall": 0.6}
    assert got.shortfall(met) == 0
    assert got.utility(met) == pytest.approx(0.7)
    missed = {**met, "dog.recall": 0.7, "cat.recall": 0.4}
    assert got.shortfall(missed) == pytest.approx(0.2)
    assert got.utility(missed) < got.utility({**met, "macro_f1": 0.4})


def test_it_says_what_it_is():
    assert Objective().on(CATS, 1).label == "Balanced accuracy"
    assert Objective("f2").on(CATS, 1).label == "F2 of dog"
    assert Objective("f2").on(THREE).label == "F2"
    got = Objective("dog.recall", {"dog.precision": 0.925, "mcc": 0.5}).on(CATS, 1)
    assert got.name == "dog.recall"
    assert str(got) == ("recall of dog, precision of dog at least 92.5\u202f%, MCC at least 0.5")


@pytest.mark.parametrize(
    "given",
    [
        Objective("macro_f1"),
        Objective("dog.recall", {"dog.precision": 0.9}),
        Objective("cost", {"cat.recall": 0.9}, COSTS),
    ],
)
def test_round_trips(given):
    assert get_objective(given.to_json()) == given
    bound = given.on(CATS, 1)
    assert bound.on(CATS, 0) is bound
    assert get_objective(bound.to_json()).on(CATS, 1) == bound
    assert pickle.loads(pickle.dumps(bound)) == bound
    assert Objective().to_json() == "balanced_accuracy"


def test_the_options_that_ask_for_it_are_those_that_give_it():
    for words in (
        {},
        {"given": "f2"},
        {"given": "a dog.recall", "at_least": ["a dog.precision=0.9,cat.recall=0.25"]},
        {"costs": "dog:cat=5,cat:dog=0.5", "at_least": ["cat.recall=0.9"]},
    ):
        goal = get_objective(**words)
        options = iter(goal.options)
        again = dict(zip(options, options, strict=True))
        floors = again.get("--at-least")
        assert goal == get_objective(
            again.get("--objective"),
            at_least=[floors] if floors else [],
            costs=again.get("--costs"),
        )
    assert Objective().options == []
    assert Objective("f2").options == ["--objective", "f2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"figure": "acuracy"}, "Did you mean 'accuracy'"),
        ({"figure": "dog.mcc"}, "no objective 'dog.mcc'"),
        ({"figure": "f0"}, "beta > 0"),
        ({"figure": "cost"}, "needs costs"),
        ({"costs": COSTS}, "go with the objective cost"),
        ({"at_least": {"cat.recall": 90}}, "0 < floor <= 1"),
        ({"at_least": {"cost": 0.5}}, "more is better"),
        ({"figure": "cost", "costs": {"dog": {"cat": -1}}}, "0 <= cost"),
        ({"figure": "cost", "costs": {"dog": {"cat": float("inf")}}}, "finite"),
        ({"figure": "cost", "costs": {"dog": {"dog": 1}}}, "0 for a right answer"),
    ],
)
def test_what_cannot_be_is_said_at_once(words, said):
    with pytest.raises(InputError, match=said):
        Objective(**words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"figure": "dgo.recall"}, "Did you mean 'dog'"),
        ({"at_least": {"dgo.recall": 0.5}}, "Did you mean 'dog'"),
        ({"figure": "cost", "costs": {"dog": {"cta": 1}}}, "Did you mean 'cat'"),
        ({"figure": "recall"}, "--at-least dog.precision"),
        ({"figure": "cat.precision"}, "--at-least cat.recall"),
        ({"figure": "dog.recall", "at_least": {"dog.recall": 0.5}}, "--at-least dog.precision"),
        ({"figure": "cost", "costs": {"dog": {"cat": 0}}}, "a cost above 0"),
    ],
)
def test_what_does_not_fit_the_classes_is_said(words, said):
    with pytest.raises(InputError, match=said):
        Objective(**words).on(CATS, 1)


def test_macro_averages_need_no_floor():
    assert Objective("precision").on(THREE).label == "Precision"
