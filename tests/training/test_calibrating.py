import numpy as np
import pytest
import sklearn.metrics as skm
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from equipoise.training.calibrating import calibrate, temperature


def sample(seed: int, n: int, k: int, skew: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are log-probabilities but for a constant, and their labels."""
    rng = np.random.default_rng(seed)
    prior = np.exp(-skew * np.arange(k))
    labels = np.concatenate([np.arange(k), rng.choice(k, n - k, p=prior / prior.sum())])
    return rng.normal(size=(n, k)) + np.eye(k)[labels] + np.log(prior), labels


def test_probabilities_are_calibrated():
    logits, labels = sample(2, 2000, 3)
    moved = 2 * logits + np.array([0.0, 1.0, -3.0])
    found = calibrate(moved, labels)
    # Within what the prior takes of a bias that the shares do not explain, in images.
    np.testing.assert_allclose(found.probabilities(moved).sum(0), np.bincount(labels), atol=12)
    np.testing.assert_allclose(found.probabilities(moved), softmax(logits, axis=1), atol=0.1)
    assert found.scale == pytest.approx(0.5, rel=0.1)
    # The same model without a prior, by another solver, is hardly better.
    rival = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(moved, labels)
    best = skm.log_loss(labels, rival.predict_proba(moved))
    assert skm.log_loss(labels, found.probabilities(moved)) < best + 0.002


def test_without_images_the_net_is_believed():
    logits, labels = sample(0, 200, 4)
    kept = labels != 3
    found = calibrate(logits[kept], labels[kept])
    mine, nets = found.probabilities(logits)[:, 3], softmax(logits, axis=1)[:, 3]
    # Seen nowhere, it is a little less likely than the net says, and no less than that.
    assert 0.2 < mine.mean() / nets.mean() <= 1


def test_separable_images_leave_the_scale_finite():
    logits = np.array([[5.0, 0.0], [3.0, 2.0], [4.0, 0.0]])
    found = calibrate(logits, np.array([0, 1, 0]))
    assert 0.1 < found.scale < 10
    # One image more or less of a class moves no probability from one end to the other.
    lone = calibrate(logits[[0, 2]], np.array([0, 0])).probabilities(logits)
    assert lone[1, 1] > 0.05


def test_logits_of_thirty_times_the_size_are_brought_down():
    # As the loss with margins makes them.
    logits, labels = sample(1, 300, 3)
    found = calibrate(logits / 30, labels)
    assert found.scale == pytest.approx(30, rel=0.25)


def test_a_few_wild_logits_do_not_decide_for_all():
    logits, labels = sample(0, 200, 4)
    wild = logits.copy()
    wild[4:7] = [[9000.0, -3000.0, 100.0, 0.0]]
    labels = labels.copy()
    labels[4:7] = 2
    assert calibrate(wild, labels).scale > 0.05  # the bound is 0.01


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


def test_a_class_with_few_images_moves_as_the_shares_of_the_others_say():
    """A net that drew classes equally often lacks their shares; a few images say little of one."""
    lacking = np.arange(5) - 2.0
    off = []
    for seed in range(40):
        logits, labels = sample(seed, 200, 5, skew=1)
        found = calibrate(logits + lacking, labels)
        off.append(found.biases / found.scale + lacking)
    assert np.sqrt(np.mean(np.square(off))) < 0.335  # 0.363 with one prior for all biases
