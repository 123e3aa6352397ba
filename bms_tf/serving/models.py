"""The newest version of every SavedModel in a folder, and what their signatures answer."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

Value = TypeVar("Value")
CODES = {code.value[0]: code for code in grpc.StatusCode}


class Refused(Exception):
    """A request without an answer; `code` is the status that TensorFlow Serving gives to the same request."""

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


class Model:
    """One version of a SavedModel, from its folder."""

    def __init__(self, name: str, version: int, folder: str):
        """Raises what TensorFlow raises for a folder that is no complete SavedModel."""
        with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
            self.signature_defs = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs[0].signature_def
        self.name, self.version, self.folder = name, version, folder
        self._loaded = tf.saved_model.load(folder)  # its signatures hold no reference to it
        self.signatures = dict(self._loaded.signatures)

    def extra(self, name: str) -> str | None:
        """The path of one of the files that say where the model comes from, if it is there."""
        path = os.path.join(self.folder, "assets.extra", name)
        return path if os.path.isfile(path) else None

    def inputs(self, signature: str) -> dict[str, tf.TensorSpec]:
        """The inputs of a signature, "" being the default one. Raises Refused where there is none of that name."""
        name = signature or "serving_default"
        if name not in self.signatures:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        return dict(self.signatures[name].structured_input_signature[1])


class Models:
    """All models of a folder `<name>/<version>/`, each in its newest version that can be loaded."""

    def __init__(self, model_dir: str, *, max_rows: int, warn: Callable[[str], None] = print):
        """`max_rows`: of one request; `warn` hears of each version that cannot be loaded. Raises ValueError for a
        folder without any model."""
        if not os.path.isdir(model_dir):
            raise ValueError(f"{model_dir} does not exist; it must be a folder of models, <name>/<version>/")
        self.max_rows = max_rows
        newest = (_newest(model_dir, name, warn) for name in sorted(os.listdir(model_dir)))
        self.by_name = {model.name: model for model in newest if model}
        if not self.by_name:
            raise ValueError(f"{model_dir} holds no model that can be loaded; it must hold <name>/<version>/")

    def find(self, name: str, version: int | None = None, label: str = "") -> Model:
        """Raises Refused if there is no such model, or another version alone is served."""
        if not name:
            raise invalid("ModelSpec has no name specified.")
        if label:  # they are given in Serving's models.config
            raise invalid(f"Unrecognized servable version label: {label}")
        model = self.by_name.get(name)
        if model is None or version not in (None, model.version):
            which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {which}")
        return model

    def predict(
        self,
        model: Model,
        signature: str,
        values: Mapping[str, Value],
        decode: Callable[[Value, tf.TensorSpec, int], tf.Tensor],
        outputs: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """The outputs named in `outputs`, or all; `decode(value, spec, max_rows)` makes tensors of the `values`.

        Raises Refused as TensorFlow Serving would.
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
            answer = function(**{name: decode(values[name], spec, self.max_rows) for name, spec in specs.items()})
            return {name: answer[name].numpy() for name in outputs or answer}
        except tf.errors.OpError as error:
            # Before the node's name, behind where it was traced.
            message = error.message.split("\n\t [[")[0].strip().splitlines()[-1]
            raise Refused(CODES[error.error_code], message) from error


def check_shape(shape: Sequence[int | None], spec: tf.TensorSpec, max_rows: int):
    """Raises Refused if `shape` is not `spec`'s, or has more than `max_rows` rows: before the memory is taken."""
    if not (tf.TensorShape(shape).is_fully_defined() and spec.shape.is_compatible_with(shape)):
        raise invalid(f"input {spec.name} has shape {list(shape)}; it must be {spec.shape.as_list()}")
    if shape[0] > max_rows:
        raise invalid(f"input {spec.name} has {shape[0]} rows; at most {max_rows} are allowed")


def _newest(model_dir: str, name: str, warn: Callable[[str], None]) -> Model | None:
    folder = os.path.join(model_dir, name)
    versions = [int(v) for v in os.listdir(folder) if v.isdecimal()] if os.path.isdir(folder) else []
    for version in sorted(versions, reverse=True):
        path = os.path.join(folder, str(version))
        try:
            return Model(name, version, path)
        except (OSError, ValueError, IndexError, KeyError, AttributeError, DecodeError, tf.errors.OpError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            warn(f"{path} cannot be loaded and is left out: {reason}")
    return None
