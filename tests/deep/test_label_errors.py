"""Confident learning by its published formula, on figures that can be checked by hand."""

import numpy as np

from equipoise.deep.probing import probe
from equipoise.deep.suspects import confident_joint, find_errors

# Thresholds: (0.9 + 0.8 + 0.1) / 3 = 0.6 and (0.7 + 0.2) / 2 = 0.45.
LABELS = np.array([0, 0, 0, 1, 1])
CHANCES = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.8, 0.2]])


def test_the_confident_joint_adds_up_to_the_classes():
    joint = confident_joint(LABELS, CHANCES)
    np.testing.assert_allclose(joint, [[2, 1], [1, 1]])
    np.testing.assert_array_equal(joint.sum(axis=1), [3, 2])


def test_a_class_without_any_sure_picture_is_taken_at_its_word():
    chances = np.array([[0.5, 0.5], [0.5, 0.5], [0.0, 0.0]])
    joint = confident_joint(np.array([0, 0, 1]), chances)
    np.testing.assert_allclose(joint, [[2, 0], [0, 1]])


def test_errors_are_ranked_by_the_confidence_in_their_class():
    errors = find_errors(LABELS, CHANCES)
    assert errors.rows.tolist() == [2, 4]  # 0.1 of 0.6 is less than 0.2 of 0.45
    assert errors.suggested.tolist() == [1, 0]


def test_what_the_probe_agrees_with_is_no_error():
    errors = find_errors(LABELS[:2], CHANCES[:2])
    assert len(errors.rows) == 0


def test_the_probe_never_sees_the_unit_of_what_it_judges():
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(20), 3)
    labels = np.repeat(rng.permutation(np.arange(20) % 2), 3)
    # Each unit has a mark of its own and nothing else: who has seen it knows its label.
    embeddings = np.eye(20, dtype=np.float32)[unit] * 50
    probed = probe(embeddings, labels, unit, 2, seed=0)
    alone = probe(embeddings, labels, np.arange(60), 2, seed=0)
    own, seen = (one.probabilities[np.arange(60), labels] for one in (probed, alone))
    assert np.median(own) <= 0.5 < np.median(seen)
    assert own.max() < seen.max()


def test_small_classes_are_left_out_and_the_others_are_judged():
    rng = np.random.default_rng(0)
    labels = np.array([0] * 20 + [1] * 20 + [2] * 4)
    probed = probe(rng.normal(size=(44, 5)).astype("f4"), labels, np.arange(44), 4, seed=1)
    assert probed.small == (2,)
    assert probed.rows.tolist() == list(range(40))
    np.testing.assert_allclose(probed.probabilities.sum(axis=1), 1)
    assert (probed.probabilities[:, 2:] == 0).all()
