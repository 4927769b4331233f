"""A running study: its page comes again, says how long it takes, and what to do next."""

import shutil

import pytest

from equipoise.reports import next_step, report
from equipoise.reports.renewing import renewing
from equipoise.studies import open_study


@pytest.fixture(scope="module")
def study(tmp_path_factory, make_study, made_up):
    made = made_up(nets={"none": (1.0, 1.0), "article": (1.1, 0.4)}, seeds=3, test=100, epochs=2)
    return make_study(tmp_path_factory.mktemp("running"), made)


@pytest.fixture
def running(study, tmp_path):
    """The study with two runs of 31 and 32 seconds still to come, on a machine of two cores."""
    copy = shutil.copytree(study, tmp_path / "study")
    for seed in (0, 1):
        shutil.rmtree(copy / "trials" / f"article-seed{seed}-draw0")
    return copy


def test_a_running_page_says_how_long_it_takes_and_renews_itself(running):
    html = report(running).read_text("utf-8")
    assert "2 runs missing" in html
    assert "About 33\u202fs of training are left" in html
    assert '<noscript><meta http-equiv="refresh"' in html
    assert "data-renews=" in html


def test_a_finished_page_does_not_renew_itself(study):
    html = report(study).read_text("utf-8")
    assert 'http-equiv="refresh"' not in html
    assert "data-renews=" not in html


def test_the_page_is_written_when_more_is_finished_and_not_when_all_is(running):
    told = []
    tell = renewing(running, lambda *what: told.append(what))
    page = running / "report.html"
    tell(1, 6, "1 run finished")
    assert page.is_file()
    page.unlink()
    tell(2, 6, "1 run finished")
    assert not page.exists()
    again = renewing(running, lambda *what: told.append(what))
    again(6, 6, "6 runs finished")
    assert not page.exists()
    assert [done for done, _, _ in told] == [1, 2, 6]


def test_more_seeds_are_asked_for_by_a_command_that_can_be_copied(study):
    opened = open_study(study)
    command = "equipoise compare photos --seeds 3 --out study"
    undecided = opened.answer.model_copy(update={"kind": "no verdict"})
    summary = opened.summary.model_copy(update={"command": command, "answer": undecided})
    step = next_step(summary, study, "photos")
    assert "more seeds" in step.words
    assert step.command.startswith("equipoise compare photos --out study --seeds ")
    assert int(step.command.split()[-1]) > 3


def test_the_next_command_keeps_the_selection(study, tmp_path, make_study, made_up):
    folder = make_study(tmp_path / "study", made_up(test=300))
    html = report(folder).read_text("utf-8")
    recipe = folder / "recipes" / "balanced.yaml"
    assert f"equipoise train made-up.tar.gz --classes cat,dog --recipe {recipe}" in html
