"""One evaluation: every metric of one model, or of one set of samples, with its floor and its protocol."""

import datetime
import inspect
import math
import os
import platform
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

import bms_tf
from bms_tf.core import config, errors, gin_text
from bms_tf.core import metric as asked
from bms_tf.core.examples import Rows, as_floats, is_picture
from bms_tf.core.files import append_rows
from bms_tf.evaluation import data as real
from bms_tf.evaluation import features as networks
from bms_tf.evaluation import models, registry, sources, tables
from bms_tf.evaluation.features import Network
from bms_tf.evaluation.sources import Source
from bms_tf.evaluation.store import OnDisk, Store

SPREAD = "_std"  # the end of the name under which a metric gives the spread of another of its values
STORED = {"values": "values", "rows": "values", "features": "features", "logits": "logits"}


def evaluate(
    *,
    data: str | np.ndarray | None = None,
    model: str | None = None,
    samples: str | np.ndarray | None = None,
    metrics: Sequence[str | Callable] | None = None,
    features: str | Network | None = None,
    weights: str | None = None,
    resizer: str | None = None,
    signature: str | None = None,
    split: str = "test",
    floor_data: str | np.ndarray | None = None,
    training_data: str | np.ndarray | None = None,
    n: int | None = None,
    n_real: int | None = None,
    seed: int = 0,
    out: str | None = None,
    cache_dir: str | None = None,
    gin_file: Sequence[str] = (),
    gin_param: Sequence[str] = (),
    allow_import: Sequence[str] = (),
    report: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Scores of a model or of samples against real data.

    If `data` is a gin file, or gin files or parameters are given, they replace gin's configuration.

    Args:
        data: a gin file such as "gin/data/digits.gin", a folder of pictures, an .npz or an array. For a run, None takes
            the run's own data.
        model: a SavedModel, its folder NAME with versions, or the folder of a run; or
        samples: a folder of pictures, an .npz or an array.
        metrics: names (see `registry.listed`) or functions. None takes those of the gin file.
        features: the network, or its name: "values" for the numbers as they are, or one of `features.BY_NAME`. None
            takes the gin file's `train.features`, or for points their numbers.
        weights: the file or folder of a network that is given by name.
        resizer: how pictures get the size of a network that is given by name.
        signature: the model's signature that makes samples, see `core.model`.
        split: the split of a gin file's data with which samples are compared.
        floor_data: other real data, in the form of `data`, for the floor of a folder, an .npz or an array. None
            compares halves of the data.
        training_data: what the model was trained on, in the form of `data`, for metrics that look for copies of it.
        n: how many samples. None takes all samples that are given. For a model, it takes the gin file's
            `train.samples`, or as many as there are real examples.
        n_real: how many real examples; None takes all.
        seed: seeds the samples' codes and what is random in a metric.
        out: a file to which JSON lines are appended. The metrics' pictures are put beside it, named by the model or
            samples. None puts it beside the model or samples, or in the run folder, and nowhere for an array.
        cache_dir: where features are kept. None takes `bms_tf` in $XDG_CACHE_HOME or ~/.cache.
        gin_file: gin files; later ones override earlier ones.
        gin_param: settings, such as "precision_recall.k = 5".
        allow_import: modules of your own that gin files may import.
        report: is called with a line for each metric that is done.

    Returns:
        The lines, one for each value.

    Raises:
        ValueError: if something is wrong with the request, the files or the examples.
        OSError: if something cannot be read or written.
    """
    if (model is None) == (samples is None):
        raise ValueError("give a model or samples, one of the two")
    loaded = None if model is None else models.load(model, signature, allow_import)
    chosen = [registry.find(metric) if isinstance(metric, str) else metric for metric in metrics or ()]
    if data is None:
        data = os.path.join(model or "", "config.gin")  # the run's own
        if not os.path.isfile(data):
            raise ValueError("data is missing: a gin file, a folder of pictures or an .npz")
    files = [data] if real.is_gin_file(data) else []
    given: Mapping[str, Any] = {}
    if files or gin_file or gin_param:
        config.load([*files, *gin_file], gin_param, allow_import)
        given = real.settings()
    if real.is_gin_file(data):
        against = real.of_pipeline(given, data, split=split, n=n_real, seed=seed)
    else:
        against = real.of_files(data, floor=floor_data, training=training_data, n=n_real, seed=seed)
    chosen = chosen or list(given.get("metrics", ()))
    if not chosen:
        raise ValueError(f"metrics are missing; there are {', '.join(sorted(registry.listed()))}")
    if samples is not None:
        source = real.of_place(samples, count=n, seed=seed)
    else:
        assert loaded is not None and model is not None, "one of the two was given"
        count = n or given.get("samples") or against.reference.count
        source = sources.of_model(loaded.model, loaded.identity, model, count=count, seed=seed)
    if source.shape != against.reference.shape:
        raise ValueError(f"the samples have the shape {source.shape}, the data {against.reference.shape}")
    evaluation = Evaluation(
        loaded=loaded,
        source=source,
        against=against,
        network=_network(features, weights, resizer, given, source),
        store=Store(cache_dir or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "bms_tf", "evaluation")),
        metrics=chosen,
        seed=seed,
        out=out or beside(model if model is not None else samples),
        named=out is not None,
    )
    found = []
    for metric in chosen:
        rows = evaluation.measure(metric)
        found += rows
        if report is not None and rows:
            report(f"{metric.__name__}: {', '.join(tables.number(row) for row in rows)} ({rows[0]['seconds']} s)")
    return found


def _network(features, weights, resizer, given: Mapping[str, Any], source: Source) -> Network | None:
    if isinstance(features, str):
        return networks.named(features, weights, resizer)
    if weights or resizer:
        raise ValueError("weights and resizer belong to features that are named, such as inception")
    if features is not None:
        return features
    if "features" in given:
        with errors.in_one_line():
            return given["features"]()
    return None if is_picture(source.shape) else networks.Values()


def beside(place: str | np.ndarray | None) -> str | None:
    """The file of JSON lines of a model or of samples."""
    if not isinstance(place, str):
        return None
    if os.path.isfile(os.path.join(place, "config.gin")):  # a run
        return os.path.join(place, "evaluation.jsonl")
    folder = models.version_folder(place)
    if folder is None:
        place = os.path.normpath(place)
        return (place if os.path.isdir(place) else os.path.splitext(place)[0]) + ".evaluation.jsonl"
    versioned = os.path.basename(os.path.normpath(folder)).isdecimal()
    return os.path.join(os.path.dirname(os.path.normpath(folder)) if versioned else folder, "evaluation.jsonl")


@dataclass(frozen=True)
class Examples:
    """What was computed of some examples: by kind, rows of the same examples. `sha256`: of these; samples have none."""

    name: str
    sha256: str | None
    stored: Mapping[str, np.memmap]
    places: np.ndarray  # which of them these are

    @property
    def count(self) -> int:
        return len(self.places)

    def given(self, kind: str) -> np.ndarray | Rows:
        """As a metric that needs this kind is given them."""
        stored = self.stored[STORED[kind]]
        if STORED[kind] != "values":
            return stored if self.count == len(stored) else stored[self.places]
        rows = Rows(OnDisk(stored), places=self.places)  # pyright: ignore[reportArgumentType], read as an array is
        return rows if kind == "rows" else rows[:]

    def every_other(self, first: int) -> "Examples":
        return replace(self, places=self.places[first::2])


class Measured(NamedTuple):
    """What a metric says, how long it took, and the settings with which it did."""

    answer: Mapping[str, Any]
    seconds: float
    settings: Mapping[str, Any]


class Evaluation:
    """All that the metrics of one call share."""

    def __init__(self, *, loaded, source, against, network, store, metrics, seed, out, named):
        self.loaded, self.source, self.against, self.network = loaded, source, against, network
        self.store, self.seed, self.out = store, seed, out
        # A file that is named may take the lines of several models; one beside a model is of it alone.
        of = [os.path.normpath(source.name).strip(os.sep).replace(os.sep, "-")] if named else []
        self.pictures = out and ".".join([os.path.splitext(out)[0], *of])
        self.kinds = {STORED[asked.needs(metric)] for metric in metrics if asked.takes(metric) == "samples"}
        names = {name for metric in metrics for name in asked.parameters(metric)}
        if {"model", "sample_values"} & names:
            self.kinds.add("values")
        self._known: dict[str, Examples] = {}

    def examples(self, name: str, source: Callable[[], Source]) -> Examples:
        """What all metrics need of a source, from one pass over it."""
        if name not in self._known:
            found = source()
            wanted = {kind: {} if kind == "values" else dict(self._needed().protocol) for kind in self.kinds}
            stored = self.store.rows(found, wanted, self._compute)
            self._known[name] = Examples(found.name, found.identity.get("sha256"), stored, np.arange(found.count))
        return self._known[name]

    def _compute(self, stored: np.ndarray) -> dict[str, np.ndarray]:
        """The rows of all kinds for a batch of examples as they are stored."""
        rows = {"values": stored} if "values" in self.kinds else {}
        if self.kinds - {"values"}:
            answer = self._needed()(as_floats(stored))
            name = self.network.protocol["features"]
            for kind in self.kinds - {"values"}:
                if kind not in answer:
                    raise ValueError(f"the network {name!r} gives no {kind}")
                rows[kind] = np.asarray(answer[kind], np.float32)
                if not np.isfinite(rows[kind]).all():
                    raise ValueError(f"the network {name!r} gives {kind} that are not finite")
        return rows

    def _needed(self) -> Network:
        if self.network is None:
            raise ValueError("features are missing: pictures are compared in those of a network; see --features")
        return self.network

    def measure(self, metric: Callable) -> list[dict[str, Any]]:
        """The lines of one metric, which are written as they come."""
        reference = self.examples("reference", lambda: self.against.reference)
        if asked.takes(metric) == "model":
            if self.loaded is None:
                raise ValueError(f"{metric.__name__} needs a model; samples alone are given")
            measured = self._call(metric, self.loaded.model, reference.given("rows"))
            return self._record(metric, measured, {}, self._protocol(metric, measured, None, reference, None))
        generated = self.examples("samples", lambda: self.source)
        measured = self._of_samples(metric, generated, reference)
        other, compared = self._for_the_floor(metric, generated.count, reference)
        try:
            floor = self._of_samples(metric, other, compared).answer
        except ValueError as error:
            halves = "halves of the data (--floor_data names other real data)"
            of = halves if compared is not reference else other.name
            raise ValueError(f"the floor, of {of}: {error}") from error
        protocol = self._protocol(metric, measured, generated, reference, (other, compared))
        return self._record(metric, measured, asked.numbers(floor), protocol)

    def _for_the_floor(self, metric: Callable, count: int, reference: Examples) -> tuple[Examples, Examples]:
        """Real data in the samples' place, and what they are compared with."""
        looks_for_copies = "training" in asked.parameters(metric)
        if self.against.floor is None or self.against.floor_is_training and looks_for_copies:
            return reference.every_other(1), reference.every_other(0)
        return self.examples("floor", lambda: self.against.floor(count)), reference

    def _of_samples(self, metric: Callable, samples: Examples, reference: Examples) -> Measured:
        kind, names, more = asked.needs(metric), asked.parameters(metric), {}
        if "training" in names and self.against.training is not None:
            training = self.examples("training", self.against.training)
            more["training"] = training.given(kind)
            if "training_values" in names:
                more |= {"sample_values": samples.given("rows"), "training_values": training.given("rows")}
        return self._call(metric, samples.given(kind), reference.given(kind), **more)

    def _call(self, metric: Callable, *arrays: Any, **more: Any) -> Measured:
        begun = time.monotonic()
        with errors.in_one_line(), config.used() as used:
            answer = asked.answer_of(metric, *arrays, seed=self.seed, **more)
        return Measured(answer, round(time.monotonic() - begun, 3), settings_of(metric, used))

    def _protocol(self, metric, measured, generated, reference, floor) -> dict[str, Any]:
        takes_network = asked.takes(metric) == "samples" and STORED[asked.needs(metric)] != "values"
        return {
            "n_generated": generated and generated.count,
            "n_real": reference.count,
            "data": self.against.name,
            "split": self.against.split,
            "data_sha256": self.against.reference.identity["sha256"],
            **(self.network.protocol if takes_network else {"features": None}),
            **asked.words(measured.answer),
            "ema": self.loaded and self.loaded.ema,
            "signature": self.loaded and self.loaded.identity["signature"],
            "seed": self.seed,
            "settings": measured.settings,
            "floor": floor
            and {
                "n_generated": floor[0].count,
                "n_real": floor[1].count,
                "data": floor[0].name,
                "data_sha256": floor[0].sha256,
            },
        }

    def _record(self, metric, measured, floor, protocol) -> list[dict[str, Any]]:
        values = asked.numbers(measured.answer)
        spreads = {name for name in values if name.endswith(SPREAD) and name.removesuffix(SPREAD) in values}
        rows = [
            {
                "metric": metric.__name__,
                "name": name,
                "value": _finite(values[name]),
                "spread": _finite(values.get(name + SPREAD)),
                "floor": _finite(floor.get(name)),
                "floor_spread": _finite(floor.get(name + SPREAD)),
                "better": asked.better(metric, name),
                "of": self.source.name,
                "sha256": self.source.identity.get("model_sha256") or self.source.identity["sha256"],
                "protocol": protocol,
                "seconds": measured.seconds,
                "versions": _versions(),
                "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            }
            for name in values
            if name not in spreads
        ]
        if self.out is not None:
            os.makedirs(os.path.dirname(self.out) or ".", exist_ok=True)
            append_rows(self.out, rows)
            for name, figure in asked.figures(measured.answer).items():
                figure.savefig(f"{self.pictures}.{metric.__name__}.{name}.png")
        return rows


def settings_of(metric: Callable, used: Mapping[str, Any]) -> dict[str, Any]:
    """A metric's parameters, and those of all that it calls as `name.parameter`, in words that JSON has.

    `used`: what gin gave, see `config.used`. Defaults that gin has no words for, such as functions, are the metric's.
    """
    known = inspect.signature(metric).parameters
    settings = {
        name: p.default
        for name, p in known.items()
        if p.kind is p.KEYWORD_ONLY and name != "seed" and p.default is not p.empty
    }
    for name, value in used.items():
        of, _, parameter = name.rpartition(".")
        own = re.split(r"[/.]", of)[-1] == metric.__name__
        settings[parameter if own else name] = value
    return {name: _in_words(value) for name, value in settings.items()}


def _in_words(value: Any) -> Any:
    """A setting as JSON has it; a function, or a reference to one, by its name."""
    if isinstance(value, gin_text.Reference):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return [_in_words(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): _in_words(part) for key, part in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return f"@{getattr(value, '__name__', type(value).__name__)}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _versions() -> dict[str, str]:
    return {
        "bms_tf": bms_tf.__version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }
