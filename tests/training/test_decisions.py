import numpy as np
import pytest
import sklearn.metrics as skm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import TunedThresholdClassifierCV

from equipoise.errors import InputError
from equipoise.metrics import OBJECTIVES
from equipoise.training.decisions import Decision, adjust, plain, temperature, tune


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


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(10, 200))
def test_two_classes_reach_the_best_threshold_there_is(seed, n):
    logits, labels = _sample(seed, n, 2)
    score = logits[:, 1] - logits[:, 0]
    every = np.concatenate([[-np.inf], np.sort(score), [np.inf]])
    best = max(skm.balanced_accuracy_score(labels, score > t) for t in every)
    got = skm.balanced_accuracy_score(labels, tune(logits, labels).apply(logits))
    assert got == pytest.approx(best, abs=1e-12)


def test_not_below_scikit_learns_tuned_threshold():
    logits, labels = _sample(1, 400, 2)
    score = (logits[:, 1] - logits[:, 0])[:, None]
    peer = TunedThresholdClassifierCV(
        _Scores().fit(score, labels), cv="prefit", refit=False, thresholds=2000
    ).fit(score, labels)
    ours = skm.balanced_accuracy_score(labels, tune(logits, labels).apply(logits))
    assert ours >= skm.balanced_accuracy_score(labels, peer.predict(score)) - 1e-12


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("k", [2, 3, 6])
def test_never_below_the_plain_decision_on_its_own_data(objective, k):
    for seed in range(5):
        logits, labels = _sample(seed, 300, k)
        value = {}
        for name, decision in (("plain", plain(k)), ("tuned", tune(logits, labels, objective))):
            confusion = skm.confusion_matrix(labels, decision.apply(logits), labels=np.arange(k))
            value[name] = OBJECTIVES[objective](confusion)
        assert value["tuned"] >= value["plain"] - 1e-12


def test_many_classes_undo_a_shifted_prior():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 500)
    fair = rng.normal(size=(2000, 4)) + 2 * np.eye(4)[labels]
    shifted = fair + np.array([3.0, 1.0, 0.0, -2.0])
    target = skm.balanced_accuracy_score(labels, fair.argmax(1))
    got = skm.balanced_accuracy_score(labels, tune(shifted, labels).apply(shifted))
    assert skm.balanced_accuracy_score(labels, shifted.argmax(1)) < target - 0.2
    assert got > target - 0.005


def test_moves_only_for_a_reason():
    logits = np.array([[2.0, 0.0], [0.0, 2.0], [1.5, 0.2]])
    assert tune(logits, [0, 1, 0]).offsets == (0.0, 0.0)


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
    scores = [skm.balanced_accuracy_score(labels, d.apply(logits)) for d in (got, best)]
    assert scores[1] - 0.02 <= scores[0] <= scores[1] + 1e-12


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
