"""The page in a real browser: Debian's Chromium, headless, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from equipoise.reports import report

pytestmark = pytest.mark.slow

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(2)>']
PHONE = {"width": 390, "height": 844}

# Text whose contrast to what lies behind it is below WCAG's 4.5 : 1, as its beginning and ratio.
# Colours are resolved on a canvas, because color-mix() computes to color(srgb …).
FAINT = """() => {
  const pixel = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    pixel.clearRect(0, 0, 1, 1); pixel.fillStyle = colour; pixel.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((v, i) => v * top[3] + below[i] * (1 - top[3]));
  const behind = (node) => {
    if (!node) return rgba(getComputedStyle(document.body).backgroundColor).slice(0, 3);
    const own = rgba(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(node.parentElement));
  };
  const light = (c) => {
    const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = c.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.closest("script, .skip")) continue;
    const style = getComputedStyle(node);
    const ground = behind(node);
    const text = over(rgba(node.closest("svg") ? style.fill : style.color), ground);
    const [high, low] = [light(text), light(ground)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.push(`${walker.currentNode.data.trim().slice(0, 30)} ${ratio}`);
  }
  return found;
}"""

OPEN = "document.querySelectorAll('details').forEach((part) => { part.open = true; })"

# Elements that reach past the right edge and lie in no box that scrolls.
WIDE = """() => [...document.body.querySelectorAll("*")].filter((node) => {
  if (node.closest(".skip")) return false;
  for (let up = node.parentElement; up; up = up.parentElement)
    if (getComputedStyle(up).overflowX !== "visible") return false;
  const box = node.getBoundingClientRect();
  return box.width && box.right > document.documentElement.clientWidth + 0.5;
}).map((node) => node.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory, make_study, made_up) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    return report(make_study(folder / "study", made_up(test=300)))


@pytest.fixture(scope="module")
def hostile_file(tmp_path_factory, make_study, made_up) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    names = [*HOSTILE, *(f"a{'very' * 30}long{k}" for k in range(10))]
    made = made_up(classes=names, nets={"none": (1, 1), "b": (2, 0)}, seeds=2, test=300, epochs=3)
    return report(make_study(folder / "study", made))


@contextmanager
def opened(browser, path: Path, **options) -> Iterator:
    """Open a page and hold it to silence: no message, no error, no dialog, no request."""
    context = browser.new_context(**options)
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: heard.append(request.url))
    page.goto(path.as_uri())
    yield page
    outside = [line for line in heard if line != path.as_uri() and not line.startswith("data:")]
    context.close()
    assert outside == []


def test_every_section_is_seen_with_and_without_scripts(browser, page_file):
    for scripts in (True, False):
        with opened(browser, page_file, java_script_enabled=scripts) as page:
            sections = page.locator("main > section")
            assert sections.count() == 6
            assert all(section.bounding_box()["height"] > 30 for section in sections.all())
            # The forest plot, and seven figures of each recipe.
            assert page.locator("svg.plot").count() == 1 + 35
            assert page.locator("h1").inner_text().startswith("Use “balanced”")


def test_the_page_is_short_until_something_is_opened(browser, page_file):
    with opened(browser, page_file, viewport={"width": 1200, "height": 1500}) as page:
        assert page.evaluate("document.documentElement.scrollHeight") < 4 * 1500
        first = page.locator(".next").bounding_box()
        assert first["y"] + first["height"] < 1500


def test_without_scripts_everything_can_be_opened(browser, page_file):
    with opened(browser, page_file, java_script_enabled=False) as page:
        for part in page.locator("details").all():
            part.locator("summary").first.click()
        parts = page.locator(".of-plain, .of-tuned").all()
        assert len(parts) > 2
        assert all(part.is_visible() for part in parts)
        assert page.locator("#choice").is_hidden()


