"""`generate`: what it makes, from what, and that it goes on where it was."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

import equipoise as eq
from equipoise.backbones import ActivationCache
from equipoise.errors import InputError
from equipoise.extras import extra_images, with_extra
from equipoise.generating import METHODS, Generated, Maker, Origin, generate
from equipoise.recipes import Recipe, get_recipe

QUICK = {"deepsmote": {"steps": 20, "latent": 16}}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return ActivationCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def data(shots):
    return eq.load(shots)


def nearby(train, *, good=True):
    """A method for tests: real images, a little brighter and turned; or noise."""

    def learn(place):
        def origin(label, number):
            rows = np.flatnonzero(train.labels == label)
            return Origin(int(rows[number % len(rows)]), {"turned": number})

        def make(label, number):
            rng = np.random.default_rng([label, number])
            if not good or number % 3 == 2:
                return rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            image = train.images[origin(label, number).source]
            turn = cv2.getRotationMatrix2D((8, 8), 25, 1.3)
            return cv2.warpAffine(image, turn, (16, 16), borderMode=cv2.BORDER_REFLECT)

        return Maker(origin, make, "a model", ("A remark",))

    return learn


@pytest.fixture
def own_method(monkeypatch):
    monkeypatch.setitem(METHODS, "nearby", nearby)


@pytest.fixture(scope="module")
def made(data, cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    METHODS["nearby"] = nearby
    try:
        yield generate(data, out, method="nearby", sampling_strategy={"flower": 30}, cache=cache)
    finally:
        del METHODS["nearby"]


def images_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def test_what_passed_is_a_folder_that_extra_takes(made, data):
    assert isinstance(made, Generated)
    assert made.wanted == {"flower": 5}
    counts = made.counts["flower"]
    assert made.kept == counts["kept"] == len(list((made_at(made) / "flower").glob("*.png")))
    assert 0 < made.kept <= 5
    assert counts["images"] == sum(counts[key] for key in ("copy", "probe", "distance", "kept"))
    assert counts["images"] > made.kept  # every third is noise
    recipe = get_recipe(made_at(made) / "generated.yaml")
    joined = with_extra(data, recipe)
    assert joined.train.counts.tolist() == [25 + made.kept, 30]
    assert joined.left_out == data.left_out  # nothing beside the images is in the way
    assert made.notes[0] == "A remark"


def made_at(made):
    from pathlib import Path

    return Path(made.out)


def test_the_manifest_says_whence_how_and_what_the_sieve_said(made, data):
    manifest = pd.read_parquet(made_at(made) / "manifest.parquet")
    assert len(manifest) == made.counts["flower"]["images"]
    assert set(manifest["split"]) == {"train"}
    assert set(manifest.technique) == {"nearby"}
    assert set(manifest.model) == {"a model"}
    assert manifest.generated.all()
    assert manifest.verdict.isin(["kept", "copy", "probe", "distance"]).all()
    assert (manifest.reason == "").equals(manifest.verdict == "kept")
    assert all((made_at(made) / path).is_file() for path in manifest.path)
    assert manifest.source_id.isin(data.train.ids.tolist()).all()
    assert json.loads(manifest.parameters[1]) == {"good": True, "turned": 1}
    # An image bears the same id in the manifest and where it joins training.
    joined = extra_images(data, Recipe(name="a", extra=made.out))
    kept = manifest[manifest.verdict == "kept"]
    assert set(joined.ids.tolist()) == set(kept.id)


def test_sifted_brings_back_both_sides(made):
    found = made.sifted()
    assert found.counts() == made.counts
    assert found.images.images[0].shape == (16, 16, 3)


def test_validation_and_test_reach_no_model(data, cache, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setitem(METHODS, "spy", lambda train: seen.append(train) or nearby(train))
    generate(data, tmp_path / "out", method="spy", sampling_strategy={"flower": 26}, cache=cache)
    assert seen[0].ids.tolist() == data.train.ids.tolist()


def test_images_made_of_what_is_tested_are_refused(made, data):
    """Another cut of the same data, in which a source of the generated images is tested."""
    manifest = pd.read_parquet(made_at(made) / "manifest.parquet")
    source = manifest[manifest.verdict == "kept"].source_id.iloc[0]
    moved = np.flatnonzero(data.train.ids == source)
    left = np.setdiff1d(np.arange(len(data.train)), moved)
    other = replace(data, train=data.train.select(left), test=data.train.select(moved))
    with pytest.raises(InputError, match="of the test split"):
        with_extra(other, Recipe(name="a", extra=made.out))


def test_too_few_that_pass_are_told(data, cache, tmp_path, own_method):
    found = generate(
        data, tmp_path / "out", method={"nearby": {"good": False}},
        sampling_strategy={"flower": 29}, cache=cache,
    )  # fmt: skip
    assert found.kept == 0
    assert found.counts["flower"]["images"] == 12  # three times as many as were wanted
    assert found.notes[-1] == "flower: 0 of 4 images passed the sieve, of 12 made"


def test_an_interrupted_run_goes_on_and_ends_the_same(data, cache, tmp_path, own_method):
    given = {"method": "nearby", "sampling_strategy": {"flower": 31}, "cache": cache}
    whole = generate(data, tmp_path / "whole", **given)

    class StopError(Exception):
        pass

    def stop(done, total, what):
        if (what, done) == ("making images", 3):
            raise StopError

    with pytest.raises(StopError):
        generate(data, tmp_path / "out", **given, progress=stop)
    assert len(images_of(tmp_path / "out")) == 3
    again = generate(data, tmp_path / "out", **given)
    assert again == replace(whole, out=str(tmp_path / "out"))
    assert images_of(tmp_path / "out") == images_of(tmp_path / "whole")
    manifests = [pd.read_parquet(tmp_path / out / "manifest.parquet") for out in ("whole", "out")]
    assert manifests[0].equals(manifests[1])
    # Finished, it is read; with an image gone, that is made again.
    assert generate(data, tmp_path / "out", **given) == again
    kept = sorted((tmp_path / "out" / "flower").glob("*.png"))[0]
    before = kept.read_bytes()
    kept.unlink()
    assert generate(data, tmp_path / "out", **given) == again
    assert kept.read_bytes() == before
    with pytest.raises(InputError, match="another seed"):
        generate(data, tmp_path / "out", **given, seed=1)


def test_an_unfinished_folder_is_no_extra_folder(data, cache, tmp_path, made):
    folder = shutil.copytree(made.out, tmp_path / "copy")
    (folder / "manifest.parquet").unlink()
    with pytest.raises(InputError, match="unfinished"):
        with_extra(data, Recipe(name="a", extra=str(folder)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"method": "deepsmot"}, "Did you mean 'deepsmote'"),
        ({"method": {"deepsmote": {"stps": 3}}}, "Did you mean 'steps'"),
        ({"method": {"deepsmote": {"steps": 0}}}, "1 <= steps"),
        ({"method": {"deepsmote": {"neighbours": 2.5}}}, "a whole number"),
        ({"method": {"a": {}, "b": {}}}, "one name"),
        ({"sampling_strategy": {"flwer": 40}}, "flwer"),
        ({"sampling_strategy": {"flower": 3}}, "flower"),
        ({"sampling_strategy": {"flower": 25}}, "asks for no image"),
        ({"device": "tpu"}, "device"),
        ({"seed": 1.5}, "whole number"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(data, tmp_path, given, words):
    with pytest.raises(InputError, match=words) as caught:
        generate(data, tmp_path / "out", **given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_output_inside_the_data_is_refused(shots, data):
    with pytest.raises(InputError, match="lies inside the data set"):
        generate(data, shots / "out", method=QUICK)
