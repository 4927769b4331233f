"""Facts of files, the test of shortcuts on them, and what intervals to expect."""

import io

import numpy as np
import pytest
from PIL import Image

import equipoise as eq
from equipoise.deep.facts import NUMBERS, Facts, _of_file
from equipoise.deep.forecast import wilson
from equipoise.deep.shortcuts import find_shortcuts


def coded(kind, **how):
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, kind, **how)
    return file.getvalue()


@pytest.mark.parametrize("quality", [25, 40, 50, 75, 95])
def test_the_quality_of_a_jpeg_is_known(quality):
    numbers, words = _of_file(coded("jpeg", quality=quality))
    assert abs(numbers["JPEG quality"] - quality) <= 1
    assert words["file format"] == "JPEG"


def test_camera_and_time_are_read_from_exif():
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "EOS 5D"
    exif[0x0132] = "2024:03:05 18:30:00"
    numbers, words = _of_file(coded("jpeg", exif=exif))
    assert words["camera"] == "Canon EOS 5D"
    assert numbers["time of day taken"] == 18.5


@pytest.mark.parametrize("time", ["yesterday", "0000:00:00 00:00:00", "\0"])
def test_strange_times_and_files_say_nothing(time):
    exif = Image.Exif()
    exif[0x0132] = time
    numbers, _ = _of_file(coded("jpeg", exif=exif))
    assert "day taken" not in numbers
    assert _of_file(b"no picture") == ({}, {})


def facts_of(numbers, cameras):
    count = len(cameras)
    missing = np.full(count, np.nan)
    no = np.zeros(count, bool)
    words = {"camera": np.array(cameras)}
    return Facts({n: numbers.get(n, missing) for n in NUMBERS}, words, missing, no, no)


def test_a_camera_of_each_class_is_a_shortcut_and_noise_is_none():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    noise = {"brightness": rng.normal(size=120)}
    marked = facts_of(noise, ["A" if k else "B" for k in labels])
    told = find_shortcuts(marked, labels, np.arange(120), 0)
    assert told.telling
    assert told.facts[0].name == "camera"
    assert "camera (100% alone)" in told.sentence
    told = find_shortcuts(facts_of(noise, ["A"] * 120), labels, np.arange(120), 0)
    assert not told.telling
    assert "do not tell" in told.sentence


def test_what_tells_groups_apart_is_no_shortcut_where_groups_are_few():
    """Ten patients, each with a camera: any label of theirs could be learned picture by picture."""
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(12), 20)
    labels = np.repeat(np.arange(12) % 2, 20)
    light = {"brightness": rng.normal(size=12)[unit] + rng.normal(0, 0.01, 240)}
    told = find_shortcuts(facts_of(light, [""] * 240), labels, unit, 0)
    assert told.p > 0.05


def test_no_facts_that_vary_are_no_shortcut():
    labels = np.repeat([0, 1], 20)
    assert find_shortcuts(facts_of({}, ["A"] * 40), labels, np.arange(40), 0) is None


def test_wilsons_interval():
    low, high = wilson(0.5, 10)
    assert (round(low, 4), round(high, 4)) == (0.2366, 0.7634)
    assert wilson(0.9, 0) == (0.0, 1.0)


def test_a_test_split_that_is_to_be_cut_is_a_fifth(photos, monkeypatch, tmp_path):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path))
    seen = eq.audit_deep(eq.load(photos, cut=False))
    assert seen.forecast.cut
    assert [one.test for one in seen.forecast.classes] == [8, 4]
    assert 0 < seen.forecast.half_width < 0.5
