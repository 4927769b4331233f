import numpy as np
import pytest
import sklearn.metrics as skm
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score, sensitivity_score
from scipy.special import softmax
from scipy.stats import gmean

from equipoise.metrics import FIGURES, confusions, decided_figures, figures, ranked_figures

EXACT = 1e-12


def weighted_figures(logits, labels, decided, positive, weights, **how):
    """All figures under each row of weights."""
    classes = logits.shape[1]
    return {
        **decided_figures(labels, decided, classes, positive, weights, **how),
        **ranked_figures(logits, labels, positive, weights),
    }


def sample(seed: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits with ties, labels of every class, and decisions other than the largest logit."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    logits = np.round(rng.normal(size=(n, k)) * 2 + 1.5 * np.eye(k)[labels], 1)
    return logits, labels, (logits + np.linspace(0, 1, k)).argmax(1)


def oracle(logits, labels, decided, positive, weights):
    """Every figure by scikit-learn and imbalanced-learn, over the classes that have weight."""
    k = logits.shape[1]
    p, w = softmax(logits, axis=1), {"sample_weight": weights}
    there = [c for c in range(k) if weights[labels == c].sum() > 0]
    of = [positive] if k == 2 else there
    per_class = {"labels": there, "average": None, "zero_division": 0, **w}
    recalls = skm.recall_score(labels, decided, **per_class)
    found = {
        "balanced_accuracy": recalls.mean(),
        "accuracy": skm.accuracy_score(labels, decided, **w),
        "recall": recalls[[there.index(c) for c in of]].mean(),
        "precision": skm.precision_score(
            labels, decided, labels=of, average="macro", zero_division=0, **w
        ),
        "macro_f1": skm.f1_score(labels, decided, labels=there, average="macro", **w),
        "g_mean": gmean(recalls) if recalls.all() else 0.0,
        "mcc": skm.matthews_corrcoef(labels, decided, **w),
        "roc_auc": np.mean([skm.roc_auc_score(labels == c, p[:, c], **w) for c in of]),
        "pr_auc": np.mean([skm.average_precision_score(labels == c, p[:, c], **w) for c in of]),
        "brier": skm.brier_score_loss(labels, p, labels=np.arange(k), **w),
        "log_loss": skm.log_loss(labels, p, labels=np.arange(k), **w),
    }
    if len(there) == k:
        found["balanced_accuracy"] = skm.balanced_accuracy_score(labels, decided, **w)
        found["g_mean"] = geometric_mean_score(labels, decided, **w)
    return found


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(20, 300), st.integers(2, 5), st.integers(0, 1))
def test_plain_and_weighted_figures_agree_with_scikit_learn(seed, n, k, positive):
    logits, labels, decided = sample(seed, n, k)
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), 3).astype(float)
    draws[:, :k] += 1  # every class is in every resample here
    uneven = np.random.default_rng(seed).uniform(0, 3, n)
    rows = np.vstack([np.ones(n), draws, uneven])
    got = weighted_figures(logits, labels, decided, positive, rows)
    for b, weights in enumerate(rows):
        for name, value in oracle(logits, labels, decided, positive, weights).items():
            assert got[name][b] == pytest.approx(value, abs=EXACT), (name, b)
    plain = figures(logits, labels, positive=positive, predictions=decided)
    alone = figures(logits, labels, positive=positive, predictions=decided, weights=uneven)
    for name in FIGURES:
        assert plain[name] == pytest.approx(got[name][0], abs=EXACT), name
        assert alone[name] == pytest.approx(got[name][-1], abs=EXACT), name
    assert plain["confusion"] == skm.confusion_matrix(labels, decided).tolist()
    assert isinstance(plain["confusion"][0][0], int)


def test_imbalanced_learn_means_the_same_by_recall():
    logits, labels, decided = sample(1, 100, 2)
    for positive in (0, 1):
        got = figures(logits, labels, positive=positive, predictions=decided)["recall"]
        expected = sensitivity_score(labels == positive, decided == positive)
        assert got == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("k", [3, 6])
def test_a_class_without_images_is_part_of_no_average(k):
    logits, labels, decided = sample(2, 200, k)
    kept = labels != k - 1
    logits, labels, decided = logits[kept], labels[kept], decided[kept]
    assert (decided == k - 1).any()
    got = figures(logits, labels, predictions=decided)
    expected = oracle(logits, labels, decided, 1, np.ones(len(labels)))
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, abs=EXACT), name
    assert got["averaged"] == list(range(k - 1))
    for name in ("per_class_recall", "per_class_precision"):
        assert np.isnan(got[name]).tolist() == [False] * (k - 1) + [True]


