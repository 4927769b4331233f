"""Images from elsewhere: they join training, stay marked, and never reach validation or test."""

import json
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_sample_images

import equipoise as eq
from equipoise.errors import InputError, Remark
from equipoise.extras import check_extra, generated_counts, with_extra
from equipoise.files import read_json
from equipoise.readers import load
from equipoise.recipes import Recipe, get_recipe
from equipoise.training import Trainer, fit
from equipoise.training.jobs import Config, aim, prepare


def piece(number, side=32):
    photo = load_sample_images().images[number % 2]
    top, left = number * 37 % (427 - 64), number * 91 % (640 - 64)
    return cv2.resize(photo[top : top + 64, left : left + 64], (side, side), interpolation=3)


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1])


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of three splits: 12 cats and 4 dogs to train on, 32×32."""
    root, number = tmp_path_factory.mktemp("data") / "photos", 0
    for split, counts in {"train": (12, 4), "val": (4, 4), "test": (4, 4)}.items():
        for name, count in zip(("cat", "dog"), counts, strict=True):
            for k in range(count):
                number += 1
                write(root / split / name / f"{k}.png", piece(number))
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What a generative model might have made: five dogs, larger than the data set's images."""
    root = tmp_path_factory.mktemp("made") / "dogs"
    for k in range(5):
        write(root / "dog" / f"{k}.jpg", piece(100 + k, side=80))
    return root


def test_extra_images_join_training_and_nothing_else(photos, made):
    data = load(str(photos))
    joined = with_extra(data, Recipe(name="more", extra=str(made)))
    assert joined.train.counts.tolist() == [12, 9]
    assert generated_counts(joined) == {"dog": 5}
    assert joined.train.array.shape[1:] == (32, 32, 3)
    assert joined.train.generated.tolist() == [False] * 16 + [True] * 5
    assert set(joined.train.names[16:]) == {f"generated/dog/{k}.png" for k in range(5)}
    assert len(set(joined.train.ids.tolist())) == 21
    for name in ("validation", "test"):
        assert joined.parts[name] is data.parts[name]
    # What is measured against stays that of the data set.
    assert joined.rarest == data.rarest
    assert len(joined.train.real) == 16
    assert with_extra(data, Recipe(name="plain")) is data
    assert with_extra(joined, Recipe(name="more", extra=str(made))) is joined


def test_the_path_is_relative_to_the_recipes_file(made, tmp_path, monkeypatch):
    file = made.parent / "more.yaml"
    file.write_text("extra: dogs\n")
    monkeypatch.chdir(tmp_path)
    recipe = get_recipe(file)
    assert recipe.extra == str(made)
    # In a study's folder it is found again.
    (tmp_path / "copy.yaml").write_text(recipe.to_yaml())
    assert get_recipe(tmp_path / "copy.yaml") == recipe


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("nearly", [False, True])
def test_an_image_of_validation_or_test_is_refused(photos, tmp_path, split, nearly):
    extra = tmp_path / "extra"
    image = cv2.imread(str(photos / split / "dog" / "2.png"))[..., ::-1]
    if nearly:
        image = np.clip(image * 0.9 + 12, 0, 255).astype(np.uint8)
    write(extra / "dog" / "a.png", piece(100))
    write(extra / "dog" / "b.png", image)
    recipe = Recipe(name="leaky", extra=str(extra))
    words = "is nearly" if nearly else "is"
    with pytest.raises(InputError, match=f"extra: generated/dog/b.png {words} .*dog/2.png of the"):
        check_extra(with_extra(load(str(photos)), recipe), recipe)
    with pytest.raises(InputError, match="must not be trained on"):
        eq.compare(load(str(photos)), ["none", recipe], out=tmp_path / "out")
    with pytest.raises(InputError, match="must not be trained on"):
        eq.upsample(str(photos), tmp_path / "out", recipe=recipe)
    assert not (tmp_path / "out").exists()


def test_mistakes_are_named(photos, made, tmp_path):
    data = load(str(photos))
    write(tmp_path / "wrong" / "dgo" / "a.png", piece(1))
    write(tmp_path / "split" / "test" / "dog" / "a.png", piece(1))
    for folder, words in {
        "wrong": "no class 'dgo'. Did you mean 'dog'",
        "split": "has a test split",
        "absent": "no such file or folder",
    }.items():
        with pytest.raises(InputError, match=words) as caught:
            with_extra(data, Recipe(name="a", extra=str(tmp_path / folder)))
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith("extra: ")


def test_training_counts_them_and_keeps_the_common_budget(photos, made):
    data, trainer = load(str(photos)), Trainer(name="quick", epochs=1, batch_size=8)
    plain = fit(data, Recipe(name="none"), trainer, seed=0)
    # Twelve more dogs than cats: the budget stays that of the data set.
    more = fit(data, Recipe(name="more", extra=str(made)), trainer, seed=0)
    assert more.metrics["generated"] == {"dog": 5}
    assert plain.metrics["generated"] == {}
    assert more.metrics["steps"] == plain.metrics["steps"]
    assert more.metrics["positive_class"] == plain.metrics["positive_class"] == "dog"
    assert more.model.mean == plain.model.mean
    assert more.metrics["seen"]["sources"]["dog"] == 9


