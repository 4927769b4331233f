import numpy as np
import pytest
import sklearn.metrics as skm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import TunedThresholdClassifierCV

from equipoise.errors import InputError
from equipoise.objectives import Objective, get_objective
from equipoise.training.calibrating import calibrate
from equipoise.training.decisions import Decision, plain
from equipoise.training.tuning import adjust, tune

PLAIN = ("balanced_accuracy", "g_mean", "macro_f1", "accuracy", "mcc", "f2", "f0.5")
ORDINAL = {
    str(t): {str(d): float((t - d) ** 2) for d in range(4) if d != t} for t in range(4)
}  # what is further off costs more


def sample(
    seed: int, n: int, k: int, skew: float = 1.5, apart: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are log-probabilities but for a constant, and their labels."""
    rng = np.random.default_rng(seed)
    prior = np.exp(-skew * np.arange(k))
    labels = np.concatenate([np.arange(k), rng.choice(k, n - k, p=prior / prior.sum())])
    seen = rng.normal(size=(n, k)) + apart * np.eye(k)[labels]
    return apart * seen + np.log(prior), labels


def of(k: int, figure: str = "balanced_accuracy", at_least=(), costs=None) -> Objective:
    goal = Objective(figure, dict(at_least), costs or {})
    return goal.on([str(label) for label in range(k)], 1)


def confusion_of(weights, decided) -> np.ndarray:
    """(N, K) weights of the true classes and decided labels to a confusion matrix."""
    k = weights.shape[1]
    return np.array([[weights[decided == d, t].sum() for d in range(k)] for t in range(k)])


def on_new(decision, goal: Objective, k: int, name: str | None = None, **how) -> float:
    """A figure to be expected of a decision, on many images whose probabilities are known."""
    logits, _ = sample(77, 40_000, k, **how)
    confusion = confusion_of(softmax(logits, axis=1), decision.apply(logits))
    return float(goal.measure(name or goal.figure, confusion))


def expected(logits, labels, decision, goal: Objective) -> float:
    """The objective as the calibration has it."""
    weights = calibrate(logits, labels).probabilities(logits)
    return float(goal.value(confusion_of(weights, decision.apply(logits))))


class _Scores(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose decision function is its input: scikit-learn tunes around it."""

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, X):
        return np.asarray(X)[:, 0]

    def predict(self, X):
        return (np.asarray(X)[:, 0] > 0).astype(int)


def _fresh(decide, k: int, images: int, seeds: int) -> float:
    """Mean balanced accuracy on new images of decisions that were tuned on a few."""
    found = []
    for seed in range(seeds):
        logits, labels = sample(seed, images, k)
        new, true = sample(10_000 + seed, 4000, k)
        found.append(skm.balanced_accuracy_score(true, decide(logits, labels, new)))
    return float(np.mean(found))


def _best(logits, labels, new):
    # With these logits the best decision takes the log prior away.
    return (new + 1.5 * np.arange(new.shape[1])).argmax(1)


def _ours(logits, labels, new):
    return tune(logits, labels).apply(new)


def test_on_new_images_as_good_as_the_best_there_is():
    assert _fresh(_ours, 2, 4000, 5) == pytest.approx(_fresh(_best, 2, 4000, 5), abs=0.003)
    assert _fresh(_ours, 2, 100, 20) > _fresh(_best, 2, 100, 20) - 0.02


@pytest.mark.parametrize(("k", "images"), [(2, 12), (2, 30), (4, 40)])
def test_with_a_handful_of_images_still_near_the_best(k, images):
    def unmoved(logits, labels, new):
        return new.argmax(1)

    best, got = _fresh(_best, k, images, 20), _fresh(_ours, k, images, 20)
    assert got > best - 0.05
    assert got > _fresh(unmoved, k, images, 20) + 0.5 * (best - _fresh(unmoved, k, images, 20))


