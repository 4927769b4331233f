"""The sampler against imbalanced-learn's contract, with rows and with images."""

import pickle
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.utils import estimator_checks as checks
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import FunctionTransformer, label_binarize

import equipoise as eq
from equipoise.errors import InputError

SIDE = 6


@pytest.fixture(scope="module")
def digits():
    """The digits 0 to 2 as 8×8 grey images: 178, 40 and 25 of them."""
    data = load_digits()
    images = np.round(data.images * (255 / 16)).astype(np.uint8)[..., None]
    rows = [np.flatnonzero(data.target == k)[:count] for k, count in enumerate((178, 40, 25))]
    rows = np.sort(np.concatenate(rows))
    return images[rows], data.target[rows]


def sampler(**parameters):
    return eq.AugmentationOverSampler(**{"random_state": 0, **parameters})


# imbalanced-learn's own checks. They feed rows of floats, strings and NaN, which are no images:
# without techniques the sampler makes duplicates of whatever it gets.
# (The pairs of `parametrize_with_checks`, which hands pytest a generator; that is deprecated.)
ON_ROWS = list(checks.estimator_checks_generator(sampler(techniques=())))


@pytest.mark.parametrize(
    ("estimator", "check"), ON_ROWS, ids=[check.func.__name__ for _, check in ON_ROWS]
)
def test_imbalanced_learn_checks_on_rows(estimator, check):
    check(estimator)


def test_imbalanced_learn_has_enough_checks():
    assert len(ON_ROWS) >= 17


@pytest.mark.parametrize("techniques", [(), ("crop", "flip", "noise")])
def test_parameters_are_validated(techniques):
    checks.check_param_validation("AugmentationOverSampler", sampler(techniques=techniques))
    checks.check_dataframe_column_names_consistency("", sampler(techniques=()))


def test_it_is_an_oversampler():
    assert issubclass(eq.AugmentationOverSampler, BaseOverSampler)


# The same checks with images of four dimensions: a test `test_images_…` each. Not with these:
DATA_THAT_IS_NO_IMAGE = {
    "check_samplers_sparse": "images are dense; sparse rows are refused, see below",
    "check_samplers_pandas": "a frame has two dimensions; see test_rows_of_pixels_in_a_frame",
    "check_samplers_pandas_sparse": "both of these",
    "check_samplers_string": "text has no brightness; refused, see below",
    "check_samplers_nan": "NaN is no whole number from 0 to 255; refused, see below",
    "check_sampler_get_feature_names_out": "names belong to the columns of rows",
    "check_sampler_get_feature_names_out_pandas": "the same",
}
WITH_IMAGES = {
    "check_target_type": "test_images_target_type",
    "check_samplers_one_label": "test_images_one_label",
    "check_samplers_fit": "test_images_fit",
    "check_samplers_fit_resample": "test_images_fit_resample",
    "check_samplers_sampling_strategy_fit_resample": "test_images_sampling_strategy",
    "check_samplers_list": "test_images_list",
    "check_samplers_multiclass_ova": "test_images_one_vs_all",
    "check_samplers_preserve_dtype": "test_images_preserve_dtype",
    "check_samplers_sample_indices": "test_images_sample_indices",
    "check_samplers_2d_target": "test_images_2d_target",
}


def test_every_check_has_its_copy_with_images_or_a_reason():
    names = {check.func.__name__ for _, check in ON_ROWS}
    assert names == WITH_IMAGES.keys() | DATA_THAT_IS_NO_IMAGE.keys()
    assert not WITH_IMAGES.keys() & DATA_THAT_IS_NO_IMAGE.keys()
    assert all(test in globals() for test in WITH_IMAGES.values())


@pytest.fixture(scope="module")
def images():
    """imbalanced-learn's sample set, three classes of 1,000 rows, as 6×6 colour images."""
    _, y = checks.sample_dataset_generator()
    noise = np.random.default_rng(0).integers(0, 256, (len(y), SIDE, SIDE, 3), dtype=np.uint8)
    return noise // 2 + (40 * y[:, None, None, None]).astype(np.uint8), y


def test_images_target_type(images):
    X, _ = images
    with pytest.raises(ValueError, match="Unknown label type"):
        sampler().fit_resample(X[:20], np.linspace(0, 1, 20))
    multilabel = np.random.default_rng(0).integers(0, 2, (20, 3))
    with pytest.raises(ValueError, match="Multilabel and multioutput targets are not supported"):
        sampler().fit_resample(X[:20], multilabel)


def test_images_one_label(images):
    with pytest.raises(ValueError, match="more than 1 class"):
        sampler().fit_resample(images[0][:20], np.zeros(20))


