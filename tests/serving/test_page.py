"""The page of the local server in a headless Chromium: its pictures, by keyboard, and at the width of a phone."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
MODELS = Path(__file__).parents[2] / "savedmodels"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")]
PATIENCE = 300_000  # milliseconds, for slow machines; every wait is for something to happen
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def url(local, tmp_path_factory):
    """The committed models, and one of somebody's own system: its settings cannot be loaded, nor are its modes told."""
    folder = tmp_path_factory.mktemp("models")
    for name, source in {"digits": "digits", "ring": "ring", "own": "ring"}.items():
        shutil.copytree(MODELS / source, folder / name)
    extra = folder / "own/1/assets.extra"
    (extra / "config.gin").write_text("import lsgan\ntrain.system = @LSGAN\n")
    metadata = json.loads((extra / "metadata.json").read_text())
    del metadata["modes"]
    (extra / "metadata.json").write_text(json.dumps(metadata))
    with local(folder) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(params=[(PHONE, "dark"), (DESKTOP, "light")], ids=["phone", "desktop"])
def page(request, browser, url):
    """The open page; it may log no error and reach for no other machine."""
    size, scheme = request.param
    page = browser.new_page(viewport=size, color_scheme=scheme)
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
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing to scroll sideways"
    page.close()
    assert faults == [] and elsewhere == []


def picture(page, card: str):
    """A card's picture that is to be seen; the next one takes its place once it is loaded."""
    image = page.locator(".q-card", has_text=card).locator("img.q-img__image--loaded")
    image.wait_for()
    return image


def pixels(image) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image.screenshot())))


def cyan(image) -> int:
    """How many pixels are of the color of the true modes, which the density does not have."""
    red, green, blue = np.moveaxis(pixels(image)[..., :3].astype(int), -1, 0)
    return (np.minimum(green, blue) - red > 80).sum()


def choose(page, model: str):
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name=model, exact=True).click()
    page.get_by_text(f"About {model}, version 1").wait_for()


@pytest.fixture
def upload(page, tmp_path):
    """`upload(name, data)` chooses a file of that name."""

    def choose_file(name: str, data: bytes):
        (tmp_path / name).write_bytes(data)
        page.locator("input[type=file]").set_input_files(tmp_path / name)

    return choose_file


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def test_samples_and_a_walk_by_keyboard(page):
    choose(page, "digits")
    assert page.evaluate("document.documentElement.lang") == "en-US"
    assert pixels(picture(page, "Fresh samples")).std() > 20
    step = picture(page, "From one code to another")
    slider = page.get_by_role("slider")
    slider.locator("[tabindex='0']").focus()
    for key, place in {"ArrowRight": 1, "End": 20, "ArrowLeft": 19, "Home": 0}.items():
        before = step.get_attribute("src")
        page.keyboard.press(key)
        expect(slider).to_have_attribute("aria-valuenow", str(place))
        page.get_by_text(f"step {place} of 20").wait_for()
        expect(step).not_to_have_attribute("src", before)


@pytest.mark.parametrize("model", ["digits", "ring"])
def test_nothing_moves_when_the_first_pictures_come(page, model):
    """Each card is as high before them as behind them: their place is kept."""
    page.evaluate("""() => {
        window.heights = {};
        const look = () => document.querySelectorAll('.q-card').forEach(card => {
            const of = card.parentElement.lastElementChild.querySelector('h2').textContent;  // About ...
            const title = `${card.querySelector('h2').textContent}, ${of}`;
            (window.heights[title] ??= new Set()).add(Math.round(card.getBoundingClientRect().height));
        });
        new ResizeObserver(look).observe(document.body);
        new MutationObserver(() => requestAnimationFrame(look)).observe(document.body,
            {attributes: true, childList: true, subtree: true});
    }""")
    choose(page, model)
    picture(page, "From one code to another")
    picture(page, "fresh samples")
    page.wait_for_timeout(500)
    heights = page.evaluate("Object.fromEntries(Object.entries(window.heights).map(([k, v]) => [k, [...v]]))")
    for title, seen in heights.items():
        assert max(seen) - min(seen) <= 1, (title, seen)


