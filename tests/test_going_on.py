"""A folder is gone on with only where the same is asked for: no argument decides in silence.

Every argument of what writes a folder either is refused where it has changed, or stands in the
table of those that cannot matter, with the reason. A new argument has to be put in one of the two.
"""

import inspect
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise import techniques
from equipoise.recipes import NAMED, Recipe
from equipoise.studies.search import search
from equipoise.training import Trainer
from equipoise.writers import upsample

QUICK = Trainer(name="quick", epochs=1, batch_size=64)

CANNOT_MATTER = {
    "out": "it is the folder",
    "progress": "it is told and decides nothing",
    "announce": "likewise",
    "command": "it is shown and decides nothing",
    "jobs": "each run is a function of its data and its seed, whatever runs beside it",
    "backend": "likewise",
    "device": "the computation is the same up to rounding, as between two kinds of CPU",
    "tensorboard": "it writes the same figures once more, beside the run",
    "started": "when the clock of a budget began decides which runs are made, and none is another",
    "dry_run": "with it nothing is written",
    "link": "linked or copied, the originals are the same bytes",
    "prior": "calibration is judged anew in every call, from the runs",
    "seeds": "a run is that of its own seed; more of them extend a study",
    "draws": "a run is that of its own draw; more of them extend a study",
    "oracle": "it is a recipe more",
    ("compare", "recipes"): "more extend a study, and one that has changed is refused by its name",
    ("compare", "most_seeds"): "the looks that a study has planned and spent are kept with it",
    ("compare", "budget"): "it ends a study between two looks, and decides nothing of them",
    ("compare", "seed"): "a run is that of its own seed, and splits that it cuts are the data",
}

# Other values than those of the folder.
CHANGED = {
    eq.train: {
        "data": "fewer images",
        "recipe": "weights",
        "trainer": QUICK.model_copy(update={"learning_rate": 0.01}),
        "epochs": 2,
        "net": "resnet32",
        "seed": 1,
        "equal": "epochs",
        "objective": "accuracy",
    },
    eq.compare: {
        "data": "fewer images",
        "folds": 2,
        "trainer": QUICK.model_copy(update={"net": "resnet32"}),
        "epochs": 2,
        "equal": "epochs",
        "objective": "g_mean",
        "decision": "plain",
        "margin": 2.0,
    },
    eq.evaluate: {
        "table": "other logits",
        "baseline": "weights",
        "classes": ["three", "eight"],
        "objective": "g_mean",
        "decision": "plain",
        "margin": 2.0,
        "seed": 1,
    },
    search: {
        "data": "fewer images",
        "budget": "1h",
        "trials": 3,
        "recipes": ["none", "article"],
        "trainer": QUICK.model_copy(update={"batch_size": 32}),
        "epochs": 2,
        "trainer_fields": True,
        "space": (),
        "equal": "epochs",
        "objective": "macro_f1",
        "seed": 1,
    },
    upsample: {
        "data": "fewer images",
        "recipe": "duplicate",
        "strategy": 0.5,
        "techniques": ["flip"],
        "scope": "all",
        "format": "parquet",
        "copies": "jpeg",
        "quality": 50,
        "seed": 1,
        "from_manifest": "half of it",
    },
}


@pytest.fixture(scope="module")
def data():
    return replace(eq.load("digits", classes=["3", "8"]), given=())


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """A folder of each function, and the call that made it."""
    root = tmp_path_factory.mktemp("made")
    _add(root / "extra", range(3))
    more = Recipe(name="more", extra=str(root / "extra"))
    calls = {
        eq.train: {"recipe": "none", "trainer": QUICK},
        eq.compare: {"recipes": ["none"], "trainer": QUICK, "seeds": 1, "jobs": 1},
        search: {"trials": 2, "recipes": ["none", more], "trainer": QUICK, "jobs": 1},
        upsample: {"copies": "webp"},
        eq.evaluate: {},
    }
    for function, given in calls.items():
        given["out"] = root / function.__name__
        function(_predicted() if function is eq.evaluate else data, **given)
    return calls


def _predicted():
    """What two nets made of forty images, half of them to tune on."""
    rng, labels = np.random.default_rng(0), np.arange(40) % 2
    return pd.concat(
        pd.DataFrame(
            {
                "recipe": recipe,
                "seed": 0,
                "split": np.repeat(["validation", "test"], 20),
                "id": np.arange(40),
                "label": labels,
                "logit_0": rng.normal(0, 1, 40),
                "logit_1": rng.normal(labels, 1, 40),
            }
        )
        for recipe in ("none", "weights")
    )


