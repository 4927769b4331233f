import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.objectives import Objective
from equipoise.parallel import one_thread
from equipoise.recipes import NAMED, Recipe, get_recipe
from equipoise.training import Trainer, budget, fit, load_model
from equipoise.training.calibrating import temperature
from equipoise.training.jobs import Config, aim, prepare
from equipoise.training.tuning import adjust, tune

SHORT = Trainer(name="short", epochs=2, batch_size=16)

LOGS = {
    "training_loss_per_batch",
    "validation_loss_per_batch",
    "training_accuracy_per_epoch",
    "training_recall_per_epoch",
    "training_precision_per_epoch",
    "validation_accuracy_per_epoch",
    "validation_recall_per_epoch",
    "validation_precision_per_epoch",
}


ELSEWHERE = """
import pickle, sys, torch
from pathlib import Path
import equipoise as eq

folder = Path(sys.argv[1])
torch.set_num_threads(2)
data, trainer = pickle.loads((folder / "data.pkl").read_bytes())
eq.train(data, "balanced", trainer=trainer, seed=5, out=folder / "again")
"""


def run(digits, recipe="none", trainer=SHORT, **options):
    return fit(digits, get_recipe(recipe), trainer, **{"seed": 0, **options})


# Enough for all that the two budgets can change.
BY_EPOCHS = ("none", "duplicate", "article", "balanced", "undersample", "progressive", "drs", "cmo")