def test_a_link_opens_what_it_leads_to(browser, page_file):
    with opened(browser, page_file, reduced_motion="reduce") as page:
        page.locator("nav a", has_text="All figures").click()
        assert page.url.endswith("#comparison")
        assert page.locator("#comparison table").first.is_visible()
        assert page.locator("#comparison").bounding_box()["y"] < 900


def shown(texts) -> list[str]:
    return [text.inner_text() for text in texts.all() if text.is_visible()]


def test_one_choice_switches_all_figures(browser, page_file):
    with opened(browser, page_file) as page:
        page.locator("[name=recipe]").select_option("article")
        recipes = page.locator("details.recipe")
        assert [one.is_visible() for one in recipes.all()] == [False, False, False, True, False]
        assert recipes.nth(3).locator("svg.plot").first.is_visible()
        assert page.locator(".heat th.picked").first.inner_text().startswith("article")
        confusion = recipes.nth(3).locator(".matrix caption")
        assert shown(confusion) == ["Tuned decision"]
        page.locator("[name=decision]").select_option("plain")
        assert shown(confusion) == ["Plain decision"]
        assert [heat.is_visible() for heat in page.locator("#classes .heat").all()] == [False, True]
        page.locator("[name=recipe]").select_option("all")
        assert all(one.is_visible() for one in recipes.all())


def test_tables_sort_by_figure_and_by_name_and_by_keyboard_too(browser, page_file):
    with opened(browser, page_file, viewport={"width": 1440, "height": 900}) as page:
        page.locator("#comparison > summary").click()
        table = page.locator("#comparison table").first

        def column(place: int) -> list[float]:
            cells = table.locator(f"tbody td:nth-child({place})")
            return [float(cell.get_attribute("data-value")) for cell in cells.all()]

        head = table.locator("thead th", has_text="Balanced").first
        before = column(2)
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "descending"
        assert column(2) == sorted(before, reverse=True) != before
        head.get_by_role("button").focus()
        page.keyboard.press("Enter")
        assert column(2) == sorted(before)
        table.get_by_role("button", name="Recipe").click()
        assert head.get_attribute("aria-sort") is None
        names = table.locator("tbody th bdi").all_inner_texts()
        assert names == sorted(names)


@pytest.mark.parametrize("which", ["page_file", "hostile_file"])
def test_nothing_is_wider_than_a_phone(browser, which, request):
    with opened(browser, request.getfixturevalue(which), viewport=PHONE) as page:
        page.evaluate(OPEN)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate(WIDE) == []


def test_paper_holds_the_page(browser, page_file):
    with opened(browser, page_file, viewport={"width": 696, "height": 1000}) as page:
        page.emulate_media(media="print")
        assert page.locator("#comparison table").first.bounding_box()["height"] > 50
        assert page.evaluate("document.documentElement.scrollWidth") <= 696
        assert not page.locator("nav").is_visible()
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(browser, page_file, scheme):
    with opened(browser, page_file, color_scheme=scheme) as page:
        page.evaluate(OPEN)
        assert page.evaluate(FAINT) == []
        grounds = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (grounds == "rgb(254, 254, 253)") == (scheme == "light")


def test_everything_to_press_and_to_see_has_a_name(browser, page_file):
    with opened(browser, page_file) as page:
        page.evaluate(OPEN)
        for button in page.locator("button:visible").all():
            assert button.inner_text().strip()
        for seen in page.locator("[role=img], [role=region], [role=group]").all():
            assert seen.get_attribute("aria-label")
        assert page.locator("html").get_attribute("lang") == "en"
        levels = page.evaluate(
            "[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))"
        )
        steps = [b - a for a, b in pairwise(levels)]
        assert levels[0] == 1
        assert max(steps) <= 1


def test_hostile_names_are_seen_as_text(browser, hostile_file):
    with opened(browser, hostile_file) as page:
        page.wait_for_timeout(200)
        assert page.locator("img[src=x]").count() == 0
        assert page.locator("script").count() == 1
        for name in HOSTILE:
            assert page.locator("#classes .heat bdi", has_text=name).first.is_visible()
