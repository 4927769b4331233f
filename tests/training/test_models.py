from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import equipoise as eq
from equipoise.recipes import get_recipe
from equipoise.training import Decision, Trainer, fit
from equipoise.training.model import channel_statistics
from equipoise.training.saving import save_model

SHORT = Trainer(name="short", epochs=1, batch_size=16)


@pytest.fixture(scope="module")
def run(make_digits):
    return fit(make_digits({3: 60, 8: 15}, channels=3), get_recipe("none"), SHORT, seed=0)


@pytest.fixture(scope="module")
def images(make_digits):
    return make_digits({3: 60, 8: 15}, channels=3).test.array


def test_a_model_comes_back_from_its_file(run, images, tmp_path):
    save_model(run.model, tmp_path / "model.pt")
    model = eq.load_model(tmp_path)
    assert (model.classes, model.size, model.channels) == (("3", "8"), (8, 8), 3)
    assert (model.decision, model.positive) == (run.model.decision, 1)
    np.testing.assert_array_equal(model.logits(images), run.predictions["test"].logits)
    tuned, plain = model.predict(images), model.predict(images, decision="plain")
    logits = run.predictions["test"].logits
    np.testing.assert_array_equal(plain, logits.argmax(1))
    np.testing.assert_array_equal(tuned, run.model.decision.apply(logits))
    moved = replace(model, decision=Decision((0.0, 1e3), "balanced_accuracy"))
    assert (moved.predict(images) == 1).all()
    with pytest.raises(
        eq.InputError, match="one of 'tuned', 'plain', 'adjusted', but got decision='best'"
    ):
        model.predict(images, decision="best")


def test_a_model_keeps_its_adjustment_and_temperature(run, images, tmp_path):
    path = tmp_path / "model.pt"
    save_model(run.model, path)
    model = eq.load_model(path)
    assert (model.adjusted, model.temperature) == (run.model.adjusted, run.model.temperature)
    adjusted = model.predict(images, decision="adjusted")
    np.testing.assert_array_equal(adjusted, model.adjusted.apply(model.logits(images)))
    odds = np.log(model.predict_proba(images))
    cooled = np.log(model.predict_proba(images, calibrated=True))
    difference = (odds[:, 1] - odds[:, 0]) / model.temperature
    np.testing.assert_allclose(cooled[:, 1] - cooled[:, 0], difference, rtol=1e-5, atol=1e-6)
    # A model of an earlier version has neither.
    fields = torch.load(path, weights_only=True)
    del fields["adjusted"], fields["temperature"]
    torch.save(fields, path)
    old = eq.load_model(path)
    assert (old.adjusted, old.temperature) == (None, 1.0)
    with pytest.raises(eq.InputError, match="one of 'tuned', 'plain', but got decision='adjusted'"):
        old.predict(images, decision="adjusted")


def test_a_model_keeps_its_range(run, tmp_path):
    path = tmp_path / "model.pt"
    save_model(replace(run.model, range=(100, 4095)), path)
    assert eq.load_model(path).range == (100, 4095)
    fields = torch.load(path, weights_only=True)
    for odd in ([4095, 100], [0], [0, 65536], [-1, 5], ["a", "b"], "0:4095", [0, float("nan")]):
        torch.save({**fields, "range": odd}, path)
        with pytest.raises(eq.InputError, match="is no model of ours"):
            eq.load_model(path)
    del fields["range"]
    torch.save(fields, path)
    assert eq.load_model(path).range is None


def test_probabilities_are_those_of_the_logits(run, images):
    probabilities = run.model.predict_proba(images)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    odds = np.log(probabilities[:, 1] / probabilities[:, 0])
    logits = run.model.logits(images)
    np.testing.assert_allclose(odds, logits[:, 1] - logits[:, 0], rtol=1e-4, atol=1e-5)


