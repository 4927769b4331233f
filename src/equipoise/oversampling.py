"""`AugmentationOverSampler`: oversampling by augmentation as an imbalanced-learn sampler."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing, check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import _num_samples, validate_data

from equipoise.engine import carry_out
from equipoise.planning import Plan, share_out
from equipoise.techniques import Technique, resolve

__all__ = ["AugmentationOverSampler"]


class AugmentationOverSampler(BaseOverSampler):
    """Bring classes up with augmented copies of their images.

    The copies are shared out evenly over the techniques, and every image of a class is used
    equally often before any is used once more. The originals come first and in their order, the
    copies after them, class by class.

    With techniques, `X` must hold images: integers from 0 to 255. Without any, `X` may be whatever
    `RandomOverSampler` takes, of any number of dimensions, and the copies are duplicates.

    Parameters
    ----------
    techniques : list or tuple, default=("crop", "flip", "noise")
        Names of techniques, one-key dicts ``{name: {parameter: value}}``, or callables
        ``(image, rng) -> image``. Empty: plain duplicates.
    sampling_strategy : float, str, dict or callable, default='auto'
        As everywhere in imbalanced-learn. The keys of a dict are values of `y`.
    random_state : int, RandomState instance or None, default=None
        An int is the seed of the augmentations: the same as in `equipoise.augment`, with the row
        numbers as ids.
    image_shape : tuple, default=None
        (H, W) or (H, W, C) of the images whose pixels are the rows of a two-dimensional `X`.

    Attributes
    ----------
    sampling_strategy_ : dict
        From class to number of new samples.
    sample_indices_ : ndarray of shape (n_new_samples,)
        The row in `X` from which each output row comes.
    techniques_ : ndarray of shape (n_new_samples,)
        How each output row came about: 'original', 'duplicate' or the name of the technique.
    n_features_in_ : int
        Number of values in a sample.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of a data frame.

    See Also
    --------
    imblearn.over_sampling.RandomOverSampler : Random duplicates.

    Examples
    --------
    >>> import numpy as np
    >>> from equipoise import AugmentationOverSampler
    >>> X = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    >>> y = np.repeat(["cat", "dog"], [50, 10])
    >>> X2, y2 = AugmentationOverSampler(random_state=0).fit_resample(X, y)
    >>> X2.shape
    (100, 8, 8, 3)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseOverSampler._parameter_constraints,
        "techniques": [list, tuple],
        "image_shape": [list, tuple, None],
    }

    def __init__(
        self,
        *,
        techniques: Sequence[object] = ("crop", "flip", "noise"),
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        image_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.techniques = techniques
        self.random_state = random_state
        self.image_shape = image_shape

    def fit_resample(self, X: Any, y: Any, **params: Any) -> tuple[Any, Any]:
        """Return the originals and their copies, and the targets of both.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, ...)
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Targets; one-hot targets, whose number is the column, come back as they were given.

        Returns
        -------
        X_resampled, y_resampled
            Of the types of `X` and `y`.
        """
        if np.ndim(given := _dense(y)) != 2 or np.shape(given)[1] < 2:
            return super().fit_resample(X, y, **params)
        # imbalanced-learn would give a single column for two.
        resampled, _ = super().fit_resample(X, np.asarray(given), **params)
        rows = _safe_indexing(y, self.sample_indices_)
        return resampled, rows.reset_index(drop=True) if hasattr(rows, "iloc") else rows

    def _check_X_y(  # noqa: N802 (imbalanced-learn's name)
        self, X: Any, y: Any
    ) -> tuple[Any, NDArray, bool]:
        y, binarize_y = check_target_type(y, indicate_one_vs_all=True)
        frame = hasattr(X, "iloc")
        if not frame:
            _num_samples(X)  # a TypeError for what has none, as everywhere in imbalanced-learn
            sparse = False if self.techniques else ["csr", "csc"]
            X = check_array(
                X, dtype=None, accept_sparse=sparse, allow_nd=True, ensure_all_finite=False
            )
        check_consistent_length(X, y)
        rows = X if X.ndim == 2 else X.reshape(len(X), -1)
        validate_data(self, X=rows, y=y, reset=True, skip_check_array=True)
        if self.techniques:
            X = X.to_numpy() if frame else X
            _images(X, self.image_shape)
            self._resolved()
        return X, y, binarize_y

    def _resolved(self) -> list[Technique]:
        return [resolve(spec) for spec in self.techniques]

    def _fit_resample(self, X: Any, y: NDArray) -> tuple[Any, NDArray]:
        techniques = self._resolved()
        seed = _seed(self.random_state)
        classes, labels = np.unique(y, return_inverse=True)
        new = {i: self.sampling_strategy_.get(value, 0) for i, value in enumerate(classes.tolist())}
        ids = np.arange(len(labels))
        plan = share_out(labels, new, len(techniques), seed=seed, ids=ids)
        self.sample_indices_ = np.concatenate([ids, plan.source])
        self.techniques_ = _names(len(labels), plan, techniques)
        if techniques:
            images = _images(X, self.image_shape)
            copies = carry_out(images, ids, plan, techniques, seed=seed)
            copies = copies.reshape(len(plan), *X.shape[1:]).astype(X.dtype, copy=False)
            resampled = np.concatenate([X, copies])
        else:
            resampled = _safe_indexing(X, self.sample_indices_)
            if hasattr(resampled, "iloc"):
                resampled = resampled.reset_index(drop=True)
        return resampled, y[self.sample_indices_]

    def __sklearn_tags__(self):  # type: ignore[no-untyped-def]
        tags = super().__sklearn_tags__()
        tags.sampler_tags.sample_indices = True
        tags.input_tags.three_d_array = True
        anything = not self.techniques
        tags.input_tags.sparse = anything
        tags.input_tags.string = anything
        tags.input_tags.allow_nan = anything
        return tags


def _dense(y: Any) -> Any:
    return y.toarray() if hasattr(y, "toarray") else y


def _images(X: NDArray, shape: Sequence[int] | None) -> NDArray[np.uint8]:
    """`X` as (N, H, W, C) uint8, without copying it where it is that already."""
    if X.dtype.kind not in "iu" or (X.dtype != np.uint8 and (X.min() < 0 or X.max() > 255)):
        raise ValueError(
            f"Images must be whole numbers from 0 to 255, but got {X.dtype} values. Scale them, "
            "and cast them to uint8; or give techniques=() for plain duplicates."
        )
    if X.ndim == 2 and shape is None:
        raise ValueError(
            f"Rows of {X.shape[1]} values are no images. Give image_shape=(height, width) or "
            "(height, width, channels), or techniques=() for plain duplicates."
        )
    shape = X.shape[1:] if shape is None else tuple(shape)
    size = int(np.prod(X.shape[1:]))
    if int(np.prod(shape)) != size or (X.ndim > 2 and shape != X.shape[1:]):
        raise ValueError(f"image_shape={shape} must fit the samples of shape {X.shape[1:]}.")
    height, width, channels = (
        shape if len(shape) == 3 else (*shape, 1) if len(shape) == 2 else (0, 0, 0)
    )
    if min(height, width) < 2 or channels not in (1, 3, 4):
        raise ValueError(
            "Images must be (height, width) or (height, width, channels) with height and width "
            f"from 2 and 1, 3 or 4 channels, channels last, but got {shape}."
        )
    return X.reshape(len(X), height, width, channels).astype(np.uint8, copy=False)


def _names(originals: int, plan: Plan, techniques: list[Technique]) -> NDArray[np.str_]:
    """How each output row came about; technique -1 of the plan is the last of the names."""
    names = np.array([*(technique.name for technique in techniques), "duplicate"])
    return np.concatenate([np.full(originals, "original"), names[plan.technique]])


def _seed(random_state: Any) -> int:
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