def test_on_new_images_better_than_the_best_threshold_on_the_old():
    def peer(logits, labels, new):
        score, there = ((z[:, 1] - z[:, 0])[:, None] for z in (logits, new))
        tuned = TunedThresholdClassifierCV(
            _Scores().fit(score, labels), cv="prefit", refit=False, thresholds=100
        )
        return tuned.fit(score, labels).predict(there)

    assert _fresh(_ours, 2, 100, 20) > _fresh(peer, 2, 100, 20) + 0.005


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(10, 150), st.sampled_from(PLAIN))
def test_two_classes_reach_the_best_expected_objective_there_is(seed, n, figure):
    logits, labels = sample(seed, n, 2)
    goal, score = of(2, figure), np.sort(logits[:, 1] - logits[:, 0])
    places = [score[0] - 1, *((score[1:] + score[:-1]) / 2), score[-1] + 1]
    best = max(expected(logits, labels, Decision((0.0, -t)), goal) for t in places)
    got = expected(logits, labels, tune(logits, labels, figure), goal)
    assert got == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("figure", PLAIN)
@pytest.mark.parametrize("k", [3, 6, 10])
def test_no_other_offsets_are_expected_to_be_better(figure, k):
    for seed in range(2):
        logits, labels = sample(seed, 300, k, skew=0.4)
        tuned, goal = tune(logits, labels, figure), of(k, figure)
        best = expected(logits, labels, tuned, goal)
        rng = np.random.default_rng(seed)
        others = [plain(k), *(Decision(tuple(o)) for o in rng.normal(size=(10, k)))]
        others += [Decision(tuple(tuned.offsets + o)) for o in 0.1 * rng.normal(size=(20, k))]
        assert all(expected(logits, labels, o, goal) <= best + 1e-5 for o in others)


@pytest.mark.parametrize(
    ("k", "costs"),
    [
        (2, {"1": {"0": 5.0}}),
        (2, {"0": {"1": 3.0}, "1": {"0": 0.5}}),
        (3, {"2": {"0": 20.0, "1": 20.0}}),  # offsets can say this
        (4, ORDINAL),  # and not this
    ],
)
def test_costs_are_as_low_as_the_rule_of_bayes_makes_them(k, costs):
    goal = of(k, "cost", costs=costs)
    decision = tune(*sample(0, 4000, k, skew=0.7), goal)
    assert (decision.gains is None) == (costs is not ORDINAL)
    logits, _ = sample(77, 40_000, k, skew=0.7)
    p = softmax(logits, axis=1)
    least = (p @ goal.cost_matrix).min(1).mean()
    assert least <= on_new(decision, goal, k, skew=0.7) < least * 1.01
    assert on_new(plain(k), goal, k, skew=0.7) > least * 1.05


@pytest.mark.parametrize("k", [2, 3, 10])
def test_recall_at_a_precision_and_the_reverse(k):
    how = {"skew": 0.4, "apart": 2.0}
    logits, _ = sample(77, 40_000, k, **how)
    mine = np.sort(softmax(logits, axis=1)[:, 1])[::-1]
    recall, precision = np.cumsum(mine) / mine.sum(), np.cumsum(mine) / np.arange(1, len(mine) + 1)
    goal = of(k, "1.recall", {"1.precision": 0.9})
    decision = tune(*sample(0, 4000, k, **how), goal)
    assert on_new(decision, goal, k, "1.precision", **how) == pytest.approx(0.9, abs=0.02)
    assert on_new(decision, goal, k, **how) == pytest.approx(
        recall[precision >= 0.9].max(), abs=0.03
    )
    assert decision.unmet == {}
    goal = of(k, "1.precision", {"1.recall": 0.8})
    decision = tune(*sample(0, 4000, k, **how), goal)
    assert on_new(decision, goal, k, "1.recall", **how) == pytest.approx(0.8, abs=0.03)
    assert on_new(decision, goal, k, **how) == pytest.approx(
        precision[recall >= 0.8].max(), abs=0.02
    )


def test_where_one_class_matters_the_others_are_still_told_apart():
    logits, labels = sample(0, 2000, 4, skew=0.4, apart=2.0)
    decision = tune(logits, labels, of(4, "1.f2"))
    decided = decision.apply(logits)
    rest = (labels != 1) & (decided != 1)
    fair = (logits + 0.4 * np.arange(4))[:, [0, 2, 3]].argmax(1)
    assert (np.array([0, 2, 3])[fair] == decided)[rest].mean() > 0.97