def test_no_weight_is_as_good_as_no_image():
    logits, labels, decided = sample(3, 200, 4)
    weights = (labels != 2).astype(float)
    got = weighted_figures(logits, labels, decided, 1, weights[None])
    expected = figures(logits[labels != 2], labels[labels != 2], predictions=decided[labels != 2])
    for name, values in got.items():
        assert values[0] == pytest.approx(expected[name], abs=EXACT), name


@pytest.mark.filterwarnings("error")
def test_of_two_classes_one_absent_leaves_what_is_the_others():
    got = figures([[1.0, 0.0], [0.2, 0.1], [0.0, 1.0]], [0, 0, 0], positive=1)
    assert got["accuracy"] == got["balanced_accuracy"] == pytest.approx(2 / 3)
    assert got["averaged"] == [0]
    for name in ("recall", "precision", "roc_auc", "pr_auc"):
        assert np.isnan(got[name]), name
    # Nor is there a ranking where the class has all images.
    assert np.isnan(figures([[1.0, 0.0], [0.0, 1.0]], [1, 1], positive=1)["roc_auc"])


@pytest.mark.filterwarnings("error")
def test_a_resample_without_a_class_gives_figures_of_the_others_and_no_warning():
    logits, labels = np.eye(2)[[0, 0, 1]] * 3.0, np.array([0, 0, 1])
    weights = np.array([[2.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    got = weighted_figures(logits, labels, labels, 1, weights)
    assert np.isnan(got["roc_auc"][0])
    assert np.isnan(got["recall"][0])
    assert got["balanced_accuracy"].tolist() == [1.0, 1.0]
    assert got["roc_auc"][1] == 1.0


def test_decided_labels_change_no_figure_of_ranking():
    logits, labels, _ = sample(3, 100, 2)
    plain, moved = figures(logits, labels), figures(logits, labels, predictions=np.ones(100, int))
    for name in ("roc_auc", "pr_auc", "ece", "brier", "log_loss"):
        assert plain[name] == moved[name]
    assert moved["recall"] == 1.0


def test_a_row_of_weights_does_not_depend_on_the_others():
    logits, labels, decided = sample(4, 300, 4)
    # So many rows that they are looked at in parts.
    weights = np.random.default_rng(0).multinomial(300, np.full(300, 1 / 300), 2000).astype(float)
    together = weighted_figures(logits, labels, decided, 0, weights)
    for b in (0, 1057, 1999):
        alone = weighted_figures(logits, labels, decided, 0, weights[b : b + 1])
        for name, values in together.items():
            assert len(values) == 2000
            assert values[b] == pytest.approx(alone[name][0], abs=EXACT), name


def test_many_classes_and_resamples_are_looked_at_in_parts():
    # Confusion matrices of all rows at once would be a gigabyte.
    logits, labels, decided = sample(5, 300, 300)
    got = weighted_figures(logits, labels, decided, 0, np.ones((1500, 300)), also={"n": _total})
    plain = figures(logits, labels, predictions=decided)
    assert got["mcc"][-1] == pytest.approx(plain["mcc"], abs=EXACT)
    assert got["n"].tolist() == [300.0] * 1500


def _total(confusion):
    return confusion.sum((-2, -1))


def test_further_figures_stand_beside_the_others():
    logits, labels, decided = sample(6, 100, 3)
    got = figures(logits, labels, predictions=decided, also={"images": _total})
    assert got["images"] == 100.0
    rows = np.vstack([np.ones(100), np.full(100, 2.0)])
    under = weighted_figures(logits, labels, decided, 0, rows, also={"images": _total})
    assert under["images"].tolist() == [100.0, 200.0]


def test_confusions_are_weighted_counts():
    labels, decided = np.array([0, 1, 2, 1]), np.array([0, 2, 2, 1])
    got = confusions(labels, decided, 3, np.array([[1.0, 1, 1, 1], [0.5, 2, 0, 0]]))
    assert got[0].tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
    assert got[1].tolist() == [[0.5, 0, 0], [0, 0, 2], [0, 0, 0]]


def test_every_figure_is_there_and_has_a_label():
    logits, labels, _ = sample(7, 50, 3)
    assert {name for name, v in figures(logits, labels).items() if isinstance(v, float)} == {
        *FIGURES
    }
    assert not FIGURES["ece"].higher_is_better
    assert FIGURES["macro_f1"].label == "Macro F1"
