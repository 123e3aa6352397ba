"""A page to look at a model: fresh samples, a walk between two codes, the density in 2-D, reconstructions, its card."""

import base64
import functools
import io
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from fastapi import FastAPI
from matplotlib.figure import Figure
from nicegui import events, run, ui

from bms_tf import pictures
from bms_tf.serving import uploads
from bms_tf.serving.models import Model, Models

SIGNATURES = {"generate", "sample", "sample_prior"}  # without which there is nothing to show
SAMPLES, DENSITY_SAMPLES, WALK_STEPS = 64, 5000, 20
MAX_UPLOAD = 32 * 2**20  # bytes
# Both color schemes show a picture's frame: its numbers and lines are of a gray that is seen on white and on black.
INK = "#808080"


def application(models: Models) -> FastAPI:
    """The page as an ASGI application, whose lifespan must be run."""
    logging.getLogger("nicegui").setLevel(logging.ERROR)  # it warns of each path that is not there
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    ui.page("/", title="bms_tf", language="en-US", dark=None)(lambda: _page(models))
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
            _about(view.model)

    names = sorted(name for name, model in models.by_name.items() if SIGNATURES <= model.signatures.keys())
    ui.colors(primary="#1565c0")  # white can be read on it
    with ui.header().classes("items-center"), ui.element("h1").classes("text-xl"):
        ui.label("What a model makes")
    if not names:
        ui.label("The models that are served here are of another kind, and are not shown.")
        return
    ui.select(names, value=names[0], label="Model", on_change=lambda e: model_cards.refresh(e.value)).classes("w-full")
    model_cards(names[0])