@pytest.mark.parametrize(
    ("recipe", "equal"), [(r, "steps") for r in NAMED] + [(r, "epochs") for r in BY_EPOCHS]
)
def test_every_recipe_runs_within_its_budget(digits, recipe, equal):
    done = run(digits, recipe, equal=equal)
    presented = 120 if done.recipe.strategy else 30 if done.recipe.undersample else 75
    steps = budget(digits.train.labels, SHORT, equal=equal, presented=presented).steps
    assert done.metrics["steps"] == steps == len(done.history["training_loss_per_batch"])
    assert [row["step"] for row in done.rows] == [steps // 2, steps]
    assert done.history.keys() == LOGS
    assert len(done.history["validation_loss_per_batch"]) == 2 * 7
    assert all(len(done.history[log]) == 2 for log in LOGS if log.endswith("per_epoch"))
    assert done.metrics["positive_class"] == "8"
    passes = 2.0 if equal == "epochs" else steps * 16 / presented
    assert done.metrics["passes"] == pytest.approx(passes)
    seen = done.metrics["seen"]
    assert seen["sources"]["8"] == 15
    assert seen["images"]["8"] == {"none": 15, "weights": 15, "duplicate": 15}.get(
        recipe, seen["images"]["8"]
    )
    if recipe.startswith("article"):
        assert 45 < seen["images"]["8"] <= 60


def test_weights_deferred_change_nothing_before_their_time(digits):
    """Deferred re-weighting and re-sampling are the plain run up to four fifths of the budget."""
    trainer = Trainer(name="t", epochs=5, batch_size=16)
    plain, drw, drs = (run(digits, r, trainer) for r in ("none", "drw", "drs"))
    losses = [np.array(r.history["training_loss_per_batch"]) for r in (plain, drw, drs)]
    first = 4 * len(losses[0]) // 5
    for late in losses[1:]:
        np.testing.assert_array_equal(late[:first], losses[0][:first])
        assert late[first] != losses[0][first]


def test_mixing_ends_where_it_is_to(digits):
    """Before the end images are mixed, after it each is one of those given."""
    trainer = Trainer(name="t", epochs=4, batch_size=16)
    recipe = Recipe(name="r", mixing={"mixup": {"until": 0.5}})
    goal = aim(digits, "balanced_accuracy")
    job = prepare(digits, Config(recipe, trainer, 0, "steps", goal))
    given = {image.tobytes() for image in digits.train.array}
    for step in range(job.feed.budget.steps):
        batch = job.feed.batch(step)
        whole = np.mean([image.tobytes() in given for image in batch.images])
        if step < job.feed.budget.steps / 2:
            assert batch.share is not None
            assert whole < 0.5
        else:
            assert batch.share is None
            assert whole == 1


def test_losses_count_what_over_and_undersampling_leave(digits):
    trainer = Trainer(name="t", epochs=1, batch_size=16)
    alike = [
        run(digits, Recipe(name="r", loss=loss, undersample="auto"), trainer).history
        for loss in ("cross_entropy", "weighted", "effective_number")
    ]
    assert alike[0] == alike[1] == alike[2]


def test_every_decision_is_measured_and_calibration_too(digits):
    done = run(digits)
    counts, part = digits.train.counts, done.predictions["validation"]
    assert done.model.adjusted == adjust(part.logits, part.labels, counts)
    assert done.metrics["adjusted"] == done.model.adjusted.to_dict()
    assert done.metrics["temperature"] == temperature(part.logits, part.labels)
    validation, test = done.metrics["validation"], done.metrics["test"]
    assert done.model.decision == tune(part.logits, part.labels)
    for name in ("plain", "adjusted"):
        assert test[name]["roc_auc"] == test["tuned"]["roc_auc"]
    assert validation["calibrated"].keys() == {"ece", "brier", "log_loss"}
    assert validation["calibrated"]["log_loss"] <= validation["plain"]["log_loss"]


def test_rows_agree_with_the_history_and_the_figures(digits):
    done = run(digits)
    losses = np.array(done.history["training_loss_per_batch"])
    validation = np.array(done.history["validation_loss_per_batch"])
    for number, row in enumerate(done.rows):
        assert row["epoch"] == number + 1
        assert row["training_loss"] == pytest.approx(losses.reshape(2, -1)[number].mean())
        assert row["validation_loss"] == pytest.approx(validation.reshape(2, -1)[number].mean())
        for split in ("training", "validation"):
            for figure in ("accuracy", "recall", "precision"):
                log = done.history[f"{split}_{figure}_per_epoch"]
                assert log[number] == row[f"{split}_{figure}"]
    # No step follows the last evaluation.
    last, final = done.rows[-1], done.metrics["validation"]["plain"]
    assert final["balanced_accuracy"] == last["validation_balanced_accuracy"]


def test_the_loop_learns_64_images_by_heart(make_digits):
    data = make_digits({3: 32, 8: 32}, held_out=20)
    trainer = Trainer(name="long", epochs=30, batch_size=16)
    done = run(data, trainer=trainer)
    assert done.rows[-1]["training_accuracy"] == 1.0
    assert done.metrics["test"]["plain"]["accuracy"] > 0.8


def test_the_loop_scores_chance_on_permuted_labels(make_digits):
    data = make_digits({3: 70, 8: 70}, held_out=55)
    scores = []
    for seed in range(3):
        labels = np.random.default_rng(seed).permutation(data.train.labels)
        permuted = replace(data, train=replace(data.train, labels=labels))
        done = run(permuted, trainer=Trainer(name="t", epochs=3, batch_size=16), seed=seed)
        scores.append(done.metrics["test"]["plain"]["balanced_accuracy"])
    # 330 predictions: four standard deviations of chance, and some for their being correlated.
    assert abs(np.mean(scores) - 0.5) < 0.15


def test_more_than_two_classes(make_digits):
    data = make_digits({0: 40, 1: 20, 2: 10}, held_out=30)
    done = run(data, "article", trainer=Trainer(name="t", epochs=4, batch_size=16))
    assert done.metrics["positive_class"] is None
    assert done.predictions["test"].logits.shape == (90, 3)
    assert done.metrics["test"]["plain"]["balanced_accuracy"] > 0.6


def test_training_mode_in_every_epoch_and_evaluation_without_a_trace(digits):
    modes, statistics = [], []

    def watched(channels, classes, size):
        class Watch(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.BatchNorm2d(channels)
                self.head = nn.Linear(channels, classes)

            def forward(self, x):
                modes.append(self.training)
                statistics.append(self.norm.num_batches_tracked.item())
                return self.head(self.norm(x).mean((2, 3)))

        return Watch()

    done = run(digits, net=watched)
    steps = done.metrics["steps"]
    assert sum(modes) == steps
    # Every training step moves the statistics by one batch, no evaluation does.
    training = [number for number, mode in zip(statistics, modes, strict=True) if mode]
    assert training == list(range(steps))
    assert not modes[-1]
    assert modes.index(False) == steps // 2
    assert modes[steps // 2 :].count(True) == steps // 2
    assert done.model.net_name == "custom"


def test_the_same_call_gives_the_same_numbers_in_another_process(digits, tmp_path):
    out = tmp_path / "run"
    eq.train(digits, "balanced", trainer=SHORT, seed=5, out=out)
    (tmp_path / "data.pkl").write_bytes(pickle.dumps((digits, SHORT)))
    subprocess.run([sys.executable, "-c", ELSEWHERE, tmp_path], check=True)
    first, again = (pq.read_table(p / "predictions.parquet") for p in (out, tmp_path / "again"))
    assert first.equals(again)
    histories = [(p / "history.json").read_text() for p in (out, tmp_path / "again")]
    assert histories[0] == histories[1]
    models = [(p / "model.pt").read_bytes() for p in (out, tmp_path / "again")]
    assert models[0] == models[1]
    other = fit(digits, get_recipe("balanced"), SHORT, seed=6)
    assert other.history != json.loads(histories[0])


def test_torchs_threads_and_generator_are_as_before(digits):
    threads = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    run(digits)
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads


def test_the_files_of_a_run(digits, tmp_path):
    out = tmp_path / "run"
    done = eq.train(digits, "article", trainer=SHORT, out=out)
    names = {p.name for p in out.iterdir() if not p.name.startswith(".")}
    assert names == {
        "batches.csv", "digests.json", "equipoise.json", "history.json", "metrics.json", "model.pt",
        "predictions.parquet", "recipe.yaml", "trainer.yaml",
    }  # fmt: skip
    assert json.loads((out / "history.json").read_text()) == done.history
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["recipe"], metrics["seed"], metrics["positive_class"]) == ("article", 0, "8")
    assert metrics["test"]["tuned"] == done.metrics["test"]["tuned"]
    lines = (out / "batches.csv").read_text().splitlines()
    assert lines[0] == "batch,training_loss_per_batch,validation_loss_per_batch"
    assert len(lines) == 1 + len(done.history["training_loss_per_batch"])
    table = pq.read_table(out / "predictions.parquet")
    assert table.column_names == ["split", "id", "name", "label", "logit_0", "logit_1"]
    test = table.to_pandas().query("split == 'test'")
    np.testing.assert_array_equal(test.id, digits.test.ids)
    np.testing.assert_array_equal(test[["logit_0", "logit_1"]], done.predictions["test"].logits)
    assert get_recipe(out / "recipe.yaml") == done.recipe
    assert eq.load_model(out).classes == ("3", "8")
    assert load_model(out / "model.pt").decision == done.model.decision


def test_an_objective_is_tuned_for_measured_and_kept(digits, tmp_path):
    out = tmp_path / "run"
    goal = {"figure": "8.recall", "at_least": {"8.precision": 0.7}}
    done = eq.train(digits, "none", trainer=SHORT, out=out, objective=goal)
    for row in done.rows:
        assert row["validation_8.recall"] == row["validation_recall"]
    for split in ("validation", "test"):
        for name in ("plain", "tuned", "adjusted"):
            found = done.metrics[split][name]
            assert found["8.recall"] == found["recall"]
            assert found["8.precision"] == found["precision"]
    model = load_model(out)
    assert model.decision == done.model.decision
    assert model.decision.objective.to_json() == goal
    assert done.metrics["decision"]["objective"] == goal
    predicted = model.predict(digits.test.array)
    confusion = np.array(done.metrics["test"]["tuned"]["confusion"])
    assert (predicted == 1).sum() == confusion[:, 1].sum()
    assert model.decision.objective.value(confusion) == done.metrics["test"]["tuned"]["8.recall"]
    with pytest.raises(eq.InputError, match="another objective"):
        eq.train(digits, "none", trainer=SHORT, out=out, objective="macro_f1")


def test_costs_of_many_classes_are_kept_with_the_model(make_digits, tmp_path):
    data = make_digits({3: 40, 8: 20, 9: 10}, held_out=30)
    goal = Objective("cost", costs={"9": {"3": 20.0}})
    done = eq.train(data, "none", trainer=SHORT, out=tmp_path, objective=goal)
    test = done.predictions["test"]
    spent = goal.on(data.classes).cost_matrix[test.labels, load_model(tmp_path).predict(
        data.test.array)]  # fmt: skip
    assert done.metrics["test"]["tuned"]["cost"] == pytest.approx(spent.mean())
    assert done.metrics["test"]["tuned"]["cost"] <= done.metrics["test"]["plain"]["cost"]


def test_few_validation_images_of_a_class_are_remarked_on(digits):
    labels = digits.validation.labels
    rows = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:2]])
    few = replace(digits, validation=digits.validation.select(rows))
    goal = {"figure": "8.recall", "at_least": {"8.precision": 0.7}}
    trainer = SHORT.model_copy(update={"keep": "best", "patience": 2, "epochs": 3})
    for objective in ("balanced_accuracy", goal):
        done = run(few, trainer=trainer, objective=objective)
        assert "(2 of '8')" in done.metrics["remarks"][0]
        assert done.model.decision.few == {"8": 2}
        assert np.isfinite(done.model.decision.offsets).all()


