"""The page of the local server in a headless Chromium: its pictures, by keyboard, and at the width of a phone."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")]
PATIENCE = 300_000  # milliseconds, for slow machines; every wait is for something to happen
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def url(local):
    with local() as server:
        yield server.url


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def page(request, browser, url):
    """The open page; it may log no error and reach for no other machine."""
    page = browser.new_page(viewport=request.param)
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
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


def picture(page, card: str):
    """A card's picture that is to be seen; the next one takes its place once it is loaded."""
    image = page.locator(".q-card", has_text=card).locator("img.q-img__image--loaded")
    image.wait_for()
    return image


def pixels(image) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image.screenshot())))


def choose(page, model: str):
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name=model, exact=True).click()


def test_samples_walk_and_reconstruction_of_images(page, tmp_path):
    choose(page, "digits")
    assert pixels(picture(page, "Fresh samples")).std() > 20
    step = picture(page, "From one code to another")
    before = step.get_attribute("src")
    slider = page.get_by_role("slider")
    slider.locator("[tabindex='0']").focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "10")
    expect(step).not_to_have_attribute("src", before)
    Image.fromarray(np.uint8(np.indices((40, 30))[0] * 6)).save(tmp_path / "ramp.png")
    page.locator("input[type=file]").set_input_files(tmp_path / "ramp.png")
    assert pixels(picture(page, "Reconstruction")).std() > 20
    page.locator("input[type=file]").set_input_files(
        {"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    page.get_by_text("no.png is not a picture").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing to scroll sideways"


def test_density_with_its_modes_by_keyboard(page):
    choose(page, "ring")
    density = picture(page, "Density of fresh samples")
    red, green, blue = np.moveaxis(pixels(density)[..., :3].astype(int), -1, 0)
    assert (red - np.maximum(green, blue) > 80).sum() > 50, "circles around the true modes; the density has no red"
    before = density.get_attribute("src")
    page.get_by_role("button", name="New samples").focus()
    page.keyboard.press("Enter")
    expect(density).not_to_have_attribute("src", before)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
