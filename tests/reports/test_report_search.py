"""The page of a search that is still running, and the mark of the recipe that is recommended."""

import json
import shutil

import pytest

from equipoise.files import write_sealed
from equipoise.reports import report

_ROW = {"trial": 0, "plain": 0.7, "roc_auc": 0.8, "seconds": 9.0, "state": "complete"}


def _search(rows):
    return {
        "objective": "balanced_accuracy",
        "source": "<b>photos</b>",
        "finished": False,
        "trials": 3,
        "runs": len(rows),
        "rungs": [1, 4],
        "budget": {"seconds": 600.0, "spent": 60.0, "confirm_share": 0.4, "trials": 100},
        "dimensions": {"ema": {"of": "trainer", "choices": ["0.99", "None"]}},
        "leaderboard": rows,
        "command": "equipoise search photos --out search",
    }


@pytest.mark.parametrize("tried", [0, 2])
def test_a_search_before_its_confirmation(tmp_path, tried):
    rows = [
        {**_ROW, "place": k + 1, "recipe": f"r{k}", "epochs": 4, "score": 0.8, "failed": ""}
        | {"trainer": {"learning_rate": 0.01}}
        for k in range(tried)
    ]
    write_sealed(tmp_path / "search.json", _search(rows))
    (tmp_path / "trainer.yaml").write_text("name: fast\n")
    html = report(tmp_path).read_text()
    assert "The search is still running" in html
    assert ("So far “r0” is the best of 2 recipes" in html) == bool(tried)
    assert "&lt;b&gt;photos&lt;/b&gt;" in html
    assert 'id="search"' in html
    assert 'id="comparison"' not in html
    assert 'href="#comparison"' not in html


@pytest.fixture(scope="module")
def study(tmp_path_factory, make_study, made_up):
    return make_study(tmp_path_factory.mktemp("search") / "study", made_up())


def _judged(study, folder, better):
    """A copy of a study in which these differences are shown, (recipe, decision), and no other."""
    copy = shutil.copytree(study, folder / "study")
    summary = json.loads((copy / "summary.json").read_text())
    reference = next(iter(summary["recipes"]))
    summary["differences"] = [
        {
            "recipe": recipe,
            "decision": decision,
            "metric": "balanced_accuracy",
            "mean": 0.05,
            "low": 0.01,
            "high": 0.09,
            "verdict": "higher" if (recipe, decision) in better else "no difference shown",
            "shown": (recipe, decision) in better,
            "p_holm": 0.01,
        }
        for recipe in summary["recipes"]
        for decision in ("plain", "tuned", "tuned vs plain baseline")
        if recipe != reference or decision == "tuned vs plain baseline"
    ]
    (copy / "summary.json").write_text(json.dumps(summary))
    return report(copy).read_text()


def test_evidence_for_tuning_is_no_recommendation(study, tmp_path):
    html = _judged(study, tmp_path, {("article", "tuned vs plain baseline")})
    assert "Tune the decision; no recipe is shown to add to that" in html
    assert ">recommended<" not in html


def test_what_adds_to_the_tuned_decision_is_recommended(study, tmp_path):
    better = {("article", "tuned"), ("article", "tuned vs plain baseline")}
    html = _judged(study, tmp_path, better)
    assert html.count(">recommended<") == 1
    assert "<summary>And the other recipes</summary>" in html
