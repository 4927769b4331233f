"""Verdicts on predictions made elsewhere, through `evaluate` itself."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.metrics as skm

import equipoise as eq
from equipoise.cli import run
from equipoise.errors import DamagedError, InputError
from equipoise.studies import evaluate, open_study
from equipoise.studies.summary import read_summary

SAME = {"none": (1.5, 1.0), "a": (1.5, 1.0), "b": (1.5, 1.0)}


@pytest.fixture(scope="module")
def better(predicted):
    """`a` tells the classes apart better; `b` only leans less to the majority."""
    nets = {"none": (1.2, 1.0), "a": (2.0, 1.0), "b": (1.2, 0.1)}
    return predicted(nets, test=1500)


@pytest.fixture(scope="module")
def study(better):
    return evaluate(better, classes=["cat", "dog"])


def test_what_tells_the_classes_apart_better_is_used(study):
    answer = study.answer
    assert (answer.kind, answer.recipe, answer.decision) == ("use", "a", "tuned")
    one = study.summary.question.of("a")
    assert one.verdict == "better"
    assert one.recommended
    assert 0 < one.low < one.mean < one.high
    # The effect that is quoted is the one that was tested, its levels are of the same decision.
    points = f"{100 * one.mean:.1f}".removesuffix(".0")
    assert f"{points} points higher than with “none”, both tuned" in answer.sentence
    assert study.summary.ranking.of("a").verdict == "better"


def test_a_threshold_that_moved_is_no_better(study):
    """With the plain decision `b` is far ahead; tuned against tuned nothing of that is left."""
    ahead = study.summary.difference("b", "plain", "balanced_accuracy")
    assert ahead.low > 0.02
    assert study.summary.question.of("b").verdict in ("undecided", "no difference that matters")
    assert study.summary.tuning.of("none").verdict == "better"


def test_where_only_thresholds_move_the_answer_is_to_tune(predicted):
    nets = {"none": (1.5, 1.0), "a": (1.5, 0.2), "b": (1.5, 0.0)}
    answer = evaluate(predicted(nets, test=2000)).answer
    assert (answer.kind, answer.recipe, answer.decision) == ("tune", "none", "tuned")
    assert "Keep “none” and tune its decision" in answer.sentence


def test_whoever_keeps_the_plain_decision_is_told_what_tuning_would_give(better):
    found = evaluate(better, decision="plain")
    assert found.summary.question.decision == "plain"
    assert found.answer.kind == "use"
    assert found.answer.decision == "plain"
    note = next(note for note in found.answer.notes if note.startswith("Tuning the decision"))
    gain = found.summary.tuning.of("none").mean
    assert f"+{100 * gain:.1f}" in note


def test_without_validation_rows_the_plain_question_is_asked_and_that_is_said(predicted):
    table = predicted({"none": (1.2, 0.5), "a": (2.0, 0.5)}, validation=0)
    found = evaluate(table)
    summary = found.summary
    assert (summary.decision, found.answer.kind) == ("plain", "use")
    assert summary.tuning is None
    assert not summary.table[0].tuned
    assert any("no validation images" in note for note in found.answer.notes)
    # At the frequencies of the test images, and before temperature scaling alone.
    assert list(summary.calibration.priors) == ["test"]
    assert summary.calibration.recipes["none"].at["test"].after is None


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_give_figures_and_no_verdict(predicted, seeds):
    found = evaluate(predicted({"none": (1.0, 1.0), "a": (3.0, 1.0)}, seeds=seeds))
    assert found.answer.kind == "no verdict"
    assert {one.verdict for one in found.summary.question.comparisons} == {"no verdict"}
    assert "came out best" in found.answer.sentence
    assert "at least 3 seeds" in found.answer.sentence
    assert found.table[0]["balanced_accuracy"] > 0.5


def test_equal_runs_show_nothing(predicted):
    """Runs whose differences are all the same are not surely different."""
    table = predicted({"none": (1.5, 1.0)}, seeds=1, test=100)
    shifted = {**table, "recipe": np.repeat("a", len(table["seed"]))}
    shifted["logit_1"] = table["logit_1"] + 0.3
    columns = [{**one, "seed": one["seed"] + s} for s in range(3) for one in (table, shifted)]
    whole = {name: np.concatenate([one[name] for one in columns]) for name in table}
    one = evaluate(whole, decision="plain").summary.question.of("a")
    assert len(set(np.round(one.values, 12))) == 1
    assert one.low < one.mean < one.high


def test_nets_without_any_mistake_leave_nothing_to_tell_from_luck(predicted):
    table = predicted({"none": (1.5, 1.0), "a": (1.5, 1.0)}, test=60)
    table |= {f"logit_{k}": 9.0 * (table["label"] == k) for k in range(2)}
    answer = evaluate(table).answer
    assert answer.kind == "no verdict"
    assert "neither runs nor test images vary" in answer.sentence


def test_a_class_without_test_images_is_part_of_no_figure_and_named(predicted):
    table = predicted({"none": (1.2, 1.0), "a": (2.0, 1.0)}, classes=3)
    there = (table["split"] == "validation") | (table["label"] != 2)
    found = evaluate({name: values[there] for name, values in table.items()}, classes=list("xyz"))
    assert found.answer.kind == "use"
    assert "No test image is of z: all figures are of the other classes." in found.answer.notes
    assert found.summary.row("a").per_class["plain"]["z"]["recall"].mean is None


def test_recipes_without_a_common_seed_are_not_compared(predicted):
    table = predicted({"none": (1.2, 1.0), "a": (2.0, 1.0)}, test=60)
    apart = {**table, "seed": table["seed"] + 10 * (table["recipe"] == "a")}
    assert "no recipe has a run with a seed of “none”" in evaluate(apart).answer.sentence


def test_the_figures_are_scikit_learns(better, study):
    frame = pd.DataFrame(better)
    mine = frame[(frame.recipe == "a") & (frame.split == "test") & (frame.seed == 1)]
    decided = (mine.logit_1 > mine.logit_0).astype(int)
    row = study.summary.row("a")
    for name, value in {
        "balanced_accuracy": skm.balanced_accuracy_score(mine.label, decided),
        "mcc": skm.matthews_corrcoef(mine.label, decided),
        "recall": skm.recall_score(mine.label, decided),
        "precision": skm.precision_score(mine.label, decided),
        "roc_auc": skm.roc_auc_score(mine.label, mine.logit_1 - mine.logit_0),
    }.items():
        assert row.plain[name].values[1] == pytest.approx(value, abs=1e-12)
    assert row.per_class["plain"]["dog"]["recall"].values == row.plain["recall"].values
    assert sum(map(sum, row.confusion["plain"])) == 3 * 1500


def test_a_study_reads_back_as_it_was_written(better, tmp_path):
    found = evaluate(better, out=tmp_path / "out", baseline="b", margin=2)
    assert found.summary.reference == "b"
    assert found.summary.margin == 0.02
    assert read_summary(tmp_path / "out" / "summary.json") == found.summary
    assert open_study(tmp_path / "out").summary == found.summary
    json.loads(found.summary.model_dump_json())
    again = evaluate(better, out=tmp_path / "out", baseline="b", margin=2)
    assert again.summary == found.summary
    with pytest.raises(InputError, match="another"):
        evaluate(better, out=tmp_path / "out", margin=2)


def test_predictions_that_were_edited_afterwards_are_not_judged(better, tmp_path):
    evaluate(better, out=tmp_path / "out")
    path = tmp_path / "out" / "predictions.parquet"
    frame = pq.read_table(path).to_pandas()
    frame.loc[0, "logit_0"] += 1
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
    with pytest.raises(DamagedError, match="is not what was written"):
        open_study(tmp_path / "out")


def test_a_summary_of_another_version_is_refused(study, tmp_path):
    path = tmp_path / "summary.json"
    path.write_text(study.summary.model_dump_json().replace('"version":1', '"version":99'))
    with pytest.raises(InputError, match="no summary of this version: version"):
        read_summary(path)


def test_the_order_of_rows_and_the_form_of_the_table_change_nothing(better, study, tmp_path):
    order = np.random.default_rng(0).permutation(len(better["seed"]))
    frame = pd.DataFrame(better).iloc[order]
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "p.parquet")
    again = evaluate(tmp_path / "p.parquet", classes=["cat", "dog"], baseline="none").summary
    assert again.question.of("a") == study.summary.question.of("a")
    assert again.row("b") == study.summary.row("b")


def test_draws_are_clusters_and_folds_are_told_from_them(predicted):
    table = predicted(SAME, seeds=2, draws=(0, 1, 2), test=200, validation=100)
    drawn = evaluate(table).summary
    assert (drawn.draws, drawn.folds) == ((0, 1, 2), None)
    assert "new draws of the training images" in drawn.answer.about
    folds = dict(table)
    # Of 600 images 200 are tested on, 100 of the others validated on, and the rest trained on.
    moved = np.where(table["split"] == "validation", table["draw"] + 1, table["draw"]) % 3
    folds["id"] = table["id"] + 1000 * moved
    found = evaluate(folds).summary
    assert found.folds == 3
    assert found.overlap == pytest.approx(200 / 300)
    assert any("Nadeau and Bengio" in note for note in found.answer.notes)


def test_folds_that_leave_nothing_to_train_on_are_refused(predicted):
    table = predicted(SAME, draws=(0, 1), test=100, validation=100)
    moved = np.where(table["split"] == "validation", 1 - table["draw"], table["draw"])
    table["id"] = table["id"] + 1000 * moved
    with pytest.raises(InputError, match="neither tested nor validated on"):
        evaluate(table)


def test_draws_that_share_some_test_images_are_neither(predicted):
    table = predicted(SAME, draws=(0, 1), test=100)
    table["id"] = table["id"] + 10 * table["draw"]
    with pytest.raises(InputError, match="share some of their test ids"):
        evaluate(table)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"decision": "adjusted"}, "no decision 'adjusted'"),
        ({"margin": 0}, "0 < margin < 100"),
        ({"baseline": "nnone"}, "Did you mean 'none'"),
        ({"classes": ["cat"]}, "one name for each of the 2 classes"),
        ({"classes": ["cat", "cat"]}, "one name for each of the 2 classes"),
        ({"objective": "luck"}, "no objective 'luck'"),
        ({"objective": "cat.recall"}, "cat"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(better, tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        evaluate(better, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_costs_are_good_when_low(better):
    costs = {"figure": "cost", "costs": {"dog": {"cat": 5}}}
    found = evaluate(better, objective=costs, classes=["cat", "dog"])
    one = found.summary.question.of("a")
    assert one.mean < 0
    assert one.verdict == "better"
    assert found.answer.recipe == "a"
    assert "lower than with “none”" in found.answer.sentence


def test_floors_are_told_as_kept_or_missed(better):
    goal = {"figure": "dog.recall", "at_least": {"dog.precision": 0.6}}
    found = evaluate(better, objective=goal, classes=["cat", "dog"])
    assert any("floor under precision of dog, 60.0" in note for note in found.answer.notes)


def test_the_threshold_owes_more_to_few_validation_images(predicted):
    nets = {"none": (1.5, 1.0), "a": (1.7, 1.0)}
    spreads = [
        evaluate(predicted(nets, validation=number)).summary.threshold for number in (60, 1000)
    ]
    assert spreads[0].images < 20 < spreads[1].images
    assert spreads[0].spread > spreads[1].spread > 0


def test_the_command(better, tmp_path, capsys):
    pd.DataFrame(better).to_csv(tmp_path / "mine.csv", index=False)
    given = ["evaluate", str(tmp_path / "mine.csv"), "--out", str(tmp_path / "out")]
    assert run([*given, "--classes", "cat,dog"]) == 0
    text = capsys.readouterr().out
    assert "Use “a” with the tuned decision" in text
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in text
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "trained elsewhere" in page
    assert run(["report", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answer"]["kind"] == "use"
    (tmp_path / "mine.csv").write_text("recipe,seed\na,0\n")
    assert run(["evaluate", str(tmp_path / "mine.csv"), "--out", str(tmp_path / "new")]) == 2
    assert "mine.csv has no column 'split'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_page_without_a_folder_says_where_it_can_go(study, tmp_path):
    with pytest.raises(InputError, match="say where its page goes"):
        eq.report(study)
    assert eq.report(study, tmp_path / "page.html").is_file()
