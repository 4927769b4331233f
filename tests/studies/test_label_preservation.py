"""Real digits: a mirrored or turned one is no digit any more, or another; a mild crop leaves it."""

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_digits

from equipoise.errors import InputError
from equipoise.files import write_json
from equipoise.readers import load
from equipoise.recipes import Recipe
from equipoise.studies import held_out, label_safety, safety_words
from equipoise.studies.label_preservation import Loss, label_preservation_of_runs, safety_warnings
from equipoise.studies.shortcut import probe
from equipoise.techniques import resolve
from equipoise.training import Trainer, fit, write_run


def upside_down(image, generator):
    return np.ascontiguousarray(image[::-1, ::-1])


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    some = np.isin(data.target, [0, 2, 5, 6, 8, 9])
    small = (data.images[some] / 16 * 255).astype(np.uint8)
    images = np.stack([cv2.resize(one, (12, 12)) for one in small])[..., None]
    labels = np.array([str(label) for label in data.target[some]])
    return load((images, labels), validation_fraction=0.4)


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    run = fit(digits, Recipe(name="none"), Trainer(name="quick", epochs=4, batch_size=32), seed=0)
    folder = tmp_path_factory.mktemp("run")
    write_run(folder, run)
    return folder, run.model


TECHNIQUES = ("flip", upside_down, {"crop": {"scale": 0.95}})


@pytest.fixture(scope="module")
def safety(digits, run):
    return label_safety(run[1], digits, TECHNIQUES)


def test_a_mirrored_digit_and_one_turned_upside_down_are_named(safety):
    mirrored = {name for name, entry in safety["flip"].items() if entry.unsafe}
    assert {"2", "5", "6"} <= mirrored
    # An eight mirrored is an eight.
    assert not {"0", "8"} & mirrored
    turned = safety["upside_down"]
    for digit, other in (("6", "9"), ("9", "6")):
        assert turned[digit].unsafe
        assert turned[digit].toward == other
    assert not turned["0"].unsafe


def test_a_mild_crop_is_not(safety):
    assert not any(entry.unsafe for entry in safety["crop"].values())
    assert max(entry.lost for entry in safety["crop"].values()) < 0.25


def test_the_words_name_technique_and_class_and_say_what_to_do(safety):
    words = safety_words(safety)
    assert len(words) == 2
    assert words[0].startswith("Look at what flip does before using it")
    assert "class 5" in words[0]
    assert "leave the technique out" in words[0]
    assert safety_warnings(safety) == words


def test_what_spares_hardly_a_class_is_hard_and_no_warning():
    entry = Loss(images=50, lost=0.9, toward="a", toward_share=0.4, unsafe=True)
    noise = {"noise": {"a": entry, "b": entry, "c": entry}}
    assert "Hardly a class is spared" in safety_words(noise)[0]
    assert "let all classes see them" in safety_words(noise)[0]
    assert safety_warnings(noise) == []


def test_the_shares_are_of_images_recognised_when_clean(safety, digits, run):
    model, images = run[1], digits.validation
    known = model.predict(images.array, "plain") == images.labels
    mine = images.labels == images.classes.index("5")
    mirrored = model.predict(images.array[:, :, ::-1], "plain")
    entry = safety["flip"]["5"]
    assert entry.images == (known & mine).sum()
    wrong = mirrored[known & mine] != images.classes.index("5")
    assert entry.lost == pytest.approx(wrong.mean())
    assert entry.low < entry.lost < entry.high or entry.lost in (0, 1)


def test_a_study_reads_the_same_from_its_probes(safety, digits, run):
    folder, _ = run
    techniques = [resolve(technique) for technique in TECHNIQUES]
    probe(folder, digits.validation, techniques, 0)
    assert label_preservation_of_runs([folder], digits.classes) == safety
    # More runs of the same images do not make one surer than the images allow.
    twice = label_preservation_of_runs([folder, folder], digits.classes)
    assert twice["flip"]["5"] == safety["flip"]["5"]


def test_a_run_knows_the_images_it_was_validated_on(digits, run, tmp_path):
    found = held_out(digits, run[0])
    np.testing.assert_array_equal(found.ids, digits.validation.ids)
    with pytest.raises(InputError, match="no folder of a run"):
        held_out(digits, tmp_path)


def test_a_class_that_is_never_recognised_has_no_share():
    nothing = label_preservation_of_runs([], ["a", "b"])
    assert nothing == {}


def test_the_more_is_looked_at_the_surer_each_must_be(tmp_path):
    """Of thirty images eleven are lost: that alone would be named, among forty it may be chance."""
    one = {"recognised": {"t0": [[17, 13], [0, 30]]}}
    many = {"recognised": {f"t{k}": [[17, 13], [0, 30]] if not k else [[30, 0], [0, 30]]
                           for k in range(40)}}  # fmt: skip
    found = []
    for number, asked in enumerate((one, many)):
        write_json(tmp_path / str(number) / "shortcut.json", {"clean": [], **asked})
        found.append(label_preservation_of_runs([tmp_path / str(number)], ["a", "b"])["t0"]["a"])
    assert found[0].low > 0.25
    assert found[0].unsafe
    assert not found[1].unsafe
    assert found[1].p > found[0].p
