"""Any whole number is a seed: negative, beyond 64 bits, NumPy's own; what is none is refused."""

import csv
import io
import json

import numpy as np
import pytest

import equipoise as eq
from equipoise.cli import run
from equipoise.errors import InputError, whole_seed
from equipoise.readers.splitting import folds_of

SEEDS = [-1, -(2**70) - 5, 2**63, 2**64 + 3, np.int64(-2)]
BRIEF = ("--epochs", "1", "--jobs", "1", "--quiet")


@pytest.fixture(scope="module")
def digits():
    return eq.load("digits", take={"1": 20})


def test_what_is_a_seed():
    assert [whole_seed(seed) for seed in (*SEEDS, np.uint8(4), np.array(5))] == [*SEEDS, 4, 5]
    for seed in (1.0, "1", None, True, np.array([1, 2])):
        with pytest.raises(InputError, match="A seed is a whole number, but got seed="):
            whole_seed(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_reading_and_augmenting(seed, patches):
    source = (patches(60, 8, 8), np.repeat([0, 1], [40, 20]))
    first, second, other = (eq.load(source, seed=number).train.ids for number in (seed, seed, 0))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    images, labels = patches(12, 8, 8), np.repeat([0, 1], [9, 3])
    noisy = eq.augment(images, "noise", seed=seed, ids=range(12))
    assert not np.array_equal(noisy, eq.augment(images, "noise", seed=0, ids=range(12)))
    assert len(list(eq.batches(images, labels, "balanced", seed=seed))) == 1
    assert len(eq.Augmented(list(zip(images, labels, strict=True)), seed=seed)) == 18


def test_what_is_no_seed_is_refused_before_any_work(digits, tmp_path, patches):
    images, labels = patches(12, 8, 8), np.repeat([0, 1], [9, 3])
    for call in (
        lambda seed: eq.load("digits", seed=seed),
        lambda seed: eq.train(digits, "none", seed=seed, out=tmp_path / "out"),
        lambda seed: eq.compare(digits, ["none"], seed=seed, out=tmp_path / "out"),
        lambda seed: eq.search(digits, trials=2, seed=seed, out=tmp_path / "out"),
        lambda seed: eq.upsample(digits, tmp_path / "out", seed=seed),
        lambda seed: eq.augment(images, "noise", seed=seed, ids=range(12)),
        lambda seed: eq.batches(images, labels, seed=seed),
        lambda seed: eq.Augmented(list(zip(images, labels, strict=True)), seed=seed),
    ):
        for seed in (0.5, "three", True):
            with pytest.raises(InputError, match="seed"):
                call(seed)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("recipe", ["cmo", "balanced"])
def test_training(digits, recipe):
    runs = [eq.train(digits, recipe, epochs=1, seed=seed) for seed in (-3, -3, 0)]
    assert runs[0].history == runs[1].history != runs[2].history


def test_every_command(tmp_path, capsys):
    for command in (
        ["audit", "digits"],
        ["upsample", "digits", "--strategy", "0=150", "--out", tmp_path / "more"],
        ["train", "digits", "--recipe", "none", "--epochs", "1", "--out", tmp_path / "model"],
        [
            *("compare", "digits", "--recipes", "none,weights", "--seeds", "3", *BRIEF),
            *("--out", tmp_path / "study"),
        ],
        [
            *("search", "digits", "--trials", "2", "--recipes", "weights", *BRIEF),
            *("--out", tmp_path / "search"),
        ],
    ):
        assert run([*map(str, command), "--seed", "-2", "--quiet"]) == 0, capsys.readouterr().err
    rows = list(csv.DictReader(io.StringIO((tmp_path / "study" / "results.csv").read_text())))
    assert {row["seed"] for row in rows} == {"-2", "-1", "0"}
    assert run(["report", str(tmp_path / "study"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["table"]
    again = ("--from-manifest", str(tmp_path / "more" / "manifest.parquet"), "--quiet")
    assert run(["upsample", "digits", "--out", str(tmp_path / "again"), *again]) == 0
    copies = sorted(path.name for path in (tmp_path / "more" / "train" / "0").iterdir())
    for name in copies:
        made = [(tmp_path / out / "train" / "0" / name).read_bytes() for out in ("more", "again")]
        assert made[0] == made[1]


def test_folds():
    labels, unit = np.repeat([0, 1], [30, 20]), np.arange(50)
    for seed in SEEDS:
        number = folds_of(
            labels, unit, 5, seed=whole_seed(seed), classes=("cat", "dog"), grouped=False
        )
        assert np.bincount(number).tolist() == [10] * 5