class View:
    """One model as the page sees it: arrays in and out, and figures of them."""

    def __init__(self, models: Models, model: Model):
        self.models, self.model = models, model
        self.shape = tuple(model.signatures["generate"].structured_outputs["x"].shape[1:])
        self.is_image = len(self.shape) == 3
        self.is_plane = self.shape == (2,)
        self.modes = _modes(model) if self.is_plane else None

    def ask(self, signature: str, output: str, value: np.ndarray) -> np.ndarray:
        (name,) = self.model.inputs(signature)
        parts = np.array_split(value, -(-len(value) // self.models.max_rows))
        decode = lambda part, spec, max_rows: tf.constant(part, spec.dtype)  # noqa: E731
        return np.concatenate(
            [self.models.predict(self.model, signature, {name: part}, decode)[output] for part in parts]
        )

    def figure(self, x: np.ndarray) -> Figure:
        """Draws x [N, ...] as what it is, see `pictures.samples_of`."""
        return pictures.samples_of(x, self.modes)


@functools.cache
def _ratio(shape: tuple[int, ...], count: int) -> float:
    """The width over the height of a figure of `count` examples. Drawing one takes tens of milliseconds."""
    width, height = pictures.samples_of(np.zeros((count, *shape), np.float32)).get_size_inches()
    return width / height


def _modes(model: Model) -> np.ndarray | None:
    """The true modes [M, 2], where the model's metadata has them."""
    try:
        return np.array(model.extra("metadata.json").get("modes"), np.float32).reshape(-1, 2)
    except (TypeError, ValueError):
        return None


class Picture:
    """A place for a figure. Of the figures that are asked for while one is drawn, only the last is drawn then."""

    def __init__(self, alt: str, caption: str = "", *, ratio: float | None = None):
        """`ratio`: width over height, by which the place is kept free until the first figure comes."""
        self.image = ui.image().classes("w-full").props(f'alt="{alt}" no-transition')
        self.caption = ui.label(caption).classes("text-caption")
        if ratio is None:
            self._set_visibility(False)
        else:
            self.image.props(f"ratio={ratio}")
        self._next: Callable[[], Figure] | None = None
        self._is_drawing = False

    async def show(self, draw: Callable[[], Figure]):
        self._next = draw
        if self._is_drawing:
            return
        self._is_drawing = True
        try:
            while self._next is not None:
                draw, self._next = self._next, None
                source = await run.io_bound(lambda draw=draw: _data_url(draw()))
                if source is None or self.image.is_deleted:  # the server ends, or another model was chosen meanwhile
                    return
                self.image.set_source(source)
                self._set_visibility(True)
        finally:
            self._is_drawing = False

    def _set_visibility(self, is_visible: bool):
        self.image.set_visibility(is_visible)
        self.caption.set_visibility(is_visible)


def _data_url(figure: Figure) -> str:
    """A URL that holds the picture. A file could be gone when the browser asks for it."""
    for axes in figure.axes:
        axes.tick_params(colors=INK, which="both")
        axes.xaxis.label.set_color(INK)
        axes.yaxis.label.set_color(INK)
        if (legend := axes.get_legend()) is not None:
            for text in legend.get_texts():
                text.set_color(INK)
    figure.patch.set_alpha(0.0)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


def _samples(view: View):
    count = DENSITY_SAMPLES if view.is_plane else SAMPLES
    what = f"{count:,} samples" + ("; the brighter, the more" if view.is_plane else "")

    def draw() -> Figure:
        return view.figure(view.ask("sample", "x", np.random.default_rng().integers(2**62, size=count)))

    with _card("Density of fresh samples" if view.is_plane else "Fresh samples"):
        picture = Picture(what, what, ratio=_ratio(view.shape, count))
        ui.button("New samples", on_click=lambda: picture.show(draw))
    ui.timer(0, lambda: picture.show(draw), once=True)


class Slider(ui.slider):
    LOOPBACK = False  # the server's echo of a key would undo those pressed meanwhile


def _walk(view: View):
    state = {}

    def new_ends():
        first, last = view.ask("sample_prior", "z", np.random.default_rng().integers(2**62, size=2))
        share = np.linspace(0, 1, WALK_STEPS + 1, dtype=np.float32)[:, None]
        state["x"] = view.ask("generate", "x", (1 - share) * first + share * last)

    def position() -> int:
        return int(slider.value or 0)

    def draw() -> Figure:
        if not state:
            new_ends()
        at = position()
        return pictures.walk(state["x"], at, view.modes) if view.is_plane else view.figure(state["x"][at : at + 1])

    def show():
        picture.caption.set_text(f"step {position()} of {WALK_STEPS}")
        return picture.show(draw)

    def restart():
        state.clear()
        return show()

    with _card("From one code to another"):
        picture = Picture(
            "what the model makes of the code between two others",
            f"step 0 of {WALK_STEPS}",
            ratio=_ratio(view.shape, 1),
        )
        slider = Slider(min=0, max=WALK_STEPS, value=0, on_change=show)
        slider.props('label aria-label="Position between the two codes"')
        slider.on("keydown.home.prevent", lambda: slider.set_value(0))
        slider.on("keydown.end.prevent", lambda: slider.set_value(WALK_STEPS))
        ui.button("Two other codes", on_click=restart)
    ui.timer(0, show, once=True)


def _reconstruction(view: View):
    height, width, _ = view.shape

    async def upload(event: events.UploadEventArguments):
        try:
            x = await run.io_bound(uploads.read, await event.file.read(), view.shape)
        except ValueError as error:
            ui.notify(f"{event.file.name} cannot be used: {error}", type="negative")
            return
        if x is not None:  # else the server ends
            await picture.show(lambda: view.figure(np.stack([x, *view.ask("reconstruct", "x_hat", x[None])])))

    def refused():
        ui.notify(f"Only pictures of up to {MAX_UPLOAD // 2**20} MB, PNG or JPEG, can be used", type="negative")

    ui.add_css(".q-uploader__subtitle { display: none }")  # it says 0.0B / 0.00% before a file is chosen
    with _card("Reconstruction"):
        ui.label(f"A picture of your own, PNG or JPEG; its central square is resized to {width} x {height}.")
        picture = Picture(
            "the picture beside its reconstruction",
            "On the left is the picture, on the right what the model makes of it.",
        )
        ui.upload(
            label="A picture", auto_upload=True, max_file_size=MAX_UPLOAD, on_upload=upload, on_rejected=refused
        ).props('accept="image/png,image/jpeg"').classes("w-full")


def _about(model: Model):
    """The version, the scores and the card."""
    metadata, scores = model.extra("metadata.json"), model.extra("scores.json")
    with _card(f"About {model.name}, version {model.version}"):
        facts = {
            "system": metadata.get("system"),
            "updates": metadata.get("generator_updates"),
            "seed": metadata.get("seed"),
            "exported by": metadata.get("bms_tf") and f"bms_tf {metadata['bms_tf']}",
        }
        ui.label(", ".join(f"{name} {value}" for name, value in facts.items() if value is not None))
        of = {column: scores[column] for column in ("samples", "data") if isinstance(scores.get(column), dict)}
        if "samples" in of:
            columns = [{"name": name, "label": name, "field": name, "align": "left"} for name in ("score", *of)]
            rows = [
                {"score": name, **{column: _number(values.get(name)) for column, values in of.items()}}
                for name in of["samples"]
            ]
            ui.table(columns=columns, rows=rows, row_key="score").props("dense flat wrap-cells").classes("w-full")
        if model.card:
            with ui.expansion("Model card").classes("w-full"):
                # A name such as hq_percent keeps its underscores, and the card's titles are below the page's.
                text = ui.markdown(model.card, extras=["tables", "code-friendly"])
                text.classes("w-full overflow-auto [&_h1]:!text-lg [&_h2]:!text-base")


def _number(value: Any) -> str:
    try:
        return f"{value:.3g}"
    except (TypeError, ValueError, OverflowError):  # whatever a model of others has there
        return ""


def _card(title: str) -> ui.card:
    with ui.card().classes("w-full max-w-md") as card, ui.element("h2").classes("text-lg"):
        ui.label(title)
    return card
