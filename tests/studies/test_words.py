"""The answer: which sentence for which summary, and laws that hold for all of them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.studies.verdicts import AGAINST_PLAIN
from equipoise.studies.words import answer, runs_in_words

UP, DOWN, EVEN = "higher", "lower", "no difference shown"
NAMES = ("none", "weights", "balanced")


def levels(**figures: float) -> dict[str, Any]:
    return {
        metric: {"mean": value, "low": value - 0.02, "high": value + 0.02, "values": []}
        for metric, value in figures.items()
    }


def summary(
    figures: dict[tuple[str, str], tuple[float, float, float]],
    verdicts: dict[tuple[str, str], str],
    **more: Any,
) -> dict[str, Any]:
    """Return a summary from (balanced accuracy, recall, precision) of each way to act."""
    names = [name for name in NAMES if any(name == key for key, _ in figures)]
    table = []
    for name in names:
        row: dict[str, Any] = {"recipe": name, "runs": 3, "per_class": {}}
        for decision in ("plain", "tuned"):
            balanced, recall, precision = figures.get((name, decision), (0.6, 0.4, 0.9))
            row[decision] = levels(balanced_accuracy=balanced, recall=recall, precision=precision)
            row["per_class"][decision] = {"dog": levels(recall=recall, precision=precision)}
        table.append(row)
    entries = [
        {"recipe": r, "decision": d, "metric": "balanced_accuracy", "mean": 0.1, "verdict": v}
        for (r, d), v in verdicts.items()
    ]
    fields = {"finished": True, "seeds": [0, 1, 2], "draws": [0], "positive_class": "dog"}
    recipes = {name: {} for name in names}
    return {**fields, "recipes": recipes, "table": table, "differences": entries, **more}


BASE = {("none", "plain"): (0.65, 0.38, 0.9), ("none", "tuned"): (0.7, 0.6, 0.8)}
BETTER = {**BASE, ("balanced", "plain"): (0.72, 0.6, 0.85), ("balanced", "tuned"): (0.8, 0.81, 0.9)}


def test_a_recipe_that_beats_the_tuned_baseline_is_recommended_with_its_figures():
    found = answer(summary(BETTER, {("balanced", "tuned"): UP, ("balanced", AGAINST_PLAIN): UP}))
    assert (found.kind, found.recipe, found.decision) == ("use", "balanced", "tuned")
    assert found.sentence.replace("\u202f", " ") == (
        "Use “balanced” with the tuned decision: it finds 81 % of the dog images instead of 38 %, "
        "and 90 % of its dog answers are right (before 90 %); "
        "balanced accuracy goes from 65 % to 80 %, shown over 3 seeds."
    )


def test_a_recipe_shown_in_both_comparisons_is_not_hidden_by_a_higher_mean():
    figures = {**BETTER, ("weights", "tuned"): (0.85, 0.9, 0.8)}
    verdicts = {("weights", "tuned"): UP, ("weights", AGAINST_PLAIN): EVEN}
    verdicts |= {("balanced", "tuned"): UP, ("balanced", AGAINST_PLAIN): UP}
    assert answer(summary(figures, verdicts)).recipe == "balanced"


def test_the_same_precision_is_said_to_show_no_difference():
    case = summary(BETTER, {("balanced", "tuned"): UP, ("balanced", AGAINST_PLAIN): UP})
    case["differences"].append(
        {"recipe": "balanced", "decision": AGAINST_PLAIN, "metric": "precision", "verdict": EVEN}
    )
    assert "(before 90\u202f%, no difference shown)" in answer(case).sentence


def test_the_plain_decision_is_recommended_where_it_is_as_good():
    figures = {**BETTER, ("balanced", "plain"): (0.82, 0.8, 0.9)}
    verdicts = {(("balanced"), d): UP for d in ("plain", "tuned", AGAINST_PLAIN)}
    found = answer(summary(figures, verdicts))
    assert (found.recipe, found.decision) == ("balanced", "plain")
    assert found.action == "Use “balanced”"


def test_the_tuned_decision_alone_gets_the_credit():
    verdicts = {("none", AGAINST_PLAIN): UP, ("balanced", "plain"): UP, ("balanced", "tuned"): EVEN}
    found = answer(summary(BETTER, verdicts))
    assert (found.kind, found.recipe, found.decision) == ("decision alone", "none", "tuned")
    assert "no other recipe is shown to do better" in found.sentence
    assert "60\u202f% of the dog images instead of 38\u202f%" in found.sentence


def test_nothing_helped():
    found = answer(summary(BETTER, {("balanced", "plain"): DOWN, ("balanced", "tuned"): EVEN}))
    assert found.kind == "nothing"
    assert not found.recipe
    assert "above the 65\u202f% of “none”" in found.sentence
    assert found.notes == (
        "With the plain decision, worse than “none”: “balanced”.",
        "With the tuned decision, no difference to “none” is shown for “balanced”.",
    )


def test_wide_intervals_are_owned_up_to():
    case = summary(BETTER, {("balanced", "plain"): EVEN})
    case["differences"][0] |= {"low": -0.05, "high": 0.25}
    assert "up to ±15.0 points" in answer(case).notes[0]


def test_a_gain_that_ranks_no_better_is_named_as_such():
    case = summary(BETTER, {("balanced", "tuned"): UP, ("balanced", AGAINST_PLAIN): UP})
    entry = {"recipe": "balanced", "decision": "plain", "metric": "roc_auc", "mean": 0.004}
    case["differences"].append({**entry, "verdict": EVEN})
    assert "not shown to tell the classes apart better" in answer(case).notes[0]
    case["differences"][-1]["verdict"] = UP
    assert "tells the classes apart better: ROC-AUC +0.004" in answer(case).notes[0]


def test_one_run_gives_no_verdict():
    case = summary(BETTER, {("balanced", "plain"): "one run: no verdict"}, seeds=[0])
    for row in case["table"]:
        row["runs"] = 1
    found = answer(case)
    assert found.kind == "one run"
    assert not found.recipe
    assert "no verdict" in found.sentence
    assert "“balanced” with the tuned decision" in found.sentence


def test_one_recipe_has_nothing_to_be_compared_to():
    found = answer(summary(BASE, {}))
    assert found.kind == "one recipe"
    assert "nothing to compare it to" in found.sentence


@pytest.mark.parametrize("case", [{}, {"table": []}, {"recipes": {"none": {}}, "table": []}])
def test_no_run_yet(case):
    assert answer(case).kind == "no run"


def test_a_missing_reference_is_waited_for():
    case = summary(BETTER, {})
    case["table"] = case["table"][1:]
    assert answer(case).kind == "no run"
    assert "“none”" in answer(case).sentence


def test_many_classes_name_the_rarest():
    audit = {"classes": [{"name": "cat", "training": 90}, {"name": "dog", "training": 9}]}
    verdicts = {("balanced", "tuned"): UP, ("balanced", AGAINST_PLAIN): UP}
    case = summary(BETTER, verdicts, positive_class=None, data={"audit": audit})
    assert "of the dog images" in answer(case).sentence


def test_runs_are_counted_as_seeds_and_draws_where_all_are_there():
    case = summary(BASE, {})
    assert runs_in_words(case, "none") == "3 seeds"
    case["draws"] = [0, 1]
    assert runs_in_words(case, "none") == "3 runs"
    case["table"][0]["runs"] = 6
    assert runs_in_words(case, "none") == "3 seeds × 2 draws"


verdict = st.sampled_from([UP, DOWN, EVEN])
share = st.floats(0.01, 0.99)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(("plain", "tuned", AGAINST_PLAIN))),
        verdict,
    ),
    st.fixed_dictionaries(
        {
            (name, decision): st.tuples(share, share, share)
            for name in NAMES
            for decision in ("plain", "tuned")
        }
    ),
)
def test_only_what_is_shown_to_be_better_is_recommended(verdicts, figures):
    verdicts = {
        k: v for k, v in verdicts.items() if k not in (("none", "plain"), ("none", "tuned"))
    }
    found = answer(summary(figures, verdicts))
    ways = {
        ("plain" if d == "plain" else "tuned", r): v
        for (r, d), v in verdicts.items()
        if d != "tuned"
    }
    if found.kind == "nothing":
        assert UP not in ways.values()
    else:
        assert ways[found.decision, found.recipe] == UP
    if found.kind == "decision alone":
        assert verdicts.get(("none", AGAINST_PLAIN)) == UP
    assert found.sentence.endswith(".")


HELD = {"shown": False, "comparisons": 4}


def test_what_holm_takes_back_is_seen_alone_and_not_recommended():
    case = summary(BETTER, {("balanced", "tuned"): UP, ("balanced", AGAINST_PLAIN): UP})
    for entry in case["differences"]:
        entry |= HELD
    found = answer(case)
    assert found.kind == "nothing"
    assert (
        "With the tuned decision, better than “none” when each is looked at alone, not after "
        "Holm's correction for 4 comparisons: “balanced”." in found.notes
    )
    entry = {"recipe": "balanced", "decision": "plain", "metric": "roc_auc", "mean": 0.004}
    case = summary(BETTER, {("balanced", "tuned"): UP, ("balanced", AGAINST_PLAIN): UP})
    case["differences"].append({**entry, "verdict": UP, **HELD})
    assert "better when looked at alone, not after Holm's correction" in answer(case).notes[0]


def test_how_many_runs_a_difference_needs_is_said():
    case = summary(
        {**BETTER, ("weights", "tuned"): (0.7, 0.5, 0.8)},
        {("weights", "tuned"): EVEN, ("balanced", "tuned"): EVEN},
    )
    case["differences"][0] |= {"runs": 3, "runs_needed": 28}
    case["differences"][1] |= {"runs": 3, "runs_needed": 1460}
    assert answer(case).notes[0] == (
        "With the tuned decision, no difference to “none” is shown for “weights” (about 28 runs "
        "would be needed to show a difference of this size), “balanced” (about 1,460)."
    )


def with_oracle(opens: bool) -> dict[str, Any]:
    case = summary(BETTER, {("balanced", "tuned"): UP, ("balanced", AGAINST_PLAIN): UP})
    case["table"].append({**case["table"][-1], "recipe": "oracle"})
    for decision in ("plain", "tuned"):
        case["table"][-1][decision] = levels(balanced_accuracy=0.95, recall=0.95, precision=0.95)
        case["differences"].append(
            {"recipe": "oracle", "decision": decision, "metric": "balanced_accuracy"}
            | {"mean": 0.25, "verdict": UP, "shown": True}
        )
    case["recipes"]["oracle"] = {}
    closed = {"balanced": {"tuned": {"mean": 0.4, "low": 0.3, "high": 0.52}}}
    gap = {"mean": 0.25, "low": 0.2, "high": 0.3}
    case["oracle"] = {
        "metric": "balanced_accuracy",
        "gap": gap,
        "opens": opens,
        "closed": closed,
    }
    return case


def test_the_oracle_is_no_way_to_act_but_a_measure_of_one():
    found = answer(with_oracle(opens=True))
    assert found.recipe == "balanced"
    note = found.notes[-1].replace("\u202f", " ")
    assert "would bring +25.0 points beyond the tuned decision of “none”" in note
    assert "“balanced” closes 40 % (30 % to 52 %) of that gap" in note
    assert "no gap to close" in answer(with_oracle(opens=False)).notes[-1]
    case = with_oracle(opens=True)
    case["table"] = [case["table"][0], case["table"][-1]]
    assert answer(case).kind == "one recipe"


def test_folds_are_named():
    case = summary(
        BETTER, {("balanced", "tuned"): UP, ("balanced", AGAINST_PLAIN): UP}, draws=[0, 1], folds=2
    )
    for row in case["table"]:
        row["runs"] = 6
    found = answer(case)
    assert "shown over 3 seeds × 2 folds" in found.sentence
    assert "Nadeau and Bengio" in found.notes[-1]


def test_what_holm_takes_back_is_told_with_what_would_show_it():
    held = {**HELD, "runs": 3, "runs_needed": 5}
    case = summary(BETTER, {("balanced", "tuned"): EVEN, ("balanced", AGAINST_PLAIN): UP})
    case["differences"][1] |= held
    found = answer(case)
    assert (found.kind, found.recipe) == ("nothing", "")
    assert found.sentence.replace("\u202f", " ") == (
        "Nothing is shown to help yet: “balanced” with the tuned decision came out ahead of "
        "“none”, balanced accuracy 80 % against 65 % over 3 seeds, but that does not stand after "
        "Holm's correction for 4 comparisons; about 5 runs a recipe might show it."
    )


def test_the_references_own_decision_is_ahead_of_its_plain_one():
    held = {**HELD, "runs": 3, "runs_needed": 5}
    case = summary(BETTER, {("none", AGAINST_PLAIN): UP})
    case["differences"][0] |= held
    told = "“none” with the tuned decision came out ahead of its plain one, balanced accuracy 70"
    assert told in answer(case).sentence


def test_a_recipe_that_is_only_better_than_the_plain_baseline_is_said_to_be():
    case = summary(BETTER, {("balanced", "tuned"): EVEN, ("balanced", AGAINST_PLAIN): UP})
    found = answer(case)
    assert (found.kind, found.recipe, found.decision) == ("tune", "balanced", "tuned")
    assert found.action == "Tune the decision; no recipe is shown to add to that"
    assert found.evidence.startswith("with “balanced” tuned, it finds")
    assert "better than “none” with its own tuned decision is not shown." in found.notes[0]