def test_images_fit(images):
    X, y = images
    assert (
        sampler().fit(X, y).sampling_strategy_
        == sampler(techniques=()).fit(X, y).sampling_strategy_
    )


def test_images_fit_resample(images):
    X, y = images
    _, y_res = sampler().fit_resample(X, y)
    assert set(Counter(y_res).values()) == {max(Counter(y).values())}


def test_images_sampling_strategy(images):
    X, y = images
    _, y_res = sampler(sampling_strategy={2: 520, 0: 498}).fit_resample(X, y)
    assert Counter(y_res) == {0: 498, 1: Counter(y)[1], 2: 520}


def test_images_list(images):
    X, y = images[0][::10], images[1][::10]
    X_res, y_res = sampler().fit_resample(X, y)
    X_list, y_list = sampler().fit_resample(X.tolist(), y.tolist())
    assert isinstance(X_list, list)
    assert isinstance(y_list, list)
    assert np.array_equal(X_res, X_list)
    assert np.array_equal(y_res, y_list)


def test_images_one_vs_all(images):
    X, y = images
    X_res, y_res = sampler().fit_resample(X, y)
    X_ova, y_ova = sampler().fit_resample(X, label_binarize(y, classes=np.unique(y)))
    assert np.array_equal(X_res, X_ova)
    assert np.array_equal(y_res, y_ova.argmax(axis=1))


def test_images_preserve_dtype(images):
    X, y = images
    X_res, y_res = sampler().fit_resample(X.astype(np.int32), y.astype(np.int32))
    assert X_res.dtype == np.int32
    assert y_res.dtype == np.int32
    assert np.array_equal(X_res, sampler().fit_resample(X, y)[0])


def test_images_sample_indices(images):
    X, y = images
    made = sampler()
    X_res, y_res = made.fit_resample(X, y)
    assert np.array_equal(y[made.sample_indices_], y_res)
    assert np.array_equal(made.sample_indices_[: len(X)], np.arange(len(X)))
    originals = made.techniques_ == "original"
    assert np.array_equal(np.flatnonzero(originals), np.arange(len(X)))
    assert np.array_equal(X_res[: len(X)], X)
    flipped = made.techniques_ == "flip"
    assert np.array_equal(X_res[flipped], X[made.sample_indices_[flipped]][:, :, ::-1])


def test_images_2d_target(images):
    X, y = images
    X_res, _ = sampler().fit_resample(X, y.reshape(-1, 1))
    assert np.array_equal(X_res, sampler().fit_resample(X, y)[0])


@pytest.mark.parametrize("strategy", ["auto", "minority", "not minority", "all", {1: 60, 2: 30}])
def test_without_techniques_it_equals_random_oversampling(digits, strategy):
    X, y = digits
    made = sampler(techniques=(), sampling_strategy=strategy)
    X_res, y_res = made.fit_resample(X, y)
    random = RandomOverSampler(sampling_strategy=strategy, random_state=0)
    _, y_random = random.fit_resample(X.reshape(len(X), -1), y)
    assert np.array_equal(y_res, y_random)
    assert made.sampling_strategy_ == random.sampling_strategy_
    assert np.array_equal(X_res, X[made.sample_indices_])
    assert set(made.techniques_) == {"original", "duplicate"}


def _identity(image, rng):
    return image


@pytest.mark.parametrize("technique", [_identity, {"rotate": {"degrees": 0}}])
@pytest.mark.parametrize("strategy", ["auto", 0.8, lambda y: {1: 70}])
def test_with_the_identity_it_equals_random_oversampling(digits, technique, strategy):
    X, y = (part[digits[1] < 2] for part in digits)
    made = sampler(techniques=[technique], sampling_strategy=strategy)
    X_res, y_res = made.fit_resample(X, y)
    random = RandomOverSampler(sampling_strategy=strategy, random_state=0)
    _, y_random = random.fit_resample(X.reshape(len(X), -1), y)
    assert np.array_equal(y_res, y_random)
    assert made.sampling_strategy_ == random.sampling_strategy_
    assert np.array_equal(X_res, X[made.sample_indices_])


def test_labels_may_be_words(digits):
    X, y = digits
    names = np.array(["zero", "one", "two"], dtype=object)[y]
    _, y_res = sampler(sampling_strategy={"two": 90}).fit_resample(X, names)
    assert Counter(y_res) == {"zero": 178, "one": 40, "two": 90}


