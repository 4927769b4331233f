"""Training functions of one's own: what they are given, what they may answer, and comparisons."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import equipoise as eq
from equipoise.errors import InputError, WorkError
from equipoise.recipes import Recipe
from equipoise.training import Task, fit, get_loss, get_trainer
from equipoise.training.trainers import Trainer

NONE = Recipe(name="none")
DOUBLED = Recipe(name="doubled", strategy="auto", techniques=("noise",))


def answered(data, function, recipe=NONE, seed=0):
    return fit(data, recipe, get_trainer(function), seed=seed)


def means(task: Task):
    """Logits from the distance to the mean picture of each class: no library at all."""
    images, labels = task.arrays()
    centres = [images[labels == k].mean(0) for k in range(len(task.classes))]

    def of(pictures):
        return np.stack([-((pictures - c) ** 2).mean((1, 2, 3)) / 1e3 for c in centres], 1)

    return of(task.validation.array), of(task.test)


means.version = "1"


def linear(task: Task):
    """Plain torch: one layer, two passes, the recipe's own loss."""
    size = int(np.prod(task.test.shape[1:]))
    net = nn.Sequential(nn.Flatten(), nn.Linear(size, len(task.classes)))
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    batches = task.batches(16)
    for _ in range(2):
        for images, labels in batches:
            loss = task.loss(net(images.float() / 255), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def of(pictures):
        return net(torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255)

    return of(task.validation.array), of(task.test)


linear.name, linear.version = "one-layer", 3


def test_a_run_of_a_function_is_measured_like_any_other(digits):
    run = answered(digits, means)
    assert run.model is None
    assert run.trainer.name == "means"
    figures = run.metrics["test"]
    assert figures["tuned"]["balanced_accuracy"] > 0.7
    assert set(figures) == {"plain", "tuned", "adjusted", "calibrated"}
    assert run.metrics["decision"]["offsets"] != [0, 0]
    assert run.rows[0]["validation_balanced_accuracy"] > 0.6


def test_torch_s_randomness_follows_the_seed(digits):
    first, again, other = (answered(digits, linear, seed=s) for s in (0, 0, 1))
    logits = [run.predictions["test"].logits for run in (first, again, other)]
    np.testing.assert_array_equal(logits[0], logits[1])
    assert not np.array_equal(logits[0], logits[2])


def test_a_task_shows_the_set_as_the_recipe_presents_it(digits):
    seen = {}

    def look(task):
        seen["arrays"] = task.arrays()
        seen["batches"] = [(a.numpy(), b.numpy()) for a, b in task.batches(32)]
        items = [task.dataset[i] for i in range(len(task.dataset))]
        seen["items"] = items
        loaded = DataLoader(task.dataset, batch_size=32, num_workers=1)
        seen["loaded"] = [(a.numpy(), b.numpy()) for a, b in loaded]
        return means(task)

    answered(digits, look, DOUBLED)
    images, labels = seen["arrays"]
    assert np.bincount(labels).tolist() == [60, 60]
    for kind in ("batches", "loaded"):
        pictures, numbers = (np.concatenate(of) for of in zip(*seen[kind], strict=True))
        np.testing.assert_array_equal(pictures.transpose(0, 2, 3, 1), images)
        np.testing.assert_array_equal(numbers, labels)
    assert [label for _, label in seen["items"]] == labels.tolist()
    given = {image.tobytes() for image in digits.train.array}
    assert 0 < sum(image.tobytes() not in given for image in images) <= 45


def test_a_later_pass_of_the_dataset_is_another(digits):
    recipe = Recipe(name="fresh", strategy="auto", techniques=("noise",), augmentation="fresh")
    seen = []

    def look(task):
        rows = task.dataset
        for epoch in (0, 1):
            rows.set_epoch(epoch)
            seen.append(np.stack([rows[i][0].numpy() for i in range(len(rows))]))
        np.testing.assert_array_equal(
            np.concatenate(seen).transpose(0, 2, 3, 1), task.arrays(passes=2)[0]
        )
        return means(task)

    answered(digits, look, recipe)
    assert not np.array_equal(*seen)


def test_losses_are_those_of_the_presented_set(digits):
    def look(task):
        logits, labels = torch.randn(8, 2), torch.arange(8) % 2
        expected = get_loss("weighted", np.repeat([0, 1], [60, 15]), 2)
        assert torch.equal(task.loss(logits, labels), expected(logits, labels))
        np.testing.assert_array_equal(task.class_weights, expected.weights)
        return means(task)

    answered(digits, look, Recipe(name="weights", loss="weighted"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda task: None, "a pair of arrays for validation and test must be returned"),
        (lambda task: (np.zeros((3, 2)), np.zeros((110, 2))), r"validation must be finite, of sha"),
        (
            lambda task: (np.zeros((110, 2)), np.full((110, 2), np.nan)),
            "test must be .* not finite",
        ),
        (lambda task: 1 // 0, r"ZeroDivisionError: .*\(test_own.py, line"),
    ],
)
def test_what_a_function_may_not_do_is_said_in_one_line(digits, answer, message):
    answer.name = "mine"
    with pytest.raises(WorkError, match=message) as caught:
        answered(digits, answer)
    assert "Training function mine, recipe none" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_s_loss_that_is_left_out_is_no_run(digits):
    with pytest.raises(WorkError, match="loss focal was not used"):
        answered(digits, means, Recipe(name="focal", loss="focal"))

    def weighted(task):
        return task.class_weights and means(task)

    with pytest.raises(WorkError, match="for class_weights must hold"):
        answered(digits, weighted, Recipe(name="focal", loss="focal"))


@pytest.mark.parametrize("fields", [{"mixing": "mixup"}, {"draws": "progressive"}])
def test_recipes_that_need_an_end_are_refused_before_the_work(digits, fields):
    with pytest.raises(InputError, match="draws that do not change and no mixing"):
        answered(digits, means, Recipe(name="r", **fields))


def test_probabilities_are_logits_of_the_same_decisions(digits):
    def shares(task):
        return [torch.softmax(torch.from_numpy(part), 1) for part in means(task)]

    logits, found = (answered(digits, f).predictions["test"].logits for f in (means, shares))
    apart = [part[:, 0] - part[:, 1] for part in (logits, found)]
    np.testing.assert_allclose(apart[0], apart[1], atol=1e-3)


def test_a_function_takes_no_epochs_and_needs_a_name():
    with pytest.raises(InputError, match="no epochs for a training function"):
        get_trainer(means, epochs=3)
    with pytest.raises(InputError, match="Set its attribute `name`"):
        get_trainer(lambda task: None)
    assert get_trainer(linear).version == "3"


def test_its_file_does_not_stand_for_the_function(tmp_path):
    text = get_trainer(linear).to_yaml()
    assert text == "name: one-layer\nfunction: own\nversion: '3'\n"
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(InputError, match="Give it in Python as trainer="):
        get_trainer(tmp_path / "t.yaml")
    assert "function" not in Trainer(name="t").model_dump()


def test_a_finished_run_of_a_function_is_read(photos, tmp_path):
    data = eq.load(photos)
    first = eq.train(data, "none", trainer=means, out=tmp_path / "run")
    again = eq.train(data, "none", trainer=means, out=tmp_path / "run")
    np.testing.assert_array_equal(
        again.predictions["test"].logits, first.predictions["test"].logits
    )
    assert not (tmp_path / "run" / "model.pt").exists()
    with pytest.raises(InputError, match=r"no model|No such file"):
        eq.load_model(tmp_path / "run")


def test_a_function_takes_part_in_a_comparison(photos, tmp_path):
    data, out = eq.load(photos), tmp_path / "study"
    study = eq.compare(
        data, ["none", "duplicate", "weights"], trainer=linear, seeds=2, out=out, jobs=1
    )
    summary = study.summary
    assert summary.finished
    assert not summary.failed
    assert [row.recipe for row in summary.table] == ["none", "duplicate", "weights"]
    assert summary.trainer.name == "one-layer"
    assert summary.question.comparisons[0].mean is not None
    assert summary.table[0].seconds.mean > 0
    page = eq.report(out, tmp_path / "page.html").read_text("utf-8")
    assert "same training function" in page
    assert "number of training steps" not in page
    # More seeds go on with the same study, and no run is made again.
    before = {p: p.stat().st_mtime_ns for p in out.glob("trials/*/predictions.parquet")}
    more = eq.compare(
        data, ["none", "duplicate", "weights"], trainer=linear, seeds=3, out=out, jobs=1
    )
    assert len(more.summary.seeds) == 3
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert json.loads((out / "summary.json").read_text())["trainer"]["function"] == "own"


def test_a_failing_function_is_a_failed_run_of_the_study(photos, tmp_path):
    study = eq.compare(eq.load(photos), ["none", "weights"], trainer=means, seeds=1, jobs=1)
    assert "was not used" in study.summary.failed["weights seed 0 draw 0"]


def test_going_on_needs_a_version(photos, tmp_path):
    def mine(task):
        return means(task)

    data = eq.load(photos)
    for run in (
        lambda: eq.compare(data, ["none"], trainer=mine, seeds=1, jobs=1, out=tmp_path / "study"),
        lambda: eq.train(data, "none", trainer=mine, out=tmp_path / "run"),
    ):
        run()
        with pytest.raises(InputError, match="Set its attribute `version`"):
            run()
    mine.version = "2"
    with pytest.raises(InputError, match="made with another trainer"):
        eq.compare(data, ["none"], trainer=mine, seeds=1, jobs=1, out=tmp_path / "study")


def test_a_search_refuses_a_function(photos):
    with pytest.raises(InputError, match="a trainer whose epochs a search can shorten"):
        eq.search(eq.load(photos), trials=2, trainer=means)
