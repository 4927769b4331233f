"""What a trainer can ask of the loop: averages, flips, smoothing, clipping, the best epoch."""

import numpy as np
import pytest
import torch
from torch import nn

from equipoise.recipes import get_recipe
from equipoise.training import Trainer, fit, load_model
from equipoise.training.jitter import flipped
from equipoise.training.saving import save_model


def run(digits, *, net=None, recipe="none", **fields):
    trainer = Trainer(**{"name": "t", "epochs": 2, "batch_size": 16, **fields})
    return fit(digits, get_recipe(recipe), trainer, seed=0, net=net)


def linear(channels, classes, size):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size[0] * size[1], classes))


def test_random_flips_are_half_and_alternating_ones_show_both_ways_in_two_passes():
    ids, copy = np.arange(2000), np.zeros(2000, np.int32)
    by_pass = {
        way: [flipped(way, ids, copy, np.full(2000, p), seed=1) for p in range(4)]
        for way in ("none", "random", "alternating")
    }
    assert not np.any(by_pass["none"])
    for way in ("random", "alternating"):
        assert all(abs(mask.mean() - 0.5) < 4 * 0.5 / 2000**0.5 for mask in by_pass[way])
    first, second, third, fourth = by_pass["alternating"]
    np.testing.assert_array_equal(first, ~second)
    np.testing.assert_array_equal(first, third)
    np.testing.assert_array_equal(second, fourth)
    agree = np.mean(by_pass["random"][0] == by_pass["random"][1])
    assert 0.4 < agree < 0.6


def test_the_net_sees_mirror_images_of_every_class(digits):
    plain = run(digits)
    flipping = run(digits, flip="alternating", epochs=4)
    for name in ("3", "8"):
        assert flipping.metrics["seen"]["images"][name] == pytest.approx(
            2 * plain.metrics["seen"]["images"][name], abs=2
        )


def test_the_average_is_what_is_evaluated_and_kept(digits, tmp_path):
    decay, weights = 0.9, []

    class Watched(nn.Linear):
        def forward(self, x):
            if self.training:
                weights.append(self.weight.detach().clone())
            return super().forward(x)

    def net(channels, classes, size):
        return nn.Sequential(nn.Flatten(), Watched(channels * size[0] * size[1], classes))

    done = run(digits, net=net, ema=decay)
    # The first weights are taken whole, then averaged, the first steps with a smaller decay.
    average = weights[1]
    for step, later in enumerate(weights[2:], 1):
        share = min(decay, (1 + step) / (10 + step))
        average = share * average + (1 - share) * later
    kept = done.model.net[1].weight
    assert not torch.allclose(kept, weights[-1], atol=1e-5)
    step = (weights[-1] - weights[-2]).abs().max()
    assert (kept - average).abs().max() < 2 * step
    save_model(done.model, tmp_path / "model.pt")
    logits = load_model(tmp_path, net=net).logits(digits.test.array)
    np.testing.assert_array_equal(logits, done.predictions["test"].logits)


def test_test_time_flip_is_the_mean_of_both_and_stays_with_the_model(digits, tmp_path):
    plain, both = run(digits), run(digits, test_time_flip=True)
    images = digits.test.array
    expected = (plain.model.logits(images) + plain.model.logits(images[:, :, ::-1])) / 2
    np.testing.assert_allclose(both.model.logits(images), expected, rtol=1e-4, atol=1e-5)
    save_model(both.model, tmp_path / "model.pt")
    np.testing.assert_array_equal(
        load_model(tmp_path).logits(images), both.predictions["test"].logits
    )


def test_smoothing_and_clipping_do_what_they_say(digits):
    smooth, plain = (run(digits, label_smoothing=s, epochs=8) for s in (0.3, 0.0))
    # The smoothed loss cannot fall below the entropy of (0.85, 0.15).
    floor = -(0.85 * np.log(0.85) + 0.15 * np.log(0.15))
    assert min(smooth.history["training_loss_per_batch"]) >= floor - 1e-6
    assert min(plain.history["training_loss_per_batch"]) < floor
    fields = {"net": linear, "optimiser": "sgd", "momentum": 0.0, "learning_rate": 0.1}
    start = run(digits, **fields, clip=1e-9).model.net[1].weight
    moved = run(digits, **fields, clip=0.01).model.net[1].weight
    steps = 2 * 8
    distance = (moved - start).norm().item()
    assert 0 < distance <= 0.1 * 0.01 * steps * 1.01


def test_the_best_epoch_is_kept_and_patience_ends_a_run(digits):
    fields = {"epochs": 8, "learning_rate": 0.003}
    last, best = run(digits, **fields), run(digits, keep="best", **fields)
    scores = [row["validation_balanced_accuracy"] for row in best.rows]
    assert best.metrics["kept_epoch"] == 1 + int(np.argmax(scores))
    kept = best.metrics["validation"]["plain"]["balanced_accuracy"]
    assert kept == max(scores)
    assert last.metrics["kept_epoch"] == 8
    assert last.history == best.history
    impatient = run(digits, patience=2, **fields)
    scores = [row["validation_balanced_accuracy"] for row in last.rows]
    ends = next((e for e in range(1, 8) if e - int(np.argmax(scores[:e])) - 1 >= 2), 8)
    assert impatient.metrics["epochs"] == len(impatient.rows) == ends


@pytest.mark.parametrize("schedule", ["one_cycle", "linear", "cosine"])
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_every_optimiser_and_schedule_learns(make_digits, optimiser, schedule):
    rate = {"adamw": 3e-3, "sgd": 0.1}[optimiser]
    data = make_digits({0: 60, 1: 60}, held_out=50)
    done = run(data, optimiser=optimiser, schedule=schedule, learning_rate=rate, epochs=4)
    assert done.metrics["test"]["plain"]["accuracy"] > 0.9