def test_rows_with_image_shape_are_the_same_images(digits):
    X, y = digits
    expected, y_expected = sampler().fit_resample(X, y)
    for shape in ((8, 8), (8, 8, 1), [8, 8, 1]):
        rows, y_res = sampler(image_shape=shape).fit_resample(X.reshape(len(X), 64), y)
        assert np.array_equal(rows, expected.reshape(-1, 64))
        assert np.array_equal(y_res, y_expected)
    grey, _ = sampler().fit_resample(X[..., 0], y)
    assert np.array_equal(grey, expected[..., 0])


def test_rows_of_pixels_in_a_frame(digits):
    pd = pytest.importorskip("pandas")
    X, y = digits
    frame = pd.DataFrame(X.reshape(len(X), 64), columns=[f"pixel {i}" for i in range(64)])
    made = sampler(image_shape=(8, 8))
    X_res, y_res = made.fit_resample(frame, pd.Series(y, name="digit"))
    assert list(X_res.columns) == list(frame.columns)
    assert (X_res.dtypes == np.uint8).all()
    assert y_res.name == "digit"
    assert np.array_equal(X_res, sampler().fit_resample(X, y)[0].reshape(-1, 64))
    assert list(made.get_feature_names_out()) == list(frame.columns)
    plain, _ = sampler(techniques=()).fit_resample(frame, y)
    assert np.array_equal(plain.index, np.arange(len(plain)))


def test_the_copies_are_those_of_augment(digits):
    X, y = digits
    made = sampler(techniques=["crop", {"noise": {"white": 0.3}}], random_state=5)
    X_res, _ = made.fit_resample(X, y)
    for row in (len(X), len(X) + 7, len(X_res) - 1):
        source, technique = made.sample_indices_[row], made.techniques_[row]
        copy = np.sum(made.sample_indices_[len(X) : row] == source)
        white = {"white": 0.3} if technique == "noise" else {}
        alone = eq.augment(X[[source]], technique, seed=5, ids=[source], copy=copy, **white)
        assert np.array_equal(X_res[row], alone[0])


def test_random_states(digits):
    X, y = digits

    def run(random_state):
        return sampler(random_state=random_state).fit_resample(X, y)[0]

    assert np.array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))
    assert np.array_equal(run(np.random.RandomState(1)), run(np.random.RandomState(1)))
    assert not np.array_equal(run(None), run(None))


def test_a_function_of_ones_own_is_a_technique(digits):
    X, y = digits
    made = sampler(techniques=[lambda image, rng: 255 - image])
    X_res, _ = made.fit_resample(X, y)
    new = slice(len(X), None)
    assert np.array_equal(X_res[new], 255 - X[made.sample_indices_[new]])


def test_it_clones_pickles_and_shows_its_parameters():
    made = sampler(techniques=["flip", {"blur": {"kernel": 3}}], sampling_strategy=0.5)
    assert clone(made).get_params() == made.get_params()
    assert pickle.loads(pickle.dumps(made)).get_params() == made.get_params()
    assert made.set_params(image_shape=(8, 8)).image_shape == (8, 8)


def test_in_a_pipeline_under_a_grid_search(digits):
    X, y = digits
    flat = FunctionTransformer(lambda images: images.reshape(len(images), -1) / 255)
    pipeline = make_pipeline(sampler(), flat, LogisticRegression(max_iter=300))
    grid = {"augmentationoversampler__techniques": [["flip"], ["crop", "noise"], []]}
    search = GridSearchCV(pipeline, grid, cv=3, scoring="balanced_accuracy").fit(X, y)
    assert search.best_score_ > 0.9
    # Prediction resamples nothing.
    assert search.predict(X).shape == y.shape


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"X": lambda X: X / 255}, "whole numbers from 0 to 255, but got float64"),
        ({"X": lambda X: np.where(X > 0, X, np.nan)}, "whole numbers from 0 to 255"),
        ({"X": lambda X: X.astype(int) * 2}, "whole numbers from 0 to 255, but got int64"),
        ({"X": lambda X: X.astype(str)}, "whole numbers from 0 to 255"),
        (
            {"X": lambda X: X.reshape(len(X), 64)},
            "Rows of 64 values are no images. Give image_shape",
        ),
        ({"X": lambda X: X.transpose(0, 3, 1, 2)}, r"channels last, but got \(1, 8, 8\)"),
        ({"X": lambda X: X[:, :1]}, "height and width from 2"),
        ({"X": lambda X: X[..., None]}, "must be"),
        ({"X": lambda X: X[:0]}, "0 sample"),
        ({"X": lambda X: X[:9]}, "inconsistent numbers of samples"),
        (
            {"image_shape": (4, 8)},
            r"image_shape=\(4, 8\) must fit the samples of shape \(8, 8, 1\)",
        ),
        ({"techniques": ["nose"]}, "no technique 'nose'. Did you mean 'noise'?"),
        ({"techniques": [{"noise": {"white": 2}}]}, "white=2"),
        ({"sampling_strategy": {7: 90}}, "not present in the data"),
        ({"sampling_strategy": {1: 3}}, "greater or equal"),
        ({"sampling_strategy": 0.5}, "binary"),
        ({"sampling_strategy": "some"}, "sampling_strategy"),
        ({"random_state": "x"}, "random_state"),
    ],
)
def test_wrong_input_is_a_value_error(digits, change, complaint):
    X, y = digits
    X = change.pop("X", lambda X: X)(X)
    with pytest.raises(ValueError, match=complaint):
        sampler(**change).fit_resample(X, y)


