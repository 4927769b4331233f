"""The page of a search that is still running, and the mark of the recipe that is recommended."""

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


def test_what_helps_is_recommended_with_the_question_it_stands_on(tmp_path, make_study, made_up):
    html = report(make_study(tmp_path / "study", made_up(test=300))).read_text()
    assert "Use “balanced” with the tuned decision" in html
    # In the tables of verdicts and levels, and beside the recipe's name.
    assert html.count(">recommended<") == 3
    assert "equipoise train" in html


def test_a_moved_threshold_is_no_recommendation(tmp_path, make_study, made_up):
    """`weights` leans less to the majority, and is no better once both decisions are tuned."""
    nets = {"none": (1.6, 1.0), "weights": (1.6, -0.1)}
    html = report(make_study(tmp_path / "study", made_up(nets=nets, test=2000))).read_text()
    assert "Keep “none” and tune its decision" in html
    assert ">recommended<" not in html
