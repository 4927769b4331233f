from equipoise.studies.gains import gains


def row(recipe, decision, metric, mean, verdict):
    ends = {"higher": (mean / 2, mean * 2), "lower": (mean * 2, mean / 2)}.get(verdict, (-0.1, 0.1))
    ends = (None, None) if verdict.startswith("one run") else ends
    return {
        "recipe": recipe,
        "decision": decision,
        "metric": metric,
        "mean": mean,
        "low": ends[0],
        "high": ends[1],
        "verdict": verdict,
    }


def kind(plain, beyond, ranking, threshold="higher"):
    metric = "balanced_accuracy"
    rows = [
        row("none", "tuned vs plain baseline", metric, 0.08, threshold),
        row("mine", "plain", metric, 0.09, plain),
        row("mine", "tuned", metric, -0.04 if beyond == "lower" else 0.01, beyond),
        row("mine", "plain", "roc_auc", 0.004, ranking),
    ]
    return gains(rows, ["none", "mine"], metric)["mine"]


EVEN = "no difference shown"


def test_a_moved_threshold_is_no_better_net():
    found = kind("higher", EVEN, EVEN)
    assert found["kind"] == "threshold"
    assert "the tuned decision of 'none' does the same for nothing" in found["words"]
    assert "+9.0 points" in found["words"]
    assert "+8.0 points" in found["words"]
    assert found["plain"]["mean"] == 0.09
    assert found["threshold"]["mean"] == 0.08


def test_better_ranking_is():
    assert kind("higher", "higher", "higher")["kind"] == "ranking"
    assert kind("higher", EVEN, "higher")["kind"] == "ranking"
    assert kind(EVEN, EVEN, "higher")["kind"] == "ranking alone"
    assert kind("higher", "higher", EVEN)["kind"] == "both"
    assert kind(EVEN, EVEN, EVEN)["kind"] == "none"
    assert kind("higher", "lower", EVEN)["kind"] == "worse"


def test_one_run_says_nothing():
    one = "one run: no verdict"
    found = kind(one, one, one, one)
    assert found["kind"] == "one run"
    assert "no verdict" in found["words"]


def test_a_recipe_without_differences_is_left_out():
    assert gains([], ["none", "mine"], "balanced_accuracy") == {}