@pytest.mark.parametrize("function", CHANGED, ids=lambda function: function.__name__)
def test_every_argument_is_compared_or_cannot_matter(function):
    name = function.__name__
    free = {of[1] if isinstance(of, tuple) else of for of in CANNOT_MATTER
            if not isinstance(of, tuple) or of[0] == name}  # fmt: skip
    compared = CHANGED[function].keys()
    assert not free & compared
    assert inspect.signature(function).parameters.keys() <= free | compared
    assert compared <= inspect.signature(function).parameters.keys()


@pytest.mark.parametrize(
    ("function", "argument"),
    [(function, argument) for function, changed in CHANGED.items() for argument in changed],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_a_changed_argument_is_refused_in_a_line_that_says_what(data, made, function, argument):
    given, value = dict(made[function]), CHANGED[function][argument]
    source = _predicted() if function is eq.evaluate else data
    if argument == "table":
        source["logit_0"] *= 2
    elif argument == "data":
        source = replace(data, train=data.train.select(np.arange(len(data.train)) > 0))
    elif argument == "from_manifest":
        given[argument] = _halved(made[upsample]["out"] / "manifest.parquet")
    else:
        given[argument] = value
    with pytest.raises(eq.InputError, match=r"was made (with another|from other data)") as refused:
        function(source, **given)
    assert "\n" not in str(refused.value)
    assert ("its images or labels have changed" if argument == "data" else "now") in str(
        refused.value
    )


def test_other_data_are_refused_by_the_options_they_were_read_with(tmp_path):
    given = {"recipe": "none", "trainer": QUICK, "out": tmp_path / "out"}
    eq.train(eq.load("digits"), **given)
    other = eq.load("digits", take={"3": 60}, seed=1)
    words = r"from other data \(seed: '0', now '1'; take: the default, now .*60"
    with pytest.raises(eq.InputError, match=words):
        eq.train(other, **given)


def _halved(manifest):
    import pyarrow.parquet as pq

    table = pq.read_table(manifest)
    path = manifest.parent.parent / "half.parquet"
    pq.write_table(table.slice(0, len(table) // 2), path)
    return path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trainer": QUICK, "epochs": 3}, r"another trainer \(epochs: 1, now 3\)"),
        ({"trainer": QUICK, "objective": "accuracy"}, "another objective .*'accuracy'"),
        ({"trainer": QUICK, "net": lambda *sizes: _net(sizes, "relu")}, "another net of your own"),
    ],
)
def test_the_line_names_the_field(data, made, change, words):
    with pytest.raises(eq.InputError, match=words):
        eq.train(data, **{**made[eq.train], **change})


def _net(sizes, activation):
    channels, classes, size = sizes

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(channels * size[0] * size[1], classes)

        def forward(self, x):
            return self.head(getattr(torch, activation)(x).flatten(1))

    return Own()


def test_nets_of_ones_own_are_told_apart_by_what_they_answer(data, tmp_path):
    """The layers and their names are the same: the two differ in `forward` alone."""
    given = {"trainer": QUICK, "recipe": "none", "out": tmp_path / "run"}
    first = eq.train(data, net=lambda *sizes: _net(sizes, "relu"), **given)
    again = eq.train(data, net=lambda *sizes: _net(sizes, "relu"), **given)
    assert again.history == first.history
    with pytest.raises(eq.InputError, match="another net of your own"):
        eq.train(data, net=lambda *sizes: _net(sizes, "tanh"), **given)


def test_techniques_of_ones_own_are_told_apart_by_what_they_do(data, tmp_path, monkeypatch):
    monkeypatch.setattr(techniques, "_REGISTERED", {})
    techniques.register("darker", lambda image, rng: image // 2)
    recipe = Recipe(name="mine", strategy="auto", techniques=["darker"])
    calls = {
        eq.train: {"recipe": recipe, "trainer": QUICK},
        eq.compare: {"recipes": ["none", recipe], "trainer": QUICK, "seeds": 1, "jobs": 1},
        upsample: {"recipe": recipe},
    }
    for function, given in calls.items():
        function(data, out=tmp_path / function.__name__, **given)
    techniques.register("darker", lambda image, rng: image // 4)
    for function, given in calls.items():
        with pytest.raises(eq.InputError, match="another technique of your own"):
            function(data, out=tmp_path / function.__name__, **given)


def test_what_a_technique_of_ones_own_does_by_chance_is_its_business(data, tmp_path):
    """It has nothing to be told by, and is gone on with."""

    def restless(image, rng):
        return np.random.default_rng().integers(0, 255, image.shape, np.uint8)

    given = {"techniques": [restless], "out": tmp_path / "out"}
    assert upsample(data, **given) == upsample(data, **given)


def _add(folder, numbers):
    (folder / "8").mkdir(parents=True, exist_ok=True)
    for number in numbers:
        picture = np.random.default_rng(number).integers(0, 255, (8, 8), np.uint8)
        cv2.imwrite(str(folder / "8" / f"{number}.png"), picture)


def test_a_folder_of_extra_images_that_has_changed_is_refused(data, tmp_path):
    _add(tmp_path / "extra", range(3))
    recipe = Recipe(name="more", extra=str(tmp_path / "extra"))
    other = Recipe(name="other", loss="weighted")
    calls = {
        eq.train: {"recipe": recipe, "trainer": QUICK},
        eq.compare: {"recipes": ["none", recipe], "trainer": QUICK, "seeds": 1, "jobs": 1},
        upsample: {"recipe": recipe},
    }
    for function, given in calls.items():
        function(data, out=tmp_path / function.__name__, **given)
    _add(tmp_path / "extra", range(3, 5))
    for function, given in calls.items():
        with pytest.raises(eq.InputError, match="another content of the extra folder"):
            function(data, out=tmp_path / function.__name__, **given)
    # Its runs would be gone on with also where it is not named: more seeds are for all recipes.
    extended = {**calls[eq.compare], "recipes": [NAMED["none"], other], "seeds": 2}
    with pytest.raises(eq.InputError, match="content of the extra folder of the recipe 'more'"):
        eq.compare(data, out=tmp_path / "compare", **extended)


def test_a_search_over_an_extra_folder_that_has_changed_is_refused(data, made):
    folder = made[search]["out"].parent / "extra"
    _add(folder, [3])
    with pytest.raises(eq.InputError, match=r"another content of the extra folder \(more: "):
        search(data, **made[search])
    (folder / "8" / "3.png").unlink()
    assert search(data, **made[search]).summary["finished"]


def test_another_pool_of_withheld_images_is_refused(tmp_path):
    data = eq.load("digits", classes=["3", "8"], take={"3": 60})
    given = {"recipes": ["none"], "trainer": QUICK, "jobs": 1, "out": tmp_path / "out"}
    eq.compare(data, seeds=1, **given)
    pool = data.withheld
    fewer = replace(data, withheld=pool.select(np.arange(len(pool)) > 0))
    for other in (fewer, replace(data, withheld=None)):
        with pytest.raises(eq.InputError, match="another pool of withheld images"):
            eq.compare(other, seeds=2, **given)


def test_other_groups_in_a_study_of_folds_are_refused(data, tmp_path):
    def grouped(size):
        parts = {
            name: replace(part, groups=(part.ids // size).astype(str))
            for name, part in data.parts.items()
        }
        return replace(data, given=(), **parts)

    given = {"recipes": ["none"], "trainer": QUICK, "seeds": 1, "jobs": 1, "folds": 2}
    eq.compare(grouped(2), out=tmp_path / "out", **given)
    with pytest.raises(eq.InputError, match=r"another groups|from other data"):
        eq.compare(grouped(3), out=tmp_path / "out", **given)


def test_a_file_of_weights_that_has_changed_is_refused(tmp_path):
    from equipoise.training.fingerprints import of_trainer

    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"one")
    trainer = Trainer(name="t", net="timm/resnet18", weights=str(weights))
    before = of_trainer(trainer)
    assert of_trainer(trainer) == before
    weights.write_bytes(b"two")
    assert of_trainer(trainer) != before


def test_a_study_is_asked_with_the_seed_that_it_was_begun_with(data, made):
    study = eq.compare(data, **{**made[eq.compare], "seed": 5})
    assert study.summary.seed == 0
    assert study.summary.seeds == (0, 5)
