"""The page in a headless Chromium: by keyboard, on a phone, in dark and light, and how soon it is there."""

import json
import re
import shutil

import pytest
from PIL import Image

from bms_tf.reporting.page import Report

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")]
PATIENCE = 300_000  # milliseconds, for slow machines; every wait is for something to happen
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a report on some folders from disk; it may log nothing, and ask for nothing else."""
    faults, asked = [], []

    def open_page(*folders, **options):
        path = tmp_path / "report.html"
        path.write_text(Report(list(map(str, folders))).page(), encoding="utf-8")
        page = browser.new_page(**options)
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
        return page

    yield open_page
    assert faults == []


def brightness(page) -> float:
    """Of the page's ground, from 0 to 255."""
    channels = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    return sum(channels[:3]) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_fits_and_follows_the_scheme(opened, make_run, viewport, scheme):
    runs = make_run(pictures=["samples"]), make_run("two", seed=1, samples=50)
    page = opened(*runs, viewport=viewport, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing to scroll sideways"
    assert brightness(page) > 200 if scheme == "light" else brightness(page) < 60
    assert page.locator("svg").count() == 21
    assert page.locator(".film img").evaluate("image => image.naturalWidth") == 64


@pytest.fixture
def wide_study(study):
    """A study as large as the shipped ones: long names, eight scores, a figure of many boxes."""
    method, columns = "BMS-VAE-GAN, T = 10, in the game of R3GAN (ours)", [f"score {i} of a mode" for i in range(8)]
    text = (study / "study.gin").read_text().replace("A <small> one", "The published synthetic table: best of 9 each")
    text = text.replace("name = 'A'", f"name = {method!r}").replace("hq_percent", columns[0])
    scores = str(dict.fromkeys(columns, "max"))
    (study / "study.gin").write_text(re.sub(r"study.columns = .*", f"study.columns = {scores}", text))
    rows = [json.loads(line) for line in (study / "runs.jsonl").read_text().splitlines()]
    for row in rows:
        row["method"], row["samples"], row["real"] = method, dict.fromkeys(columns, 96.5), dict.fromkeys(columns, 99.0)
    (study / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Image.new("RGB", (1573, 400), (0, 0, 80)).save(study / "figures" / "sensitivity.png")
    return study


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_study_fits_and_its_scores_and_figures_are_in_sight(opened, wide_study, viewport, scheme):
    page = opened(wide_study, viewport=viewport, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing to scroll sideways"
    titles = page.locator("h2").all_inner_texts()
    assert titles == ["Studies", "Figures"]
    assert page.locator("tbody th").first.bounding_box()["width"] <= 260, "the method leaves room for its scores"
    first, *_, last = page.locator("thead").first.locator("th", has_text="score").all()
    wanted = last if viewport == DESKTOP else first
    assert wanted.bounding_box()["x"] + wanted.bounding_box()["width"] <= viewport["width"]
    image = page.locator("section > figure img")
    assert image.evaluate("image => image.naturalWidth") == 1573
    assert image.bounding_box()["width"] > 950, "with words that can be read"


def test_a_slider_by_keyboard(opened, make_run):
    page = opened(make_run(pictures=["samples"]), viewport=PHONE)
    slider, image = page.locator(".film input"), page.locator(".film img")
    last = image.get_attribute("src")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".film output").inner_text() == "30" and image.get_attribute("src") != last
    page.keyboard.press("End")
    assert page.locator(".film output").inner_text() == "40" and image.get_attribute("src") == last


def test_values_are_read_off_by_keyboard_and_pointer(opened, make_run):
    page = opened(make_run(), viewport=DESKTOP)
    chart = page.locator(".chart").last  # hq_percent: 50 + sin(i / 300), for i = 0, 1, 2, 3 at 10, 20, 30, 40
    svg, said = chart.locator("svg"), chart.locator("output")
    svg.focus()
    page.keyboard.press("Home")
    assert said.inner_text() == "10: 50"
    page.keyboard.press("End")
    assert said.inner_text() == "40: 50.01" and svg.get_attribute("aria-valuetext") == "40: 50.01"
    page.keyboard.press("ArrowLeft")
    assert said.inner_text() == "30: 50.01"
    box = svg.bounding_box()
    page.mouse.move(box["x"] + 50 / 340 * box["width"], box["y"] + 50)
    assert said.inner_text() == "10: 50"


def test_every_control_is_reached_by_tab(opened, make_run):
    page = opened(make_run(pictures=["samples"]), viewport=DESKTOP)
    wanted = page.locator("a, input, svg, .scroll").count()
    reached = set()
    for _ in range(wanted):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    assert len(reached) == wanted


def test_tables_are_downloaded_from_the_page(opened, make_run):
    page = opened(make_run(), viewport=DESKTOP)
    with page.expect_download() as download:
        page.get_by_role("link", name="scores.csv").press("Enter")
    assert download.value.suggested_filename == "report.scores.csv"
    assert "hq_percent,98.5,99.25" in download.value.path().read_text()


def test_ten_thousand_rows_open_in_two_seconds(opened, make_run):
    page = opened(make_run(rows=10_000), viewport=PHONE)
    session = page.context.new_cdp_session(page)
    # In time of the thread, which other processes do not lengthen.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.reload(wait_until="load")
    spent = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    assert 0 < spent["TaskDuration"] < 2
