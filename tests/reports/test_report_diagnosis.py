"""The diagnostics in the page: each with its sentence and its table, in their order."""

import json

import pytest

from equipoise.recipes import Recipe
from equipoise.reports import report
from equipoise.reports.folder import open_folder, predictions
from equipoise.studies.calibration import calibration
from equipoise.studies.gains import gains
from equipoise.studies.memory import memory_words
from equipoise.studies.safety import safety_warnings, safety_words
from equipoise.studies.trials import Outcome, Trial


def estimate(mean):
    return {"mean": mean, "low": mean - 0.02, "high": mean + 0.02, "values": [mean] * 3}


def entry(lost, unsafe):
    ends = {"low": lost - 0.1, "high": lost + 0.1}
    toward = {"toward": "dog", "toward_share": 1.0}
    return {"images": 90, "lost": lost, **ends, **toward, "unsafe": unsafe}


def diagnosed(summary, outcomes):
    """The summary with the diagnostics that a study of these figures might have had."""
    names = list(summary["recipes"])
    safety = {"flip": {"cat": entry(0.62, True), "dog": entry(0.04, False)}}
    crop = {
        "copies": estimate(0.99),
        "fresh": estimate(0.81),
        "validation": estimate(0.55),
        "gap": estimate(0.18),
    }
    ends = {"clean": estimate(0.97), "validation": estimate(0.6)}
    memory = {
        "none": {"classes": ["dog"], **ends, "techniques": {}},
        "article": {"classes": ["dog"], **ends, "techniques": {"crop": crop}},
    }
    audited = summary["data"]["audit"]["classes"]
    return {
        **summary,
        "label_safety": safety,
        "label_safety_words": safety_words(safety),
        "label_safety_warnings": safety_warnings(safety),
        "memory": memory,
        "memory_words": memory_words(memory),
        "gain": gains(summary["differences"], names, "balanced_accuracy"),
        "calibration": calibration(outcomes, audited, {"cat": 0.95, "dog": 0.05}),
        "generated": {"article": {"dog": 1300}},
        "shortcut_remedies": {"article": Recipe(name="article-all", scope="all").to_yaml()},
    }


@pytest.fixture(scope="module")
def html(tmp_path_factory, make_study, made_up):
    nets = {"none": (1.0, 1.0), "article": (1.1, 0.4)}
    folder = make_study(tmp_path_factory.mktemp("study"), made_up(nets=nets, seeds=2, test=200))
    outcomes = {}
    for trial in open_folder(folder).trials:
        found = predictions(trial)
        run = Trial(Recipe(name=trial.recipe), trial.seed)
        one = Outcome(run, {"temperature": 1.4}, found.logits, found.labels)
        outcomes.setdefault(trial.recipe, []).append(one)
    path = folder / "summary.json"
    path.write_text(json.dumps(diagnosed(json.loads(path.read_text("utf-8")), outcomes)), "utf-8")
    return report(folder, plots=folder / "plots").read_text("utf-8")


def test_a_warning_stands_beside_the_answer(html):
    top = html[: html.index('id="comparison"')]
    assert "Warning." in top
    assert "Look at what flip does before using it" in top


def test_each_diagnosis_has_its_sentence_and_its_figures(html):
    safety = html[html.index('id="safety"') : html.index('id="memory"')]
    assert "62\u202f%" in safety
    assert "class cat" in safety
    memory = html[html.index('id="memory"') : html.index('id="gain"')]
    assert "has learned copies by heart" in memory
    assert "18.0" in memory
    gain = html[html.index('id="gain"') : html.index('id="calibration"')]
    assert "the tuned threshold of" in gain
    calibration_ = html[html.index('id="calibration"') : html.index('id="mistakes"')]
    assert "as frequent as in training" in calibration_
    assert "dog 5.0\u202f%" in calibration_
    assert calibration_.count("<figure") == 4


def test_generated_images_and_the_recipe_that_mends_are_told(html):
    assert "1,300 of dog" in html
    assert "name: article-all" in html


def test_a_summary_without_diagnostics_says_so(tmp_path, make_study, made_up):
    nets = {"none": (1.0, 1.0), "article": (1.1, 0.4)}
    folder = make_study(tmp_path / "study", made_up(nets=nets, seeds=1, test=100, epochs=2))
    html = report(folder).read_text("utf-8")
    assert "No techniques have been tried" in html
    assert "No run has been asked yet" in html
    assert "Warning." not in html