@pytest.mark.parametrize(
    ("k", "figure", "floors"),
    [
        (2, "accuracy", {"1.recall": 0.9}),
        (3, "accuracy", {"1.recall": 0.85, "2.recall": 0.75}),
        (3, "macro_f1", {"2.precision": 0.8}),
        (5, "balanced_accuracy", {"0.recall": 0.85}),
        (5, "cost", {"3.recall": 0.6}),
    ],
)
def test_floors_are_met_and_the_rest_is_as_good_as_any(k, figure, floors):
    logits, labels = sample(3, 400, k, skew=0.4, apart=1.6)
    goal = of(k, figure, floors, {"1": {"0": 3.0}} if figure == "cost" else None)
    weights = calibrate(logits, labels).probabilities(logits)

    def look(decision):
        confusion = confusion_of(weights, decision.apply(logits))
        values = {name: float(measure(confusion)) for name, measure in goal.measures.items()}
        return goal.worth(values), goal.shortfall(values)

    tuned = tune(logits, labels, goal)
    worth, missed = look(tuned)
    assert missed <= 1e-9
    assert tuned.unmet == {}
    # Left to itself the objective misses the floors: they do move the decision.
    assert look(tune(logits, labels, of(k, figure, costs=goal.costs)))[1] > 0.01
    rng = np.random.default_rng(0)
    near = tuned.offsets if tuned.gains is None else np.zeros(k)
    others = [*rng.normal(size=(150, k)), *(near + 0.2 * rng.normal(size=(150, k)))]
    found = [look(Decision(tuple(offsets))) for offsets in others]
    assert max((w for w, m in found if m <= 1e-9), default=-9) <= worth + 0.004


@pytest.mark.parametrize("k", [2, 3])
def test_what_cannot_be_met_is_come_near_to_and_said(k):
    logits, labels = sample(0, 1000, k, skew=0.3)
    goal = of(k, "1.recall", {"1.precision": 0.9999})
    tuned = tune(logits, labels, goal)
    p = np.sort(calibrate(logits, labels).probabilities(logits)[:, 1])[::-1]
    highest = p[0]
    assert tuned.unmet["1.precision"] == pytest.approx(highest, abs=0.006)
    # As near as makes no difference, with as much recall as there is: not one image alone.
    assert (tuned.apply(logits) == 1).sum() > 1
    assert "No decision keeps precision of 1 at least 100" in tuned.remarks[-1]
    # Two floors that shut each other out are both come near to.
    both = tune(logits, labels, of(k, "accuracy", {"0.recall": 0.95, "1.recall": 0.95}))
    assert set(both.unmet) <= {"0.recall", "1.recall"}
    assert all(0.3 < value < 0.95 for value in both.unmet.values())


def test_too_few_images_of_a_class_are_said():
    logits, labels = sample(0, 150, 3)
    counts = np.bincount(labels)
    assert counts[1] >= 10 > counts[2]
    assert tune(logits, labels).few == {"2": counts[2]}
    goal = Objective().on(("cat", "dog", "fox"))
    assert "of 'fox')" in tune(logits, labels, goal).remarks[0]


@pytest.mark.parametrize("objective", ["balanced_accuracy", "macro_f1", "g_mean"])
def test_without_images_of_a_class_its_prior_is_corrected(objective):
    # Trained on these shares, the net says too rarely what is rare.
    logits, labels = sample(0, 400, 3)
    kept = labels != 2
    tuned = tune(logits[kept], labels[kept], objective)
    assert tuned.few["2"] == 0
    assert tuned.offsets[2] > tuned.offsets[0]
    goal = of(3, objective)
    assert on_new(tuned, goal, 3) > on_new(plain(3), goal, 3)
    if objective == "balanced_accuracy":
        best = on_new(Decision((0.0, 1.5, 3.0)), goal, 3)
        assert on_new(tuned, goal, 3) > best - 0.04


