import numpy as np
import pytest
from scipy.special import softmax

from equipoise.errors import InputError
from equipoise.metrics import calibration_error
from equipoise.recipes import Recipe
from equipoise.studies.calibration import calibration, check_prior
from equipoise.studies.trials import Outcome, Trial

CLASSES = [
    {"name": "cat", "training": 900, "validation": 90},
    {"name": "dog", "training": 100, "validation": 10},
]


def outcome(test_share, temperature=1.0, sharpness=1.0, images=40_000, seed=0):
    """Test images of a net whose probabilities are exact at the training prior of 9 : 1."""
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=images) < test_share).astype(np.int64)
    # Two Gaussians one apart: the log-ratio of their densities is x - 1/2.
    evidence = rng.normal(labels, 1.0) - 0.5
    logits = np.stack([np.zeros(images), evidence + np.log(0.1 / 0.9)], axis=1) * sharpness
    trial = Trial(Recipe(name="none"), seed)
    return Outcome(trial, {"temperature": temperature}, logits, labels)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_exact_probabilities_are_calibrated_at_every_prior_whatever_the_test_shares(share):
    found = calibration({"none": [outcome(share)]}, CLASSES, {"cat": 0.5, "dog": 0.5})
    for prior in ("training", "given"):
        assert found["recipes"]["none"][prior]["before"]["ece"]["mean"] < 0.02
    # What is right at one prior is wrong at another: unweighted, half the images are dogs.
    run = outcome(0.5)
    assert calibration_error(softmax(run.logits, axis=1), run.labels) > 0.1


def test_temperature_mends_what_it_can():
    found = calibration({"none": [outcome(0.1, 3.0, 3.0)]}, CLASSES, None)["recipes"]["none"]
    assert found["training"]["before"]["ece"]["mean"] > 0.05
    assert found["training"]["after"]["ece"]["mean"] < 0.02
    assert (
        found["training"]["after"]["log_loss"]["mean"]
        < found["training"]["before"]["log_loss"]["mean"]
    )
    assert "given" not in found


def test_without_weights_the_figures_are_those_of_the_metrics():
    run = outcome(0.1, images=500)
    counts = np.bincount(run.labels)
    classes = [
        {"name": name, "training": int(n), "validation": int(n)}
        for name, n in zip(("cat", "dog"), counts, strict=True)
    ]
    got = calibration({"none": [run]}, classes, None)["recipes"]["none"]["training"]["before"]
    expected = calibration_error(softmax(run.logits, axis=1), run.labels)
    assert got["ece"]["mean"] == pytest.approx(expected)


def test_the_reliability_diagram_holds_all_answers():
    runs = [outcome(0.3, images=300, seed=seed) for seed in range(3)]
    found = calibration({"none": runs}, CLASSES, None)["recipes"]["none"]["training"]
    confidence, right, share = found["before"]["reliability"]
    assert sum(share) == pytest.approx(1)
    assert confidence == sorted(confidence)
    assert all(0 <= value <= 1 for value in right)
    assert len(found["before"]["brier"]["values"]) == 3


def test_a_sentence_a_recipe():
    words = calibration({"none": [outcome(0.1, 3.0, 3.0)]}, CLASSES, {"cat": 0.95, "dog": 0.05})
    assert len(words["words"]) == 1
    assert "as frequent as in training" in words["words"][0]
    assert "dog 5.0" in words["words"][0]
    assert words["priors"]["training"]["dog"] == pytest.approx(0.1)


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
