"""Labels that mean nothing cannot be told from images, brought up or not."""

import shutil

import numpy as np
from PIL import Image

import equipoise as eq


def test_random_labels_stay_random_after_upsampling(tmp_path):
    """ROC-AUC on the test split is near a half; with neither manifest nor names it would not be."""
    rng = np.random.default_rng(0)
    for i in range(240):
        path = tmp_path / "photos" / ("cat" if i % 4 else "dog") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    eq.upsample(tmp_path / "photos", tmp_path / "up", techniques=("noise", "flip"))
    traceless = shutil.ignore_patterns("manifest.parquet", "equipoise.json")
    shutil.copytree(tmp_path / "up", tmp_path / "bare", ignore=traceless)
    shutil.copytree(tmp_path / "bare", tmp_path / "renamed")
    for i, path in enumerate(sorted((tmp_path / "renamed").rglob("*.png"))):
        path.rename(path.with_name(f"picture-{i}.png"))

    def auc(name):
        data = eq.load(tmp_path / name, test_fraction=0.3)
        run = eq.train(data, "none", trainer="fast", epochs=20)
        return run.metrics["test"]["plain"]["roc_auc"]

    assert 0.35 < auc("up") < 0.65
    assert 0.35 < auc("bare") < 0.65
    assert auc("renamed") > 0.7