def test_a_finished_run_given_again_is_read(digits, tmp_path):
    done = eq.train(digits, "article", trainer=SHORT, out=tmp_path / "run")
    told = []
    again = eq.train(digits, "article", trainer=SHORT, out=tmp_path / "run", progress=told.append)
    assert not told
    for field in ("recipe", "trainer", "seed", "equal", "rows", "history", "metrics"):
        assert getattr(again, field) == getattr(done, field), field
    for split in ("validation", "test"):
        mine, theirs = done.predictions[split], again.predictions[split]
        for column in ("logits", "labels", "ids", "names"):
            np.testing.assert_array_equal(getattr(mine, column), getattr(theirs, column))
    np.testing.assert_array_equal(
        again.model.logits(digits.test.array), done.predictions["test"].logits
    )
    with pytest.raises(eq.InputError, match="made with another seed"):
        eq.train(digits, "article", trainer=SHORT, seed=1, out=tmp_path / "run")


def test_progress_tells_every_step_and_every_row(digits):
    told = []
    done = run(digits, progress=told.append)
    steps = done.metrics["steps"]
    assert [p.step for p in told if p.row is None] == list(range(1, steps + 1))
    assert [p.row for p in told if p.row] == done.rows
    assert {p.steps for p in told} == {steps}
    assert [p.epoch for p in told if p.row] == [1, 2]


