import numpy as np
import pytest
import sklearn.metrics as skm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV

from equipoise.errors import InputError
from equipoise.metrics import OBJECTIVES
from equipoise.training.decisions import Decision, adjust, calibrate, plain, temperature, tune


def _sample(seed: int, n: int, k: int, skew: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    prior = np.exp(-skew * np.arange(k))
    labels = np.concatenate([np.arange(k), rng.choice(k, n - k, p=prior / prior.sum())])
    return rng.normal(size=(n, k)) + np.eye(k)[labels] + np.log(prior), labels


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
        logits, labels = _sample(seed, images, k)
        new, true = _sample(10_000 + seed, 4000, k)
        found.append(skm.balanced_accuracy_score(true, decide(logits, labels, new)))
    return float(np.mean(found))


def test_on_new_images_as_good_as_the_best_there_is():
    # With these logits the best decision takes the log prior away.
    def best(logits, labels, new):
        return (new + 1.5 * np.arange(2)).argmax(1)

    def ours(logits, labels, new):
        return tune(logits, labels).apply(new)

    assert _fresh(ours, 2, 4000, 5) == pytest.approx(_fresh(best, 2, 4000, 5), abs=0.003)
    assert _fresh(ours, 2, 100, 20) > _fresh(best, 2, 100, 20) - 0.02


def test_on_new_images_better_than_the_best_threshold_on_the_old():
    def peer(logits, labels, new):
        score, there = ((z[:, 1] - z[:, 0])[:, None] for z in (logits, new))
        tuned = TunedThresholdClassifierCV(
            _Scores().fit(score, labels), cv="prefit", refit=False, thresholds=100
        )
        return tuned.fit(score, labels).predict(there)

    def ours(logits, labels, new):
        return tune(logits, labels).apply(new)

    assert _fresh(ours, 2, 100, 20) > _fresh(peer, 2, 100, 20) + 0.005


def _expected(logits, labels, decision, objective):
    probabilities = calibrate(logits, labels)[0]
    k = logits.shape[1]
    decided = decision.apply(logits)
    confusion = np.array(
        [[probabilities[decided == d, t].sum() for d in range(k)] for t in range(k)]
    )
    return float(OBJECTIVES[objective](confusion))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(10, 200), st.sampled_from(sorted(OBJECTIVES)))
def test_two_classes_reach_the_best_expected_objective_there_is(seed, n, objective):
    logits, labels = _sample(seed, n, 2)
    score = np.sort(logits[:, 1] - logits[:, 0])
    places = [score[0] - 1, *((score[1:] + score[:-1]) / 2), score[-1] + 1]
    best = max(_expected(logits, labels, Decision((0.0, -t)), objective) for t in places)
    got = _expected(logits, labels, tune(logits, labels, objective), objective)
    assert got == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("k", [2, 3, 6])
def test_no_other_offsets_are_expected_to_be_better(objective, k):
    for seed in range(5):
        logits, labels = _sample(seed, 300, k)
        tuned = tune(logits, labels, objective)
        best = _expected(logits, labels, tuned, objective)
        rng = np.random.default_rng(seed)
        others = [plain(k), *(Decision(tuple(o)) for o in rng.normal(size=(20, k)))]
        others += [Decision(tuple(tuned.offsets + o)) for o in 0.1 * rng.normal(size=(20, k))]
        assert all(_expected(logits, labels, o, objective) <= best + 1e-9 for o in others)


def test_probabilities_are_calibrated():
    logits, labels = _sample(2, 500, 3)
    probabilities, fair, likely = calibrate(2 * logits + np.array([0.0, 1.0, -3.0]), labels)
    np.testing.assert_allclose(probabilities.sum(0), np.bincount(labels), rtol=2e-3)
    # The same model without a penalty, by another solver.
    rival = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(logits, labels)
    assert skm.log_loss(labels, rival.predict_proba(logits)) <= skm.log_loss(labels, probabilities)
    again = calibrate(logits, labels)
    np.testing.assert_allclose(probabilities, again[0], atol=2e-3)
    # The best for accuracy and for balanced accuracy differ by the log prior, but for the scale.
    prior = np.log(np.bincount(labels))
    assert np.corrcoef(likely - fair, prior)[0, 1] == pytest.approx(1)


def test_a_class_without_an_image_keeps_its_logit():
    logits, labels = _sample(3, 200, 3)
    labels = np.where(labels == 2, 0, labels)
    offsets = tune(logits, labels).offsets
    assert offsets[2] == 0 != offsets[0]
    assert offsets[0] + offsets[1] == pytest.approx(0, abs=1e-9)


def test_many_classes_undo_a_shifted_prior():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 500)
    fair = rng.normal(size=(2000, 4)) + 2 * np.eye(4)[labels]
    shifted = fair + np.array([3.0, 1.0, 0.0, -2.0])
    target = skm.balanced_accuracy_score(labels, fair.argmax(1))
    got = skm.balanced_accuracy_score(labels, tune(shifted, labels).apply(shifted))
    assert skm.balanced_accuracy_score(labels, shifted.argmax(1)) < target - 0.2
    assert got > target - 0.005


def test_separable_images_are_parted():
    logits = np.array([[5.0, 0.0], [3.0, 2.0], [4.0, 0.0]])
    np.testing.assert_array_equal(tune(logits, [0, 1, 0]).apply(logits), [0, 1, 0])


def test_round_trip_and_unknown_objective():
    decision = Decision((0.0, 1.25), "g_mean")
    assert Decision.from_dict(decision.to_dict()) == decision
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
    logits, labels = _sample(4, 500, 2)
    counts = np.bincount(labels)
    got, best = adjust(logits, labels, counts), tune(logits, labels)
    threshold = got.tau * np.log(counts[1] / counts[0])
    expected = logits[:, 1] - logits[:, 0] > threshold
    np.testing.assert_array_equal(got.apply(logits), expected)
    assert threshold == pytest.approx(best.offsets[0] - best.offsets[1], abs=0.03)


def test_equal_priors_leave_nothing_to_adjust():
    logits, labels = _sample(5, 200, 3)
    decision = adjust(logits, labels, [50, 50, 50], "g_mean")
    np.testing.assert_array_equal(decision.apply(logits), logits.argmax(1))
    assert decision.tau == 0
    assert Decision.from_dict(decision.to_dict()) == decision
    assert decision.to_dict() == {"offsets": [0.0] * 3, "objective": "g_mean", "tau": 0.0}


def test_adjust_says_what_cannot_be():
    with pytest.raises(InputError, match="Did you mean 'g_mean'"):
        adjust(np.eye(2), [0, 1], [1, 1], "gmean")
    with pytest.raises(InputError, match="training images of every class"):
        adjust(np.eye(2), [0, 1], [3, 0])


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_temperature_is_the_one_the_labels_were_drawn_at(true):
    rng = np.random.default_rng(1)
    logits = 4 * rng.normal(size=(40_000, 3))
    # Gumbel noise draws each label by its softmax probability.
    labels = (logits / true + rng.gumbel(size=logits.shape)).argmax(1)
    got = temperature(logits, labels)
    assert got == pytest.approx(true, rel=0.03)
    nll = [-log_softmax(logits / t, axis=1)[np.arange(40_000), labels].mean() for t in (got, true)]
    assert nll[0] <= nll[1]


def test_temperature_stays_within_bounds():
    logits = np.array([[3.0, 0.0], [0.0, 3.0]])
    assert 0.01 <= temperature(logits, [0, 1]) < 0.1
    assert 10 < temperature(logits, [1, 0]) <= 100
