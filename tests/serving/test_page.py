"""The page of the local server in a headless Chromium: its pictures, by keyboard, and at the width of a phone."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")]
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def url(local):
    with local() as server:
        yield server.url


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def page(request, browser, url):
    """The open page; it may log no error and reach for no other machine."""
    page = browser.new_page(viewport=request.param)
    page.set_default_timeout(120_000)
    faults, elsewhere = [], []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on(
        "request",
        lambda asked: elsewhere.append(asked.url) if not asked.url.startswith((url, "data:", "ws:", "blob:")) else None,
    )
    page.goto(url)
    yield page
    page.close()
    assert faults == [] and elsewhere == []


def picture(page, card: str) -> np.ndarray:
    """The pixels of a card's picture, once it is there."""
    image = page.locator(".q-card", has_text=card).locator("img").first
    image.wait_for()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())
    return np.asarray(Image.open(io.BytesIO(image.screenshot())))


def choose(page, model: str):
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name=model, exact=True).click()


def test_samples_walk_and_reconstruction_of_images(page, tmp_path):
    choose(page, "digits")
    assert picture(page, "Fresh samples").std() > 20
    before = picture(page, "From one code to another")
    slider = page.get_by_role("slider")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(2000)
    assert slider.get_attribute("aria-valuenow") == "10"
    assert not np.array_equal(picture(page, "From one code to another"), before)
    Image.fromarray(np.uint8(np.indices((40, 30))[0] * 6)).save(tmp_path / "ramp.png")
    page.locator("input[type=file]").set_input_files(tmp_path / "ramp.png")
    assert picture(page, "Reconstruction").std() > 20
    page.locator("input[type=file]").set_input_files(
        {"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    page.get_by_text("no.png is not a picture").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing to scroll sideways"


def test_density_with_its_modes_by_keyboard(page):
    choose(page, "ring")
    before = picture(page, "Density of fresh samples")
    red = (before[..., 0] > 180) & (before[..., 1] < 90) & (before[..., 2] < 90)
    assert red.sum() > 50, "circles around the true modes"
    page.get_by_role("button", name="New samples").focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(3000)
    assert not np.array_equal(picture(page, "Density of fresh samples"), before)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
