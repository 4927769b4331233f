"""Every loss against NumPy, against finite differences, and in its limits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from equipoise import InputError
from equipoise.training.losses import LOSSES, class_weights, effective_weights, get_loss

COUNTS = np.array([60, 25, 9, 2])
LABELS = np.repeat(np.arange(4), COUNTS)

# (name or spec, label smoothing, defer)
CASES = [
    ("cross_entropy", 0.0, 0.0),
    ("cross_entropy", 0.1, 0.0),
    ("weighted", 0.0, 0.0),
    ("weighted", 0.2, 0.0),
    ({"effective_number": {"beta": 0.9}}, 0.0, 0.0),
    ("focal", 0.0, 0.0),
    ({"focal": {"gamma": 0.5}}, 0.0, 0.0),
    ("ldam", 0.0, 0.0),
    ({"ldam": {"margin": 1.0, "scale": 3.0, "beta": 0.95}}, 0.0, 0.5),
    ("balanced_softmax", 0.0, 0.0),
    ({"logit_adjusted": {"tau": 1.7}}, 0.1, 0.0),
]


def batch(seed=0, n=12):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)) * 2, rng.integers(0, 4, n)


def terms_of(spec, z, y, smoothing):
    """The formula of each image, written out image by image."""
    name, given_ = (spec, {}) if isinstance(spec, str) else next(iter(spec.items()))
    k = z.shape[1]
    terms, masses = [], []
    for row, label in zip(z, y, strict=True):
        weight = np.ones(k)
        shifted = row.copy()
        if name == "weighted":
            weight = COUNTS.sum() / (k * COUNTS)
        if name == "effective_number" or (name == "ldam" and "beta" in given_):
            beta = given_["beta"]
            weight = np.array([1 / sum(beta**i for i in range(n)) for n in COUNTS])
            weight *= k / weight.sum()
        if name == "ldam":
            margin = 1 / COUNTS**0.25
            margin *= given_.get("margin", 0.5) / margin.max()
            shifted[label] -= margin[label]
            shifted *= given_.get("scale", 30.0)
        if name in ("balanced_softmax", "logit_adjusted"):
            shifted += given_.get("tau", 1.0) * np.log(COUNTS / COUNTS.sum())
        p = np.exp(shifted - shifted.max())
        p /= p.sum()
        if name == "focal":
            terms.append(-((1 - p[label]) ** given_.get("gamma", 2.0)) * np.log(p[label]))
        else:
            q = np.full(k, smoothing / k)
            q[label] += 1 - smoothing
            terms.append(-(q * weight * np.log(p)).sum())
        masses.append(weight[label])
    return np.array(terms), np.array(masses)


@pytest.mark.parametrize(("spec", "smoothing", "defer"), CASES)
def test_the_formula_is_its_papers(spec, smoothing, defer):
    z, y = batch()
    terms, masses = terms_of(spec, z, y, smoothing)
    loss = get_loss(spec, LABELS, 4, smoothing, defer=defer)
    got = loss(torch.tensor(z), torch.tensor(y)).item()
    assert got == pytest.approx(terms.sum() / masses.sum(), rel=1e-6)


@pytest.mark.parametrize(("spec", "smoothing", "defer"), CASES)
def test_mixed_labels_count_in_their_shares(spec, smoothing, defer):
    z, y = batch()
    others, share = batch(1)[1], np.random.default_rng(2).uniform(size=len(y))
    first, second = (terms_of(spec, z, of, smoothing) for of in (y, others))
    total, mass = (share * a + (1 - share) * b for a, b in zip(first, second, strict=True))
    loss = get_loss(spec, LABELS, 4, smoothing, defer=defer)
    z, y, others, share = (torch.tensor(v) for v in (z, y, others, share))
    got = loss(z, y, others=others, share=share).item()
    assert got == pytest.approx(total.sum() / mass.sum(), rel=1e-6)
    # A share of one is no mixing.
    whole = loss(z, y, others=others, share=torch.ones(len(y))).item()
    assert whole == pytest.approx(loss(z, y).item(), rel=1e-9)


@pytest.mark.parametrize(("spec", "smoothing", "defer"), CASES)
@pytest.mark.parametrize("mixed", [False, True])
def test_the_gradient_is_that_of_finite_differences(spec, smoothing, defer, mixed):
    z, y = batch(3, n=5)
    loss = get_loss(spec, LABELS, 4, smoothing, defer=defer)
    labels, others = torch.tensor(y), torch.tensor(y[::-1].copy()) if mixed else None
    share = torch.linspace(0.1, 0.9, 5, dtype=torch.float64) if mixed else None

    def value(logits):
        return loss(logits, labels, others=others, share=share)

    logits = torch.tensor(z, requires_grad=True)
    value(logits).backward()
    numeric, step = np.empty_like(z), 1e-5
    for index in np.ndindex(*z.shape):
        up, down = z.copy(), z.copy()
        up[index] += step
        down[index] -= step
        difference = value(torch.tensor(up)) - value(torch.tensor(down))
        numeric[index] = difference.item() / (2 * step)
    np.testing.assert_allclose(logits.grad, numeric, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("spec", "labels"),
    [
        ("balanced_softmax", np.arange(40) % 4),
        ("logit_adjusted", np.arange(40) % 4),
        ("weighted", np.arange(40) % 4),
        ("effective_number", np.arange(40) % 4),
        ({"focal": {"gamma": 0}}, LABELS),
        ({"logit_adjusted": {"tau": 0}}, LABELS),
        ({"effective_number": {"beta": 0}}, LABELS),
        ({"ldam": {"margin": 0, "scale": 1}}, LABELS),
    ],
)
def test_in_its_limit_it_is_cross_entropy(spec, labels):
    z, y = (torch.tensor(v) for v in batch())
    logits = z.clone().requires_grad_()
    get_loss(spec, labels, 4)(logits, y).backward()
    plain = z.clone().requires_grad_()
    loss = functional.cross_entropy(plain, y)
    loss.backward()
    assert get_loss(spec, labels, 4)(z, y).item() == pytest.approx(loss.item(), rel=1e-6)
    np.testing.assert_allclose(logits.grad, plain.grad, rtol=1e-5, atol=1e-9)


def test_balanced_softmax_is_logit_adjustment_by_one():
    z, y = (torch.tensor(v) for v in batch())
    assert torch.equal(
        get_loss("balanced_softmax", LABELS, 4)(z, y), get_loss("logit_adjusted", LABELS, 4)(z, y)
    )


def test_the_rarest_class_has_the_largest_margin():
    form = get_loss("ldam", LABELS, 4).form
    margins = form.keywords["margins"].numpy()
    assert margins.argmax() == 3
    assert margins[3] == 0.5
    np.testing.assert_allclose(margins[0], 0.5 * (2 / 60) ** 0.25)


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_class_weights_are_scikit_learns(labels):
    weights = class_weights(labels, 5).numpy()
    present = np.unique(labels)
    expected = compute_class_weight("balanced", classes=present, y=labels)
    np.testing.assert_allclose(weights[present], expected, rtol=1e-6)
    assert not np.delete(weights, present).any()


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.floats(0, 1))
def test_effective_weights_lie_between_none_and_the_inverse_count(labels, beta):
    weights = effective_weights(labels, 5, beta).numpy()
    counts = np.bincount(labels, minlength=5)
    present = counts > 0
    assert weights.sum() == pytest.approx(present.sum(), rel=1e-5)
    assert not weights[~present].any()
    flat = np.ones(present.sum())
    steep = 1 / counts[present] / (1 / counts[present]).sum() * present.sum()
    ratio, low, high = (v.max() / v.min() for v in (weights[present], flat, steep))
    assert low - 1e-5 <= ratio <= high * (1 + 1e-5)


def test_effective_weights_at_both_ends():
    np.testing.assert_array_equal(effective_weights(LABELS, 4, 0), np.ones(4))
    inverse = class_weights(LABELS, 4).numpy()
    for beta in (1, 1 - 1e-9):
        got = effective_weights(LABELS, 4, beta).numpy()
        np.testing.assert_allclose(got / got.sum(), inverse / inverse.sum(), rtol=1e-5)


def test_the_losses_are_torchs():
    logits, targets = torch.randn(20, 3), torch.arange(20) % 3
    labels = [0] * 6 + [1] * 3 + [2]
    plain = get_loss("cross_entropy", labels, 3)(logits, targets)
    assert torch.equal(plain, functional.cross_entropy(logits, targets))
    weighted = get_loss("weighted", labels, 3)(logits, targets)
    weights = torch.tensor([10 / 18, 10 / 9, 10 / 3])
    assert torch.allclose(weighted, functional.cross_entropy(logits, targets, weights))
    smooth = get_loss("weighted", labels, 3, 0.1)(logits, targets)
    expected = functional.cross_entropy(
        logits, targets, class_weights(labels, 3), label_smoothing=0.1
    )
    assert torch.equal(smooth, expected)


@pytest.mark.parametrize("spec", ["weighted", "effective_number", "ldam"])
def test_deferred_weights_count_from_their_share_of_the_budget_on(spec):
    z, y = (torch.tensor(v) for v in batch())
    loss = get_loss(spec, LABELS, 4, defer=0.8)
    before, after = loss(z, y, progress=0.79), loss(z, y, progress=0.8)
    assert before.item() != pytest.approx(after.item(), rel=1e-3)
    form = {"ldam": "ldam"}.get(spec, "cross_entropy")
    assert torch.equal(before, get_loss(form, LABELS, 4)(z, y))
    if spec != "ldam":
        assert torch.equal(after, get_loss(spec, LABELS, 4)(z, y))


def test_extreme_logits_have_finite_losses_and_gradients():
    for name in LOSSES:
        for spec in (name, {"focal": {"gamma": 0.3}}):
            logits = torch.tensor([[80.0, 0, 0, 0], [0, 90.0, 0, 0]], requires_grad=True)
            loss = get_loss(spec, LABELS, 4)(logits, torch.tensor([0, 3]))
            loss.backward()
            assert torch.isfinite(loss), spec
            assert torch.isfinite(logits.grad).all(), spec


def test_a_class_without_images_does_no_harm():
    labels, logits = np.array([0] * 8 + [2] * 3), torch.randn(6, 4, requires_grad=True)
    for name in LOSSES:
        loss = get_loss(name, labels, 4)(logits, torch.tensor([0, 2, 0, 0, 2, 2]))
        loss.backward()
        assert torch.isfinite(loss), name
        assert torch.isfinite(logits.grad).all(), name


@pytest.mark.parametrize("spec", ["focal", "ldam"])
def test_a_loss_without_label_smoothing_goes_without(spec):
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    smooth, plain = (get_loss(spec, LABELS, 4, share) for share in (0.1, 0.0))
    assert torch.equal(smooth(logits, labels), plain(logits, labels))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("weightd", r"no loss 'weightd'. Did you mean 'weighted'"),
        ({"focal": {"gama": 1}}, "no parameter of loss focal 'gama'. Did you mean 'gamma'"),
        ({"focal": {"gamma": -1}}, "0 <= gamma <= 10 must hold, but got gamma=-1"),
        ({"ldam": {"beta": "high"}}, "0 <= beta <= 1 must hold, but got beta='high'"),
        ({"weighted": {"beta": 1}}, "loss weighted takes no parameters, but got 'beta'"),
        ({"focal": 2}, "loss focal takes a mapping of parameters, but got 2"),
        ({"focal": {}, "ldam": {}}, "A loss is one name with its parameters"),
    ],
)
def test_mistakes_are_named(spec, message):
    with pytest.raises(InputError, match=message) as caught:
        get_loss(spec, LABELS, 4)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("spec", "smoothing", "defer"), CASES)
def test_an_image_that_counts_half_is_half_an_image(spec, smoothing, defer):
    z, y = map(torch.from_numpy, batch())
    loss = get_loss(spec, LABELS, 4, smoothing, defer=defer)
    counts = torch.ones(len(y))
    torch.testing.assert_close(loss(z, y, counts=counts), loss(z, y))
    # Twice the first six and once the others, as if the first six were there twice.
    counts[6:] = 0.5
    twice = torch.cat([z[:6], z]), torch.cat([y[:6], y])
    torch.testing.assert_close(loss(z, y, counts=counts), loss(*twice))
