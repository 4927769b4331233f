"""What a net takes images for after a technique."""

import numpy as np

from equipoise.engine import augment
from equipoise.readers import load
from equipoise.recipes import get_recipe
from equipoise.studies.shortcut import predict_augmented
from equipoise.techniques import resolve
from equipoise.training import Trainer, fit


def test_images_are_shown_some_at_a_time_and_it_makes_no_difference(monkeypatch):
    data, noise = load("digits"), resolve("noise")
    part = data.validation
    model = fit(data, get_recipe("none"), Trainer(name="t", epochs=2), seed=0, device="cpu").model
    shown = np.asarray(augment(part.array, noise, seed=5, ids=part.ids))
    monkeypatch.setattr("equipoise.mapped._BLOCK", 7 * part.array[0].nbytes)
    decided = predict_augmented(model, part, noise, seed=5)
    np.testing.assert_array_equal(decided, model.predict(shown, "plain"))
    assert len(np.unique(decided)) > 1
