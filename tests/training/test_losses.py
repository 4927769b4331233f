import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from equipoise import InputError
from equipoise.training.losses import class_weights, get_loss


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_class_weights_are_scikit_learns(labels):
    weights = class_weights(labels, 5).numpy()
    present = np.unique(labels)
    expected = compute_class_weight("balanced", classes=present, y=labels)
    np.testing.assert_allclose(weights[present], expected, rtol=1e-6)
    assert not np.delete(weights, present).any()


def test_the_losses_are_torchs():
    logits, targets = torch.randn(20, 3), torch.arange(20) % 3
    labels = [0] * 6 + [1] * 3 + [2]
    plain = get_loss("cross_entropy", labels, 3)(logits, targets)
    assert torch.equal(plain, functional.cross_entropy(logits, targets))
    weighted = get_loss("weighted", labels, 3)(logits, targets)
    weights = torch.tensor([10 / 18, 10 / 9, 10 / 3])
    assert torch.allclose(weighted, functional.cross_entropy(logits, targets, weights))
    with pytest.raises(InputError, match=r"no loss 'weightd'. Did you mean 'weighted'"):
        get_loss("weightd", labels, 3)