def test_images_of_other_sizes_and_grey_ones_are_brought_to_the_models(run, images):
    expected = run.model.predict_proba(images[:3])
    mixed = [images[0], images[1][..., :1], np.kron(images[2], np.ones((4, 4, 1), np.uint8))]
    np.testing.assert_allclose(run.model.predict_proba(mixed), expected, rtol=1e-5)
    assert run.model.predict(np.zeros((5, 30, 50, 3), np.uint8)).shape == (5,)
    assert run.model.predict([]).shape == (0,)
    mistakes = (
        (images[:2] / 255, "convert with astype\\('uint8'\\)"),
        (images[0], r"One image alone is images\[None\]"),
        (images[0, ..., 0], r"One image alone is images\[None\]"),
        (Image.fromarray(images[0]), "an array or a list of images"),
        ([np.zeros((8, 8, 2), np.uint8)], r"images\[0\]: shape .* got \(8, 8, 2\)"),
        (images[:2].astype(np.uint16), "need a model that was trained on 16-bit ones"),
    )
    for bad, words in mistakes:
        with pytest.raises(eq.InputError, match=words):
            run.model.predict(bad)


def test_images_are_taken_as_load_takes_them(run, images):
    """Grey N×H×W, Pillow's images of any mode, and whole numbers of any kind."""
    grey = images[:5, ..., 0]
    expected = run.model.predict_proba(np.repeat(grey[..., None], 3, axis=-1))
    for same in (
        grey,
        grey.astype(np.int64),
        list(grey),
        [Image.fromarray(one) for one in grey],
        [Image.fromarray(one).convert("RGB").quantize(256) for one in grey],
    ):
        np.testing.assert_allclose(run.model.predict_proba(same), expected, rtol=1e-4)


def test_colour_is_brought_to_a_grey_models_channel(make_digits):
    data = make_digits({3: 60, 8: 15})
    model = fit(data, get_recipe("none"), SHORT, seed=0).model
    grey = data.test.array[:6]
    expected = model.predict_proba(grey)
    colour = np.repeat(grey, 3, axis=-1)
    alpha = np.full_like(grey, 255)
    for same in (colour, np.concatenate([colour, alpha], axis=-1), grey[..., 0]):
        np.testing.assert_allclose(model.predict_proba(same), expected, rtol=1e-4)
    red = np.zeros_like(colour)
    red[..., 0] = 200  # as Pillow and OpenCV see it: 60
    np.testing.assert_allclose(
        model.predict_proba(red), model.predict_proba(np.full_like(grey, 60)), rtol=1e-4
    )


def test_many_images_in_a_few_batches_are_as_one_by_one(run, images):
    one_by_one = np.concatenate([run.model.logits(images[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(run.model.logits(np.tile(images[:20], (30, 1, 1, 1)))[580:],
                               one_by_one, rtol=1e-4, atol=1e-5)  # fmt: skip


def test_a_net_of_ones_own_needs_its_function(make_digits, tmp_path):
    def own(channels, classes, size):
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * size[0] * size[1], classes))

    data = make_digits({3: 60, 8: 15})
    run = fit(data, get_recipe("none"), SHORT, seed=0, net=own)
    save_model(run.model, tmp_path / "model.pt")
    with pytest.raises(eq.InputError, match="a net of your own"):
        eq.load_model(tmp_path)
    again = eq.load_model(tmp_path, net=own)
    np.testing.assert_array_equal(again.logits(data.test.array), run.predictions["test"].logits)
    with pytest.raises(eq.InputError, match="do not fit"):
        eq.load_model(tmp_path, net=lambda c, k, size: nn.Linear(2, 2))


def test_what_is_no_model_is_refused_in_one_line(tmp_path):
    for name, make in {
        "missing.pt": lambda path: None,
        "text.pt": lambda path: path.write_text("no model"),
        "empty.pt": lambda path: path.touch(),
        "other.pt": lambda path: torch.save({"weights": 1}, path),
        # A pickle of a live object: loading it would run code.
        "code.pt": lambda path: torch.save(nn.Linear(2, 2), path),
    }.items():
        make(tmp_path / name)
        with pytest.raises(eq.InputError) as caught:
            eq.load_model(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_channel_statistics_are_those_of_all_pixels(images):
    mean, std = channel_statistics(np.tile(images, (30, 1, 1, 1)))
    np.testing.assert_allclose(mean, (images / 255).mean((0, 1, 2)))
    np.testing.assert_allclose(std, (images / 255).std((0, 1, 2)))
    large = np.tile(images[:2], (1, 150, 150, 1))  # more pixels each than are summed at a time
    np.testing.assert_allclose(channel_statistics(large)[0], (images[:2] / 255).mean((0, 1, 2)))
    assert channel_statistics(np.full((4, 8, 8, 1), 9, np.uint8))[1] == (1 / 255,)
