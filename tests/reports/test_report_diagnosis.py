"""The diagnostics in the page: each with its sentence and its table, in their order."""

import re

import pytest

from equipoise.recipes import Recipe
from equipoise.reports import report
from equipoise.studies import Study, open_study
from equipoise.studies.estimates import Estimate
from equipoise.studies.label_preservation import Loss, safety_warnings, safety_words
from equipoise.studies.memorisation import Copies, Memory, Recall, memory_words


def recall(mean):
    return Recall(mean=mean, low=mean - 0.02, high=mean + 0.02, values=(mean,) * 3, images=90)


def loss(lost, unsafe):
    toward = {"toward": "dog", "toward_share": 1.0}
    return Loss(images=90, lost=lost, low=lost - 0.1, high=lost + 0.1, unsafe=unsafe, **toward)


def diagnosed(summary):
    """The summary with the diagnostics that a study of these figures might have had."""
    safety = {"flip": {"cat": loss(0.62, True), "dog": loss(0.04, False)}}
    crop = Copies(
        copies=recall(0.99),
        fresh=recall(0.81),
        validation=recall(0.55),
        gap=Estimate(mean=0.18, low=0.16, high=0.2),
        p=0.001,
        learned=True,
    )
    ends = {"classes": ("dog",), "clean": recall(0.97), "validation": recall(0.6)}
    memory = {
        "none": Memory(**ends, techniques={}),
        "article": Memory(**ends, techniques={"crop": crop}),
    }
    return summary.model_copy(
        update={
            "label_safety": safety,
            "label_safety_words": tuple(safety_words(safety)),
            "label_safety_warnings": tuple(safety_warnings(safety)),
            "memory": memory,
            "memory_words": tuple(memory_words(memory)),
            "generated": {"article": {"dog": 1300}},
            "shortcut_remedies": {"article": Recipe(name="article-all", scope="all").to_yaml()},
        }
    )


def evidence(html, name):
    start = html.index(f'id="{name}"')
    return html[start : html.index("</details>", start)]


@pytest.fixture(scope="module")
def html(tmp_path_factory, make_study, made_up):
    nets = {"none": (1.0, 1.0), "article": (1.1, 0.4)}
    made = made_up(nets=nets, test=200, prior={"cat": 0.95, "dog": 0.05})
    folder = make_study(tmp_path_factory.mktemp("study"), made)
    study = open_study(folder)
    whole = Study(folder, diagnosed(study.summary), study.outcomes)
    return report(whole, plots=folder / "plots").read_text("utf-8")


def test_a_warning_stands_beside_the_answer(html):
    top = html[: html.index('id="classes"')]
    assert "Warning." in top
    assert "Look at what flip does before using it" in top


def test_each_diagnosis_has_its_sentence_and_its_figures(html):
    assert "noise has become a mark of dog" in evidence(html, "shortcut")
    safety = evidence(html, "safety")
    assert "62\u202f%" in safety
    assert "class cat" in safety
    memory = evidence(html, "memory")
    assert "has learned copies by heart" in memory
    assert "18.0" in memory
    beside = evidence(html, "beside")
    assert "Does tuning the decision help the baseline?" in beside
    assert "Do the nets rank the images better?" in beside
    calibration = evidence(html, "calibration")
    assert "as frequent as in training" in calibration
    assert "dog 5.0\u202f%" in calibration
    assert "by chance" in calibration
    assert html.count('aria-label="Reliability of') == 4


def test_findings_are_ranked_by_what_is_to_be_done(html):
    words = re.findall(r'class="word">.*?</span> (\w+)</span>', html)
    assert words[:2] == ["mend", "mend"]
    assert words == sorted(words, key=["mend", "look", "note", "fine"].index)


def test_generated_images_and_the_recipe_that_mends_are_told(html):
    assert "1,300 of dog" in html
    assert "name: article-all" in html


def test_a_summary_without_diagnostics_says_so(tmp_path, make_study, made_up):
    nets = {"none": (1.0, 1.0), "article": (1.1, 0.4)}
    made = made_up(nets=nets, seeds=1, test=100, epochs=2, probed=False)
    html = report(make_study(tmp_path / "study", made)).read_text("utf-8")
    assert 'id="shortcut"' not in html
    assert 'id="memory"' not in html
    assert "Warning." not in html
