"""The answer: which sentence for which verdicts, and laws that hold for all of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.objectives import Objective
from equipoise.studies.analysis import PENDING
from equipoise.studies.estimates import Estimate
from equipoise.studies.recommendation import recommend, runs_in_words
from equipoise.studies.sequential import begin
from equipoise.studies.summary import (
    Comparison,
    Question,
    RecipeFigures,
    StudyData,
    StudySummary,
    ThresholdDoubt,
)

METRIC = "balanced_accuracy"


def level(mean):
    return Estimate(mean=mean, low=mean - 0.01, high=mean + 0.01, values=(mean,) * 3)


def row(recipe, plain, tuned, runs=3):
    classes = {"dog": {"recall": level(tuned), "precision": level(0.8)}}
    return RecipeFigures(
        recipe=recipe,
        runs=runs,
        plain={METRIC: level(plain)},
        tuned={METRIC: level(tuned)},
        per_class={"tuned": classes, "plain": classes},
    )


def compared(recipe, mean, half, verdict, margin=0.01, **more):
    recommended = verdict == "better" and mean >= margin
    return Comparison(
        recipe=recipe, mean=mean, low=mean - half, high=mean + half, values=(mean,) * 3,
        seeds=3, draws=1, verdict=verdict, recommended=recommended, **more,
    )  # fmt: skip


def question(asks, *comparisons, metric=METRIC):
    decision = "plain" if asks == "ranking" else "tuned"
    return Question(asks=asks, decision=decision, metric=metric, comparisons=comparisons)


def summary(*comparisons, tuning=None, **more):
    names = ["none", *(one.recipe for one in comparisons)]
    fields = {
        "equipoise": "0",
        "finished": True,
        "data": StudyData(source="photos", digest="0", classes=("cat", "dog")),
        "positive_class": "dog",
        "objective": METRIC,
        "tuned_for": Objective(),
        "margin": 0.01,
        "seeds": (0, 1, 2),
        "recipes": dict.fromkeys(names),
        "looks": begin(names[1:], (3,)),
        "answer": PENDING,
        "question": question("recipes", *comparisons) if comparisons else None,
        "tuning": None if tuning is None else question("tuning", tuning),
        "table": tuple(row(name, 0.65, 0.7) for name in names),
    }
    return StudySummary(**fields | more)


UP = compared("balanced", 0.028, 0.015, "better")
OPEN = compared("weights", 0.004, 0.02, "undecided", stopped="last look")
EVEN = compared("article", 0.001, 0.005, "no difference that matters")
DOWN = compared("focal", -0.03, 0.01, "worse")
TUNED = compared("none", 0.054, 0.01, "better")
UNTUNED = compared("none", 0.001, 0.004, "no difference that matters")


def test_what_beats_the_tuned_baseline_is_used_with_the_effect_that_was_tested():
    found = recommend(summary(OPEN, UP, DOWN, tuning=TUNED))
    assert (found.kind, found.recipe, found.decision) == ("use", "balanced", "tuned")
    assert found.sentence.replace("\u202f", " ") == (
        "Use “balanced” with the tuned decision: balanced accuracy is 2.8 points higher than with "
        "“none”, both tuned (95 % interval +1.3 to +4.3; 70.0 % against 70.0 %, over 3 seeds)."
    )
    assert found.notes[0].replace("\u202f", " ").startswith("It finds 70 % of class dog where")


def test_of_several_that_help_the_largest_gain_is_named_first():
    other = compared("article", 0.05, 0.02, "better")
    found = recommend(summary(UP, other, tuning=TUNED))
    assert found.recipe == "article"
    assert "Better than “none”, too: “balanced” (+2.8, +1.3 to +4.3)." in found.notes


def test_better_by_less_than_the_margin_is_said_and_not_recommended():
    small = compared("article", 0.006, 0.005, "better")
    found = recommend(summary(small, EVEN.model_copy(update={"recipe": "x"}), tuning=UNTUNED))
    assert (found.kind, found.recipe) == ("keep", "none")
    assert any("but by less than 1 point: +0.6, +0.1 to +1.1" in note for note in found.notes)


def test_tuning_gets_the_credit_where_tuning_is_what_helps():
    found = recommend(summary(EVEN, DOWN, tuning=TUNED))
    assert (found.kind, found.recipe, found.decision) == ("tune", "none", "tuned")
    assert "5.4 points higher than with the plain decision" in found.sentence
    assert "no recipe adds 1 point or more to that" in found.sentence
    found = recommend(summary(OPEN, tuning=TUNED))
    assert found.kind == "tune"
    assert "whether “weights” would add to that is undecided" in found.sentence


def test_nothing_that_matters():
    found = recommend(summary(EVEN, DOWN, tuning=UNTUNED))
    assert (found.kind, found.recipe, found.decision) == ("keep", "none", "plain")
    assert "no recipe gains 1 point or more in balanced accuracy" in found.sentence
    assert found.others == (
        "Worse than “none”: “focal” (−3.0, −4.0 to −2.0).",
        "No difference of 1 point or more to “none”: “article” (+0.1, −0.4 to +0.6).",
    )


def test_a_recipe_that_may_only_be_worse_leaves_nothing_to_be_found():
    beyond = compared("weights", -0.02, 0.025, "undecided", stopped="no hope of the margin")
    assert recommend(summary(beyond, tuning=UNTUNED)).kind == "keep"


def test_undecided_says_what_is_still_possible_and_what_would_decide_it():
    found = recommend(summary(OPEN, EVEN, tuning=UNTUNED))
    assert (found.kind, found.recipe) == ("undecided", "")
    told = "“weights” may still gain up to 2.4 points or lose up to 1.6 points"
    assert told in found.sentence
    assert "More seeds may decide “weights”" in found.notes[0]
    images = OPEN.model_copy(update={"stopped": "more test images"})
    found = recommend(summary(images, tuning=UNTUNED))
    assert found.notes[0] == "More seeds cannot decide “weights”: more test images could."


def test_an_undecided_tuning_is_undecided():
    tuning = compared("none", 0.01, 0.02, "undecided")
    found = recommend(summary(EVEN, tuning=tuning))
    assert found.kind == "undecided"
    assert "tuning the decision of “none” may still gain up to 3 points" in found.sentence


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"table": ()}, "No run has finished yet"),
        ({"table": (row("balanced", 0.6, 0.7),)}, "“none” has no finished run yet"),
        ({"recipes": {"none": None}, "table": (row("none", 0.65, 0.7),)}, "Only “none” has been"),
        ({"finished": False, "missing": ("a", "b")}, "still running, so no verdict yet"),
        ({}, "Too few runs for a verdict: over 2 seeds “balanced” came out best"),
    ],
)
def test_too_little_for_a_verdict(more, words):
    waiting = compared("balanced", 0.05, 0.01, "no verdict").model_copy(update={"seeds": 2})
    rows = (row("none", 0.65, 0.7, 2), row("balanced", 0.66, 0.75, 2))
    found = recommend(summary(waiting, **{"table": rows, **more}))
    assert (found.kind, found.recipe, found.about) == ("no verdict", "", "")
    assert words in found.sentence


def test_the_ranking_is_a_question_of_its_own():
    for verdict, words in (
        ("better", "Its net also ranks the images better: ROC-AUC +0.028, +0.013 to +0.043."),
        ("undecided", "Whether its net ranks the images better is undecided"),
        ("worse", "Its net ranks the images less well"),
    ):
        ranked = question("ranking", UP.model_copy(update={"verdict": verdict}), metric="roc_auc")
        found = recommend(summary(UP, tuning=TUNED, ranking=ranked))
        assert any(note.startswith(words) for note in found.notes)


def test_what_the_intervals_are_about_is_one_sentence():
    assert "new seeds and new test images" in recommend(summary(UP)).about
    assert "new draws of the training images" in recommend(summary(UP, draws=(0, 1))).about
    folded = recommend(summary(UP, folds=5, draws=(0, 1, 2, 3, 4)))
    assert "folds" in folded.about
    assert "Nadeau and Bengio" in folded.notes[-1]


def test_what_the_threshold_owes_to_few_images_stands_beside_the_effect():
    doubt = ThresholdDoubt(recipe="balanced", images=12, spread=0.007)
    found = recommend(summary(UP, threshold=doubt))
    assert any("12 validation images of the rarest class" in note for note in found.notes)
    assert any("±0.7 points" in note for note in found.notes)


def test_runs_are_counted_as_seeds_and_draws():
    case = summary(UP)
    assert runs_in_words(case, "balanced") == "3 seeds"
    rows = tuple(row(name, 0.6, 0.7, runs=6) for name in case.recipes)
    assert runs_in_words(case.model_copy(update={"draws": (0, 1), "table": rows}), "balanced") == (
        "3 seeds × 2 draws"
    )


verdicts = st.sampled_from(["better", "worse", "no difference that matters", "undecided"])
effects = st.tuples(st.floats(-0.1, 0.1), st.floats(0.001, 0.1), verdicts)


@settings(deadline=None)
@given(st.lists(effects, min_size=1, max_size=4), st.none() | effects)
def test_only_what_is_shown_to_gain_the_margin_is_recommended(found, tuned):
    recipes = [compared(f"r{k}", *effect) for k, effect in enumerate(found)]
    tuning = None if tuned is None else compared("none", *tuned)
    answer = recommend(summary(*recipes, tuning=tuning))
    if answer.kind == "use":
        assert answer.recipe in {one.recipe for one in recipes if one.recommended}
    else:
        assert not any(one.recommended for one in recipes)
    if answer.kind == "tune":
        assert tuning.recommended
    if answer.kind == "keep":
        assert all(one.verdict != "undecided" or one.high < 0.01 for one in recipes)
    assert answer.sentence.endswith(".")
    everything = " ".join([answer.sentence, *answer.notes, *answer.others])
    assert "runs would be needed" not in everything