@pytest.mark.parametrize(
    "change",
    [
        {"sampling_strategy": {7: 90}},
        {"sampling_strategy": {1: 3}},
        {"sampling_strategy": {1: -3}},
        {"sampling_strategy": lambda y: {9: 1}},
        {"sampling_strategy": 0.5},
        {"sampling_strategy": -1.0},
        {"sampling_strategy": "some"},
        {"sampling_strategy": [1]},
        {"random_state": "x"},
        {"random_state": -1},
        {"X": lambda X: X[:0], "y": lambda y: y[:0]},
        {"X": lambda X: X.ravel()[: len(X)]},
        {"X": lambda X: [[1, 2], [3]], "y": lambda y: [0, 1]},
        {"X": lambda X: 3},
        {"X": lambda X: None},
        {"X": lambda X: "images"},
        {"y": lambda y: np.zeros(len(y), int)},
        {"y": lambda y: np.linspace(0, 1, len(y))},
        {"y": lambda y: np.where(y > 1, np.nan, y)},
        {"y": lambda y: np.stack([y, y], axis=1)},
        {"y": lambda y: np.stack([y > 0, y > 1, y > 0], axis=1).astype(int)},
        {"y": lambda y: None},
    ],
)
@pytest.mark.parametrize("flat", [False, True])
def test_wrong_input_gets_the_error_of_random_oversampling(digits, change, flat):
    change = {"X": lambda X: X, "y": lambda y: y, **change}
    y = change.pop("y")(digits[1])
    X = change.pop("X")(digits[0])

    def kind(made, X):
        with pytest.raises((ValueError, TypeError)) as caught:
            made.fit_resample(X, y)
        return type(caught.value)

    rows = X.reshape(len(X), 64) if isinstance(X, np.ndarray) and X.ndim == 4 else X
    made = sampler(**change, image_shape=(8, 8) if flat else None)
    random = RandomOverSampler(**{"random_state": 0, **change})
    assert kind(made, rows if flat else X) is kind(random, rows)


def test_sparse_images_are_refused(digits):
    from scipy import sparse

    X, y = digits
    with pytest.raises(TypeError, match=r"Sparse data was passed|dense"):
        sampler(image_shape=(8, 8)).fit_resample(sparse.csr_matrix(X.reshape(len(X), -1)), y)


def test_an_unknown_technique_is_told_before_any_work(digits):
    with pytest.raises(InputError, match="Did you mean 'flip'"):
        sampler(techniques=["flop"]).fit(*digits)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", [np.int64, np.float32, bool, list, pd.DataFrame, csr_array])
def test_one_hot_targets_come_back_as_they_were(digits, classes, kind):
    images, labels = (column[digits[1] < classes] for column in digits)
    hot = np.eye(classes, dtype=int)[labels]
    given = {list: hot.tolist, pd.DataFrame: lambda: pd.DataFrame(hot, columns=[*"abc"[:classes]])}
    given = given.get(kind, lambda: csr_array(hot) if kind is csr_array else hot.astype(kind))()
    X, y = sampler().fit_resample(images, labels)
    X2, y2 = sampler().fit_resample(images, given)
    assert type(y2) is type(given)
    if hasattr(given, "dtype"):
        assert y2.dtype == given.dtype
    found = y2.toarray() if kind is csr_array else np.asarray(y2)
    assert np.array_equal(found, np.eye(classes, dtype=int)[y])
    assert np.array_equal(X, X2)
    if kind is pd.DataFrame:
        assert y2.columns.equals(given.columns)
        assert y2.index.equals(pd.RangeIndex(len(y2)))


def test_several_labels_an_image_are_refused(digits):
    images, labels = digits
    with pytest.raises(ValueError, match="Multilabel and multioutput targets are not supported"):
        sampler().fit_resample(images, np.stack([labels > 0, labels > 1], 1).astype(int))


def test_a_negative_random_state_is_refused_by_name(digits):
    with pytest.raises(ValueError, match="'random_state' parameter of AugmentationOverSampler"):
        sampler(random_state=-1).fit_resample(*digits)
