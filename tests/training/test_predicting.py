"""Folders of files, classified part by part."""

import cv2
import numpy as np
import pytest

import equipoise as eq
from equipoise.recipes import get_recipe
from equipoise.training import Trainer, fit, predict_files, predicting


@pytest.fixture(scope="module")
def model(make_digits):
    data = make_digits({3: 60, 8: 15}, channels=3)
    return fit(data, get_recipe("none"), Trainer(name="t", epochs=1, batch_size=16), seed=0).model


def test_files_of_any_size_are_classified_in_order(model, patches, tmp_path, monkeypatch):
    images = [patches(1, 8 + 3 * k, 8 + 5 * k)[0] for k in range(11)]
    for k, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"{k:02d}.png"), image[..., ::-1])
    (tmp_path / "05x.png").write_text("no picture")
    whole = predict_files(model, [tmp_path])
    monkeypatch.setattr(predicting, "_TOGETHER", 3)
    rows, broken = predict_files(model, [tmp_path])
    assert (rows, broken) == whole
    assert [one.name for one in broken] == [str(tmp_path / "05x.png")]
    assert [row["path"] for row in rows] == [str(tmp_path / f"{k:02d}.png") for k in range(11)]
    labels, shares = model.predict(images), model.predict_proba(images)
    assert [row["class"] for row in rows] == [model.classes[k] for k in labels]
    wanted = shares[np.arange(11), labels]
    np.testing.assert_allclose([row["probability"] for row in rows], wanted, atol=1e-5)


def test_a_folder_of_broken_files_gives_no_rows(model, tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    rows, broken = predict_files(model, [tmp_path])
    assert rows == []
    assert len(broken) == 1
    with pytest.raises(eq.InputError, match="does not exist"):
        predict_files(model, [tmp_path / "none"])