def test_one_image_or_none_breaks_nothing():
    for labels in ([0], [1], [0, 0, 0]):
        logits = np.tile([[1.0, -1.0]], (len(labels), 1)) + np.arange(len(labels))[:, None] * 0.1
        for goal in (of(2), of(2, "1.recall", {"1.precision": 0.9}), of(2, "f2"), of(2, "mcc")):
            assert np.isfinite(tune(logits, labels, goal).offsets).all()
            assert np.isfinite(adjust(logits, labels, [5, 1], goal).offsets).all()


def test_many_classes_undo_a_shifted_prior():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 500)
    fair = rng.normal(size=(2000, 4)) + 2 * np.eye(4)[labels]
    shifted = fair + np.array([3.0, 1.0, 0.0, -2.0])
    target = skm.balanced_accuracy_score(labels, fair.argmax(1))
    got = skm.balanced_accuracy_score(labels, tune(shifted, labels).apply(shifted))
    assert skm.balanced_accuracy_score(labels, shifted.argmax(1)) < target - 0.2
    assert got > target - 0.005


def test_the_objective_is_kept():
    goal = of(2, "1.recall", {"1.precision": 0.5})
    assert tune(*sample(0, 100, 2), goal).objective == goal
    assert adjust(*sample(0, 100, 2), [90, 10], goal).objective == goal
    with pytest.raises(InputError, match="Did you mean 'g_mean'"):
        tune(np.eye(2), [0, 1], "gmean")


def test_logit_adjustment_recovers_the_tau_that_was_taken_away():
    rng = np.random.default_rng(0)
    counts = np.array([4000, 900, 200, 60])
    log_prior = np.log(counts / counts.sum())
    labels = np.repeat(np.arange(4), 2000)
    fair = rng.normal(size=(8000, 4)) + 2 * np.eye(4)[labels]
    for tau in (0.0, 0.7, 1.5):
        got = adjust(fair + tau * log_prior, labels, counts)
        assert got.tau == pytest.approx(tau, abs=0.12)
        np.testing.assert_allclose(got.offsets, -got.tau * log_prior)
        score = skm.balanced_accuracy_score(labels, got.apply(fair + tau * log_prior))
        assert score >= skm.balanced_accuracy_score(labels, fair.argmax(1)) - 1e-9


def test_with_two_classes_logit_adjustment_is_a_moved_threshold():
    logits, labels = sample(4, 500, 2)
    counts = np.bincount(labels)
    got, best = adjust(logits, labels, counts), tune(logits, labels)
    threshold = got.tau * np.log(counts[1] / counts[0])
    decided = logits[:, 1] - logits[:, 0] > threshold
    np.testing.assert_array_equal(got.apply(logits), decided)
    assert threshold == pytest.approx(best.offsets[0] - best.offsets[1], abs=0.03)


def test_logit_adjustment_meets_floors_where_it_can():
    logits, labels = sample(4, 500, 2)
    goal = of(2, "accuracy", {"1.recall": 0.8})
    got = adjust(logits, labels, np.bincount(labels), goal)
    weights = calibrate(logits, labels).probabilities(logits)
    assert goal.measure("1.recall", confusion_of(weights, got.apply(logits))) >= 0.8
    assert got.unmet == {}


def test_equal_priors_leave_nothing_to_adjust():
    logits, labels = sample(5, 200, 3)
    decision = adjust(logits, labels, [50, 50, 50], "g_mean")
    np.testing.assert_array_equal(decision.apply(logits), logits.argmax(1))
    assert decision.tau == 0
    assert decision.to_dict() == {"offsets": [0.0] * 3, "objective": "g_mean", "tau": 0.0}


def test_adjust_says_what_cannot_be():
    with pytest.raises(InputError, match="Did you mean 'g_mean'"):
        adjust(np.eye(2), [0, 1], [1, 1], get_objective("gmean"))
    with pytest.raises(InputError, match="training images of every class"):
        adjust(np.eye(2), [0, 1], [3, 0])
