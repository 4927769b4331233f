"""The page: complete, self-contained, honest about what is missing, and safe from names."""

import re
import shutil
from html.parser import HTMLParser

import pytest

from equipoise.errors import InputError, WorkError
from equipoise.files import SEALS, read_sealed, write_sealed
from equipoise.reports import audit_page, report
from equipoise.reports.page import audit_view
from equipoise.studies import open_study
from equipoise.studies.summary import read_summary

SECTIONS = ("answer", "classes", "findings", "recipes")
FOLDED = ("comparison", "reproduce")
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """What a page holds: its elements, ids and text; and whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def study(tmp_path_factory, make_study, made_up):
    nets = {"none": (1.0, 1.0), "article": (1.1, 0.4)}
    return make_study(tmp_path_factory.mktemp("study"), made_up(nets=nets, seeds=2, test=200))


@pytest.fixture(scope="module")
def html(study):
    path = report(study)
    assert path == study / "report.html"
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


@pytest.fixture
def copy(study, tmp_path):
    """A copy of the study to spoil."""
    return shutil.copytree(study, tmp_path / "study")


def sections(page) -> tuple[str, ...]:
    return tuple(attrs["id"] for attrs in page.all("section") if "id" in attrs)


def read(path) -> tuple[str, Page]:
    html = path.read_text("utf-8")
    return html, Page(html)


def test_every_section_stands_in_order_and_can_be_linked(page):
    assert sections(page) == SECTIONS
    links = [attrs["href"] for attrs in page.all("a")]
    assert all(links.count(f"#{name}") >= 2 for name in SECTIONS)
    folded = [attrs.get("id") for attrs in page.all("details")]
    assert all(name in folded and f"#{name}" in links for name in FOLDED)


def test_the_page_is_self_contained_and_small(html, page):
    assert len(html.encode()) < 3_000_000
    assert all(attrs["src"].startswith("data:image/") for attrs in page.all("img"))
    assert [attrs["href"] for attrs in page.all("link")] == ["data:,"]
    outside = re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', html)
    assert outside == []
    assert not re.search(r"url\((?!#)", html)
    assert "default-src 'none'" in html
    assert len(page.all("script")) == 1


def test_every_picture_and_plot_has_words_for_those_who_do_not_see_it(page):
    assert all(attrs.get("alt") for attrs in page.all("img"))
    plots = [attrs for attrs in page.all("svg") if "plot" in (attrs.get("class") or "")]
    # The forest plot; of two recipes four learning and two trade-off curves and one of calibration.
    assert len(plots) == 1 + 2 * 7
    assert all(attrs["aria-label"] for attrs in plots)
    ids = [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
    assert len(ids) == len(set(ids))


def test_the_figures_of_the_summary_stand_in_the_page(study, page):
    summary = read_summary(study / "summary.json")
    for row in summary.table:
        for decision in ("plain", "tuned"):
            mean = row.figures(decision)["balanced_accuracy"].mean
            assert f"{100 * mean:.1f}" in page.text
    assert summary.command in page.text
    assert summary.data.digest in page.text
    assert "no verdict" in page.text


def test_the_first_screen_has_the_question_that_decides(html):
    top = html[: html.index('id="classes"')]
    for words in ("Difference", "none</bdi>, tuned as well", "margin 1 point", "no verdict"):
        assert words in top
    assert "What to do next" in top
    assert "made-up.tar.gz --classes cat,dog" in top
    assert top.count('aria-label="Difference in Balanced accuracy to none, tuned as well') == 1


def test_nothing_but_the_answer_is_open(page):
    assert [attrs for attrs in page.all("details") if "open" in attrs] == []


def test_a_study_object_gives_the_same_page_and_its_plots(study, html, tmp_path):
    again = report(open_study(study), tmp_path / "page.html", plots=tmp_path / "plots")
    assert again.read_text("utf-8") == html
    files = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert len(files) == 2 + 2 * 7
    assert {"recipes.svg", "classes.svg"} <= set(files)
    assert "learning-0-none-loss.svg" in files
    assert (tmp_path / "plots" / "learning-0-none-loss.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("trials", "No run has finished yet"),
        ("examples", "There are no example pictures"),
    ],
)
def test_the_page_says_what_is_missing(copy, gone, words):
    path = copy / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    _, page = read(report(copy))
    assert words in page.text
    assert sections(page) == SECTIONS


def test_an_unfinished_study_says_so(copy):
    shutil.rmtree(copy / "trials" / "article-seed1-draw0")
    failed = copy / "trials" / "article-seed0-draw0"
    of = read_sealed(failed / SEALS)["of"]
    shutil.rmtree(failed)
    write_sealed(failed / "failed.json", {"reason": "the loss became nan", "of": of})
    _, page = read(report(copy))
    assert "This study is not finished." in page.text
    assert "1 run missing: article seed 1 draw 0" in page.text
    assert "article seed 0 draw 0 failed: the loss became nan" in page.text


@pytest.mark.parametrize("name", ["summary.json", "results.csv", "examples/crop.png"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe{,\n1,2,3\n"])
def test_a_spoilt_file_spoils_only_its_part(copy, name, content):
    (copy / name).write_bytes(content)
    _, page = read(report(copy))
    assert sections(page) == SECTIONS


@pytest.mark.parametrize("name", ["summary.json", "results.csv"])
def test_what_follows_from_the_runs_is_made_again(copy, html, name):
    report(copy)
    (copy / name).unlink()
    again = report(copy).read_text("utf-8")
    assert again == html
    assert (copy / name).is_file()


@pytest.mark.parametrize("name", ["predictions.parquet", "metrics.json"])
def test_a_spoilt_run_is_left_out_and_named(copy, name):
    next((copy / "trials").glob(f"none-seed1-*/{name}")).write_bytes(b"PAR1")
    _, page = read(report(copy))
    assert f"trials/none-seed1-draw0 is left out: {name} is not what was written" in page.text
    assert "1 run missing: none seed 1 draw 0" in page.text


HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(2)>']


def test_hostile_names_are_text(tmp_path, make_study, made_up):
    path = make_study(tmp_path / "study", made_up(classes=HOSTILE, seeds=1, test=60, epochs=2))
    html, page = read(report(path))
    assert len(page.all("script")) == 1
    assert not any(attrs.get("onerror") for _, attrs in page.tags)
    assert "<script>alert" not in html
    for name in HOSTILE:
        assert name in page.text


def test_of_many_classes_the_largest_confusions_and_changes_come_first(
    tmp_path, make_study, made_up
):
    names = [f"$class_{k}$ <b>" for k in range(50)]
    nets = {"none": (1.0, 1.0), "b": (2.0, 0.0)}
    made = made_up(classes=names, nets=nets, seeds=2, test=500, probed=False)
    html, page = read(report(make_study(tmp_path / "study", made)))
    assert len(html.encode()) < 3_000_000
    assert page.text.count("The largest confusions") == 4
    assert "Of 50 classes, the 40 that change most" in page.text
    assert "The other 10 classes, which change less" in page.text
    assert len(page.all("b")) == html.count("<b>")


def test_names_that_are_no_unicode_do_not_break_the_page(tmp_path):
    audit = {"images": 1, "broken": [{"name": "caf\udce9.jpg", "reason": "truncated"}]}
    audit["classes"] = [{"name": "a", "label": 0, "training": 1, "validation": 0, "test": 0}]
    path = audit_page(audit, tmp_path / "audit.html", source="photos", notes=["brought to 64×64"])
    _, page = read(path)
    assert "caf\\udce9.jpg" in page.text
    assert "brought to 64×64" in page.text


def test_an_audit_alone_has_its_page(study, tmp_path):
    audit = read_summary(study / "summary.json").data.audit.to_dict()
    same = {"images": ["x/a.png", "y/a.png"], "splits": ["train", "test"], "classes": ["x", "x"]}
    audit |= {"leaks": [same], "straddling_groups": ["patient 7"]}
    _, page = read(audit_page(audit, tmp_path / "audit.html", source="photos.zip"))
    for words in (
        "photos.zip",
        "4.0 : 1",
        "4,080",
        "1 leak: the same image",
        "y/a.png (test, x)",
        "patient 7",
        "1,020",
    ):
        assert words in page.text


def near(*splits):
    names = [f"x/{number}.png" for number in range(len(splits))]
    classes = ["x"] * len(splits)
    return {"images": names, "splits": list(splits), "classes": classes, "distance": 2}


def test_near_duplicates_are_named_within_and_across_splits(study, tmp_path):
    audit = read_summary(study / "summary.json").data.audit.to_dict()
    _, page = read(audit_page(audit, tmp_path / "audit.html"))
    assert "Near duplicates were not looked for" in page.text
    across, within = near("train", "test"), near(*["train"] * 30)
    found = {"near_duplicates": [across, within], "near_leaks": [across], "blank": ["x/b.png"]}
    _, page = read(audit_page(audit | found, tmp_path / "audit.html"))
    for words in (
        "1 near leak: nearly the same image",
        "x/1.png (test, x)",
        "1 group of near duplicates within one split",
        "x/19.png (train, x)",
        "and 10 more",
        "1 image of one colour all over",
    ):
        assert words in page.text
    assert "x/20.png" not in page.text
    none = {"near_duplicates": [], "near_leaks": [], "blank": [], "tiny": []}
    _, page = read(audit_page(audit | none, tmp_path / "audit.html"))
    assert "No near duplicates were found" in page.text


def test_long_lists_of_an_audit_are_cut_and_counted():
    view = audit_view({"duplicates": [[f"{k}a", f"{k}b"] for k in range(500)]})
    assert view["duplicates"]["count"] == 500
    assert len(view["duplicates"]["items"]) < 100


@pytest.mark.parametrize("place", ["absent", "empty"])
def test_a_folder_that_is_no_study_is_refused(tmp_path, place):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="study"):
        report(tmp_path / place)


@pytest.mark.parametrize("place", [".", "nowhere/page.html"])
def test_a_page_that_cannot_be_put_there_is_refused(study, tmp_path, place):
    with pytest.raises(InputError, match="folder"):
        report(study, tmp_path / place)


def test_a_failure_to_write_leaves_the_old_page(study, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("old")
    long_name = tmp_path / ("x" * 250 + ".html")
    with pytest.raises(WorkError, match="could not be written"):
        report(study, long_name)
    assert page.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
