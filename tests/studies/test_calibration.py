from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from equipoise.errors import InputError
from equipoise.metrics import believed
from equipoise.studies.calibration import calibrate_study, check_prior
from equipoise.studies.trials import Outcome
from equipoise.training.predictions import Predictions

CLASSES, TRAINING = ("cat", "dog"), (900, 100)


def calibration(runs, prior=None):
    return calibrate_study(runs, CLASSES, TRAINING, prior)


def outcome(test_share, temperature=1.0, sharpness=1.0, images=40_000, seed=0):
    """Test images of a net whose probabilities are exact at the training prior of 9 : 1."""
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=images) < test_share).astype(np.int64)
    # Two Gaussians one apart: the log-ratio of their densities is x - 1/2.
    evidence = rng.normal(labels, 1.0) - 0.5
    logits = np.stack([np.zeros(images), evidence + np.log(0.1 / 0.9)], axis=1) * sharpness
    validation = np.repeat([0, 1], [90, 10])
    return Outcome(
        "none", seed, 0, _part(logits, labels), _part(np.zeros((100, 2)), validation),
        temperature=temperature,
    )  # fmt: skip


def calibration_error(part):
    probabilities = softmax(part.logits, axis=1)
    return believed(probabilities, part.labels, np.ones(len(part.labels)))["ece"]


def _part(logits, labels):
    names = np.arange(len(labels)).astype(str)
    return Predictions(logits, labels, np.arange(len(labels)), names)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_exact_probabilities_are_calibrated_at_every_prior_whatever_the_test_shares(share):
    found = calibration({"none": [outcome(share)]}, {"cat": 0.5, "dog": 0.5})
    for prior in ("training", "given"):
        assert found.recipes["none"].at[prior].before.ece.mean < 0.02
    # What is right at one prior is wrong at another: unweighted, half the images are dogs.
    run = outcome(0.5)
    assert calibration_error(run.test) > 0.1


def test_temperature_mends_what_it_can():
    found = calibration({"none": [outcome(0.1, 3.0, 3.0)]}).recipes["none"]
    at = found.at["training"]
    assert at.before.ece.mean > 0.05
    assert at.after.ece.mean < 0.02
    assert at.after.log_loss.mean < at.before.log_loss.mean
    assert list(found.at) == ["training"]
    assert found.temperature.mean == 3.0


def test_without_weights_the_figures_are_those_of_the_metrics():
    run = outcome(0.1, images=500)
    counts = np.bincount(run.test.labels)
    run = replace(run, validation=run.test)
    got = calibrate_study({"none": [run]}, CLASSES, counts.tolist(), None)
    expected = calibration_error(run.test)
    assert got.recipes["none"].at["training"].before.ece.mean == pytest.approx(expected)


def test_the_reliability_diagram_holds_all_answers():
    runs = [outcome(0.3, images=300, seed=seed) for seed in range(3)]
    found = calibration({"none": runs}).recipes["none"].at["training"].before
    confidence, right, share = found.reliability
    assert sum(share) == pytest.approx(1)
    assert list(confidence) == sorted(confidence)
    assert all(0 <= value <= 1 for value in right)
    assert len(found.brier.values) == 3


@pytest.mark.parametrize("images", [200, 2000])
def test_exact_probabilities_over_few_images_are_not_doubted(images):
    """Their calibration error is several points all the same, which is chance."""
    doubted, errors, expected = 0, [], []
    for seed in range(60):
        before = (
            calibration({"none": [outcome(0.5, images=images, seed=seed)]})
            .recipes["none"]
            .at["training"]
            .before
        )
        doubted += before.p < 0.05
        errors.append(before.ece.mean)
        expected.append(before.expected)
    assert doubted <= 8
    assert np.mean(errors) == pytest.approx(np.mean(expected), rel=0.15)


@pytest.mark.parametrize("images", [400, 2000])
def test_nets_that_are_too_sure_are_found(images):
    found = [
        calibration({"none": [outcome(0.5, sharpness=2.5, images=images, seed=seed)]})
        for seed in range(20)
    ]
    doubted = [one.recipes["none"].at["training"].before.doubtful for one in found]
    assert np.mean(doubted) > 0.8
    assert "its confidence is off by" in found[doubted.index(True)].words[0]


def test_a_sentence_a_recipe_says_what_chance_would_make():
    found = calibration({"none": [outcome(0.1, 3.0, 3.0)]}, {"cat": 0.95, "dog": 0.05})
    assert len(found.words) == 1
    assert "as frequent as in training" in found.words[0]
    assert "of exact probabilities" in found.words[0]
    assert "dog 5.0" in found.words[0]
    assert found.priors["training"]["dog"] == pytest.approx(0.1)
    exact = calibration({"none": [outcome(0.1, images=300)]})
    assert "no doubt about its confidence is shown" in exact.words[0]


def test_a_prior_names_every_class_and_sums_to_one():
    assert check_prior({"dog": 0.05, "cat": 0.95}, ("cat", "dog")) == {"cat": 0.95, "dog": 0.05}
    assert check_prior(None, ("cat", "dog")) is None
    for prior, words in (
        ({"dgo": 0.1, "cat": 0.9}, "Did you mean 'dog'"),
        ({"cat": 0.9}, "dog is absent"),
        ({"cat": 0.9, "dog": 0.3}, "sum to 1"),
        ({"cat": 1.0, "dog": 0.0}, "0 < share < 1"),
    ):
        with pytest.raises(InputError, match=words):
            check_prior(prior, ("cat", "dog"))