def test_reconstructions_of_what_is_uploaded(page, upload):
    choose(page, "digits")
    expect(page.get_by_text("0.0B / 0.00%")).to_be_hidden()
    upload("ramp.png", png(np.uint8(np.indices((40, 30))[0] * 6)))
    image = picture(page, "Reconstruction")
    assert pixels(image).std() > 20
    before = image.get_attribute("src")
    upload("gray.png", png(np.full((40, 40), 0x4000, np.uint16)))  # 16 bits: a quarter of white
    expect(image).not_to_have_attribute("src", before)
    left = pixels(image)
    left = left[left.shape[0] // 3 : left.shape[0] // 2, left.shape[1] // 6 : left.shape[1] // 3, :3]
    assert abs(left.mean() - 64) < 8, "not white"
    before = image.get_attribute("src")
    noise = np.random.default_rng(0).integers(0, 256, (2700, 2700, 3), np.uint8)
    large = png(noise)
    assert len(large) > 20e6
    upload("large.png", large)
    expect(image).not_to_have_attribute("src", before)


def test_what_cannot_be_used_is_said(page, upload):
    choose(page, "digits")
    upload("no.png", b"no picture")
    page.get_by_text("no.png cannot be used: it is no PNG or JPEG that can be read").wait_for()
    upload("huge.png", bytes(33 * 2**20))
    page.get_by_text("Only pictures of up to 32 MB, PNG or JPEG, can be used").wait_for()


def test_density_with_its_modes_by_keyboard(page):
    choose(page, "ring")
    density = picture(page, "Density of fresh samples")
    assert cyan(density) > 50
    before = density.get_attribute("src")
    page.get_by_role("button", name="New samples").focus()
    page.keyboard.press("Enter")
    expect(density).not_to_have_attribute("src", before)


def test_a_model_whose_settings_cannot_be_loaded_is_shown_without_its_modes(page):
    choose(page, "own")
    assert cyan(picture(page, "Density of fresh samples")) < 10
    picture(page, "From one code to another")


def test_clicks_do_not_queue(page):
    """Of ten clicks at once at most the first and the last are drawn: two more pictures, and soon."""
    choose(page, "ring")
    picture(page, "Density of fresh samples")
    page.evaluate("""() => {
        window.drawn = new Set();
        const card = [...document.querySelectorAll('.q-card')].find(c => c.textContent.includes('Density'));
        const look = () => card.querySelectorAll('img').forEach(i => window.drawn.add(i.src));
        look();
        new MutationObserver(look).observe(card, {attributes: true, childList: true, subtree: true});
        const button = [...card.querySelectorAll('button')][0];
        for (let i = 0; i < 10; i++) button.click();
    }""")
    page.wait_for_function("window.drawn.size >= 2")
    page.wait_for_timeout(3000)
    assert page.evaluate("window.drawn.size") <= 3


def test_the_card_the_scores_and_the_version_are_shown(page):
    choose(page, "ring")
    about = page.locator(".q-card", has_text="About ring, version 1")
    scores = json.loads((MODELS / "ring/1/assets.extra/scores.json").read_text())
    expect(about.get_by_role("row", name="hq_percent")).to_contain_text(f"{scores['samples']['hq_percent']:.3g}")
    expect(about).to_contain_text("system BMSVAEGAN, updates 15000, seed 20")
    about.get_by_text("Model card").click()
    expect(about).to_contain_text("Not for")
    expect(about).not_to_contain_text("license: apache")  # the metadata are for the hub
    expect(about.get_by_role("cell", name="hq_percent")).to_have_count(2)  # of the scores and of the card
    assert about.locator("em").count() == 0
    assert about.locator("h1").evaluate("title => title.offsetHeight") < 40