def test_divergence_stops_the_run_and_names_recipe_and_step(digits):
    class Explosive(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))

        def forward(self, x):
            return self.scale * 1e38 * x.mean((1, 2, 3))[:, None] * 100

    with pytest.raises(eq.WorkError, match=r"Recipe none: the loss .* at step 1 of 16") as caught:
        run(digits, net=lambda channels, classes, size: Explosive())
    assert "\n" not in str(caught.value)


def test_mistakes_are_found_before_anything_is_written(digits, make_digits, tmp_path):
    out = tmp_path / "run"
    one = replace(digits, train=digits.train.select(digits.train.labels == 0))
    none = replace(digits, test=digits.test.select([]))
    for data, options, message in (
        (one, {}, "training images of every class"),
        (none, {}, "images in the test split"),
        (digits, {"epochs": 0}, "1 <= epochs"),
        (digits, {"equal": "time"}, "equal 'steps' or 'epochs'"),
        (digits, {"objective": "acuracy"}, "no objective 'acuracy'"),
        (digits, {"objective": "9.f2"}, "no class '9'"),
        (digits, {"objective": "recall"}, "--at-least 8.precision"),
        (digits, {"recipe": "articel"}, "no recipe 'articel'"),
        (digits, {"net": "resnet"}, "no net 'resnet'"),
        (digits, {"recipe": Recipe(name="r", loss="focl")}, "no loss 'focl'. Did you mean 'focal'"),
        (digits, {"recipe": Recipe(name="r", mixing="mixip")}, "Did you mean 'mixup'"),
        (digits, {"recipe": Recipe(name="r", loss="focal", defer=0.5)}, "where defer > 0"),
        (digits, {"recipe": Recipe(name="r", undersample={"3": 99})}, "the 60 images that class 3"),
    ):
        with pytest.raises(eq.InputError, match=message) as caught:
            eq.train(data, out=out, **options)
        assert "\n" not in str(caught.value)
        assert not out.exists()
    out.mkdir()
    (out / "holiday.jpg").touch()
    with pytest.raises(eq.InputError, match="not empty and not ours"):
        eq.train(digits, out=out)
