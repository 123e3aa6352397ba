"""A page to look at a model: fresh samples, a walk between two codes, the density in 2-D, a reconstruction."""

import asyncio
import base64
import functools
import io
from collections.abc import Callable

import gin
import numpy as np
import tensorflow as tf
from fastapi import FastAPI
from nicegui import events, run, ui
from PIL import Image, UnidentifiedImageError

from bms_tf import pictures
from bms_tf.core import config, training  # noqa: F401  (recipes name `train`)
from bms_tf.serving.models import Model, Models

SAMPLES, DENSITY_SAMPLES, WALK_STEPS = 64, 5000, 20


def application(models: Models) -> FastAPI:
    """The page as an ASGI application; its own lifespan must be run."""
    app = FastAPI()
    ui.page("/", title="bms_tf")(lambda: _page(models))
    ui.run_with(app, show_welcome_message=False)
    return app


def _page(models: Models):
    @ui.refreshable
    def model_cards(name: str):
        view = View(models, models.find(name))
        with ui.row(wrap=True).classes("w-full items-start justify-center"):
            _samples(view)
            _walk(view)
            if "reconstruct" in view.model.signatures and view.is_image:
                _reconstruction(view)

    names = sorted(models.by_name)
    with ui.header().classes("items-center"), ui.element("h1").classes("text-xl"):
        ui.label("What a model makes")
    ui.select(names, value=names[0], label="Model", on_change=lambda e: model_cards.refresh(e.value)).classes("w-full")
    model_cards(names[0])


class View:
    """One model as the page sees it: arrays in and out, and figures of them."""

    def __init__(self, models: Models, model: Model):
        self.models, self.model, self.turn = models, model, asyncio.Lock()
        self.shape = tuple(model.signatures["generate"].structured_outputs["x"].shape[1:])
        self.is_image = len(self.shape) == 3
        self.is_plane = self.shape == (2,)
        self.modes = true_modes(model) if self.is_plane else None

    def ask(self, signature: str, output: str, value: np.ndarray) -> np.ndarray:
        (name,) = self.model.inputs(signature)
        parts = np.array_split(value, -(-len(value) // self.models.max_rows))
        decode = lambda part, spec, max_rows: tf.constant(part, spec.dtype)  # noqa: E731
        return np.concatenate(
            [self.models.predict(self.model, signature, {name: part}, decode)[output] for part in parts]
        )

    def figure(self, x: np.ndarray, title: str) -> str:
        """x [N, ...] drawn as what it is: a data URL, as a file's could be gone when the browser asks for it."""
        png = io.BytesIO()
        pictures.samples_of(x, self.modes, title).savefig(png, format="png")
        return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


@functools.cache
def true_modes(model: Model) -> np.ndarray | None:
    """The centers that the model's recipe scores it by, [modes, 2], or None."""
    recipe = model.extra("config.gin")
    if recipe is None:
        return None
    config.load([recipe])
    try:
        return gin.get_bindings("mixture_scores").get("centers")
    except ValueError:  # the recipe does not know this metric
        return None


def _samples(view: View):
    count = DENSITY_SAMPLES if view.is_plane else SAMPLES
    title = f"{count:,} samples" + (", the true modes as circles" if view.modes is not None else "")

    def draw() -> str:
        seeds = np.random.default_rng().integers(2**62, size=count)
        return view.figure(view.ask("sample", "x", seeds), title)

    with _card("Density of fresh samples" if view.is_plane else "Fresh samples"):
        picture = _picture(title)
        ui.button("New samples", on_click=lambda: _show(view, picture, draw))
    ui.timer(0, lambda: _show(view, picture, draw), once=True)


class Slider(ui.slider):
    LOOPBACK = False  # the server's echo of a key would undo those pressed meanwhile


def _walk(view: View):
    state = {}

    def new_ends():
        first, last = view.ask("sample_prior", "z", np.random.default_rng().integers(2**62, size=2))
        share = np.linspace(0, 1, WALK_STEPS + 1, dtype=np.float32)[:, None]
        state["x"] = view.ask("generate", "x", (1 - share) * first + share * last)

    def draw() -> str:
        if not state:
            new_ends()
        at = int(slider.value)
        return view.figure(state["x"][at : at + 1], f"step {at} of {WALK_STEPS}")

    async def restart():
        await run.io_bound(new_ends)
        await _show(view, picture, draw)

    with _card("From one code to another"):
        picture = _picture("what the model makes of the code between two others")
        slider = Slider(min=0, max=WALK_STEPS, value=0, on_change=lambda: _show(view, picture, draw))
        slider.props('label aria-label="Position between the two codes"')
        ui.button("Two other codes", on_click=restart)
    ui.timer(0, lambda: _show(view, picture, draw), once=True)


def _reconstruction(view: View):
    height, width, channels = view.shape

    async def upload(event: events.UploadEventArguments):
        try:
            original = Image.open(io.BytesIO(await event.file.read())).convert("L" if channels == 1 else "RGB")
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
            ui.notify(f"{event.file.name} is not a picture", type="negative")
            return
        pixels = np.asarray(original.resize((width, height)), np.float32).reshape(1, *view.shape)
        x = pixels / 127.5 - 1

        def draw() -> str:
            return view.figure(np.concatenate([x, view.ask("reconstruct", "x_hat", x)]), "")

        await _show(view, picture, draw)

    with _card("Reconstruction"):
        ui.label(
            f"Any picture; it is resized to {width} x {height}. Left the picture, right what the model makes of it."
        )
        picture = _picture("the picture beside its reconstruction")
        ui.upload(label="A picture", auto_upload=True, max_file_size=2**22, on_upload=upload).props(
            "accept=image/*"
        ).classes("w-full")


def _card(title: str) -> ui.card:
    with ui.card().classes("w-full max-w-md") as card, ui.element("h2").classes("text-lg"):
        ui.label(title)
    return card


def _picture(alt: str) -> ui.image:
    return ui.image().classes("w-full").props(f'alt="{alt}" no-transition')


async def _show(view: View, picture: ui.image, draw: Callable[[], str]):
    async with view.turn:  # or an older place of the slider could be drawn last
        picture.set_source(await run.io_bound(draw))