@pytest.mark.parametrize("format_", ["folder", "npz", "parquet", "webdataset"])
def test_upsample_marks_them_in_the_manifest(photos, made, tmp_path, format_):
    recipe = Recipe(name="more", extra=str(made), strategy="auto", techniques=("flip",))
    out = tmp_path / "out"
    summary = eq.upsample(str(photos), out, recipe=recipe, format=format_)
    assert summary.generated == {"dog": 5}
    assert summary.before["train"] == {"cat": 12, "dog": 4}
    assert summary.after["train"] == {"cat": 12, "dog": 12}
    assert read_json(out / "summary.json")["generated"] == {"dog": 5}
    manifest = pd.read_parquet(out / "manifest.parquet")
    originals = manifest[manifest.technique == "original"]
    assert originals.generated.sum() == 5
    assert set(manifest[manifest.generated]["split"]) == {"train"}
    assert set(manifest[manifest.generated]["class"]) == {"dog"}
    again = tmp_path / "again"
    eq.upsample(
        str(photos), again, recipe=recipe, format=format_, from_manifest=out / "manifest.parquet"
    )
    assert pd.read_parquet(again / "manifest.parquet").equals(manifest)
    back = load(str(out if format_ != "npz" else out / "data.npz"), cut=False)
    assert back.train.counts.tolist() == [12, 12]
    if format_ == "folder":
        assert set(manifest[originals.index.min() :].path).issuperset(
            {"train/dog/generated-dog-0.png"}
        )
        assert set(back.sizes) == {"32×32"}


def test_images_of_many_sizes_are_joined_as_they_are(tmp_path, made):
    root = tmp_path / "mixed"
    for k in range(8):
        write(root / ("cat" if k < 5 else "dog") / f"{k}.png", piece(k, side=20 + k))
    recipe = Recipe(name="more", extra=str(made))
    eq.upsample(str(root), tmp_path / "out", recipe=recipe)
    written = {p.name: cv2.imread(str(p)).shape for p in (tmp_path / "out" / "dog").iterdir()}
    assert written["generated-dog-3.png"] == (80, 80, 3)
    assert written["6.png"] == (26, 26, 3)
    one = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert one["after"]["train"] == {"cat": 5, "dog": 8}


def test_half_strength_halves_what_they_weigh_in_the_loss(photos, made):
    data, trainer = load(str(photos)), Trainer(name="quick", epochs=1, batch_size=8)
    recipe = Recipe(name="half", extra=str(made), extra_weight=0.5, strategy="auto")
    config = Config(recipe, trainer, 0, "steps", aim(data, "balanced_accuracy"))
    job = prepare(with_extra(data, Recipe(name="more", extra=str(made))), config)
    generated = job.feed.presented.roster.source >= 16
    assert generated.sum() > 5  # copies of them, too
    assert (job.feed.counts == np.where(generated, 0.5, 1)).all()
    whole, half = (
        fit(data, Recipe(name="a", extra=str(made), extra_weight=weight), trainer, seed=0)
        for weight in (1.0, 0.5)
    )
    assert whole.history["training_loss_per_batch"] != half.history["training_loss_per_batch"]
    assert whole.metrics["steps"] == half.metrics["steps"]


@pytest.mark.parametrize("recipe", [{"extra_weight": 0.5}, {"mixing": "mixup", "extra": "MADE"}])
def test_a_weight_needs_images_that_it_is_for(photos, made, recipe):
    recipe = {**recipe, "extra_weight": 0.5}
    if "extra" in recipe:
        recipe["extra"] = str(made)
    with pytest.raises(InputError, match="extra_weight < 1"):
        fit(load(str(photos)), Recipe(name="a", **recipe), Trainer(name="q", epochs=1), seed=0)


def test_a_study_tells_what_it_left_out_of_an_extra_folder_and_keeps_it(photos, made, tmp_path):
    extra, recipe = tmp_path / "extra", tmp_path / "more.yaml"
    shutil.copytree(made, extra)
    (extra / "dog" / "torn.jpg").write_bytes((extra / "dog" / "0.jpg").read_bytes()[:200])
    recipe.write_text("extra: extra\n")
    out = tmp_path / "study"
    with pytest.warns(Remark, match="torn.jpg"):
        eq.compare(
            str(photos), ["none", recipe], seeds=1, trainer="fast", epochs=1, out=out, jobs=1
        )

    (line,) = read_json(out / "study.json")["data"]["audit"]["left_out"]
    assert [name.split(":")[0] for name in line["names"]] == ["dog/torn.jpg"]
    assert line["reason"].endswith(f" in {extra}")
