"""The newest version of every SavedModel in a folder, and what their signatures answer."""

import contextlib
import functools
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2  # private in TensorFlow, and used here alone

from bms_tf.core import files

Value = TypeVar("Value")
CODES = {code.value[0]: code for code in grpc.StatusCode}
LONGEST_MESSAGE = 500  # characters: a request of many megabytes is not echoed, and gRPC sends it in a header


class Refused(Exception):
    """A request without an answer. TensorFlow Serving gives the status `code` to the same request."""

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}...")
        self.code = code


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def too_many() -> Refused:
    return Refused(grpc.StatusCode.UNAVAILABLE, "the server has as many requests as it takes; try again later")


class Model:
    """One version of a SavedModel, from its folder."""

    def __init__(self, name: str, version: int, folder: str):
        """Raises what TensorFlow raises for a folder that is no complete SavedModel."""
        with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
            self.signature_defs = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs[0].signature_def
        self.name, self.version, self.folder = name, version, folder
        self._loaded = tf.saved_model.load(folder)  # its signatures hold no reference to it
        self.signatures = dict(self._loaded.signatures)

    def extra(self, name: str) -> dict[str, Any]:
        """One of the JSON files that say where the model comes from. {} if it holds no object."""
        try:
            return files.read_json(os.path.join(self.folder, "assets.extra", name))
        except (OSError, ValueError):
            return {}

    @property
    def card(self) -> str:
        """The text of the model's card, without the metadata above it; "" without one."""
        try:
            with open(os.path.join(os.path.dirname(self.folder), "README.md"), encoding="utf-8") as file:
                return re.sub(r"\A---\n.*?^---\n", "", file.read(), flags=re.DOTALL | re.MULTILINE)
        except (OSError, ValueError):
            return ""

    def inputs(self, signature: str) -> dict[str, tf.TensorSpec]:
        """The inputs of a signature; "" is the default one. Raises Refused where there is none of that name."""
        name = signature or "serving_default"
        if name not in self.signatures:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        return dict(self.signatures[name].structured_input_signature[1])

    @functools.cached_property
    def numbers_in_a_row(self) -> int:
        """The most numbers in a row of any signature's inputs. An input without a definite shape counts a million."""
        rows = ([spec.shape[1:].num_elements() or 2**20 for spec in self.inputs(n).values()] for n in self.signatures)
        return max(map(sum, rows), default=0)


class Models:
    """All models of a folder `<name>/<version>/`, each in its newest version that can be loaded."""

    def __init__(self, model_dir: str, *, max_rows: int, max_requests: int = 256, warn: Callable[[str], None] = print):
        """Allows `max_rows` a request and `max_requests` at once. `warn` hears of each version that cannot be loaded.

        Raises ValueError for a folder without any model.
        """
        if not os.path.isdir(model_dir):
            raise ValueError(f"{model_dir} does not exist; it must be a folder of models, <name>/<version>/")
        self.max_rows, self._free = max_rows, threading.Semaphore(max_requests)
        names = sorted(name for name in os.listdir(model_dir) if not name.startswith("."))  # as of an unfinished export
        newest = (_newest(model_dir, name, warn) for name in names)
        self.by_name = {model.name: model for model in newest if model}
        if not self.by_name:
            raise ValueError(f"{model_dir} holds no model that can be loaded; it must hold <name>/<version>/")

    def find(self, name: str, version: int | None = None, label: str = "") -> Model:
        """The model of that name. Raises Refused if there is none, or another version alone is served."""
        if not name:
            raise invalid("ModelSpec has no name specified.")
        if label:  # labels are given in Serving's models.config
            raise invalid(f"Unrecognized servable version label: {label}")
        model = self.by_name.get(name)
        if model is None or version not in (None, model.version):
            which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {which}")
        return model

    def status(self, name: str, version: int | None = None) -> Model:
        """The model whose state is asked for, whatever the label. Raises Refused where it is not served."""
        model = self.by_name.get(name)
        if model is None:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        if version not in (None, model.version):
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Could not find version {version} of model {name}")
        return model

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """Counts the request inside among those that are answered at once. Raises Refused for one too many."""
        if not self._free.acquire(blocking=False):
            raise too_many()
        try:
            yield
        finally:
            self._free.release()

    def predict(
        self,
        model: Model,
        signature: str,
        values: Mapping[str, Value],
        decode: Callable[[Value, tf.TensorSpec, int], tf.Tensor],
        outputs: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """The outputs named in `outputs`, or all. `decode(value, spec, max_rows)` makes a tensor of each of `values`.

        Raises Refused as TensorFlow Serving would, and for a row that is not finite.
        """
        specs = model.inputs(signature)
        if values.keys() != specs.keys():
            raise invalid(f"input names do not match the signature: received {sorted(values)}, needed {sorted(specs)}")
        function = model.signatures[signature or "serving_default"]
        unknown = sorted(set(outputs) - set(function.structured_outputs))
        if unknown or len(set(outputs)) < len(outputs):
            raise invalid(
                f"outputs are {list(outputs)}; each may be named once, of {sorted(function.structured_outputs)}"
            )
        try:
            tensors = {name: decode(values[name], spec, self.max_rows) for name, spec in specs.items()}
            check_rows(tensors)
            answer = function(**tensors)
            return {name: answer[name].numpy() for name in outputs or answer}
        except tf.errors.OpError as error:
            # Before the node's name, behind where it was traced.
            message = error.message.split("\n\t [[")[0].strip().splitlines()[-1]
            raise Refused(CODES[error.error_code], message) from error


def check_shape(shape: Sequence[int | None], spec: tf.TensorSpec, max_rows: int):
    """Raises Refused if `shape` is not `spec`'s, or has more than `max_rows` rows, before memory is taken."""
    rows = shape[0] if shape else None
    if rows is None or not (tf.TensorShape(shape).is_fully_defined() and spec.shape.is_compatible_with(shape)):
        raise invalid(f"input {spec.name} has shape {list(shape)}; it must be {spec.shape.as_list()}")
    if rows > max_rows:  # as Serving's batching says it
        raise invalid(f"Task size {rows} is larger than maximum input batch size {max_rows}")


def check_rows(tensors: Mapping[str, tf.Tensor]):
    """Raises Refused for no rows, unequal numbers of rows, and a row that is not finite, whatever the graph says."""
    rows = {name: int(tensor.shape[0]) for name, tensor in tensors.items()}
    if len(set(rows.values())) > 1 or 0 in rows.values():
        raise invalid(f"inputs must have equal numbers of rows, at least one; they have {rows}")
    for name, tensor in tensors.items():
        if tensor.dtype.is_floating:
            finite = np.isfinite(tensor.numpy()).reshape(rows[name], -1).all(axis=1)
            if not finite.all():
                raise invalid(f"input {name} is not finite in row {finite.argmin()}")


def _newest(model_dir: str, name: str, warn: Callable[[str], None]) -> Model | None:
    folder = os.path.join(model_dir, name)
    if not os.path.isdir(folder):
        return None
    for version in sorted(filter(is_version, os.listdir(folder)), key=int, reverse=True):
        try:
            return Model(name, int(version), os.path.join(folder, version))
        except (OSError, ValueError, IndexError, KeyError, AttributeError, DecodeError, tf.errors.OpError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            warn(f"{folder}/{version} cannot be loaded and is left out: {reason}")
    return None


def is_version(text: str) -> bool:
    """Whether `text` is a version number as TensorFlow Serving reads it: ASCII digits, of 63 bits at most."""
    return text.isascii() and text.isdecimal() and len(text) < 20 and int(text) < 2**63
