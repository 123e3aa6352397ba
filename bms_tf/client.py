"""Samples from a server, TensorFlow Serving or bms_tf.serve: python -m bms_tf.client --model=ring --n=64 --out=grid.png

As a library: `Client(Grpc("localhost:8500"), "ring").predict("generate", z=codes)`.
"""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from absl import flags
from PIL import Image

from bms_tf.core import command, errors

try:
    import grpc
    import requests
    from urllib3.util import Timeout
except ImportError as error:
    missing = errors.missing(error.name, "serving")
    if __name__ == "__main__":
        raise SystemExit(f"error: {missing}") from None
    raise ImportError(missing, name=error.name) from error

EXAMPLE = "python -m bms_tf.client --server=localhost:8500 --model=ring --n=64 --out=grid.png"
ATTEMPTS = 5
FIRST_WAIT = 0.1  # seconds; doubled with each further attempt

_HTTP = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}

Arrays = Mapping[str, np.ndarray]


class ServerError(OSError):
    """What the server said instead of an answer."""

    def __init__(self, code: grpc.StatusCode, message: str):
        """Puts both into one line.

        Args:
            code: the gRPC status, also over REST.
            message: what the server said.
        """
        super().__init__(f"{code.name}: {message}")
        self.code = code


class Transport(Protocol):
    """One of the two protocols."""

    def predict(self, model: str, which: Mapping, signature: str, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        """What a signature makes of its inputs.

        Args:
            model: its name.
            which: {"version": 3}, {"label": "canary"} or empty for the newest version.
            signature: its name.
            inputs: by name, each [B, ...].
            outputs: names of the outputs that are wanted; () means all.
        """
        ...


class Grpc:
    """gRPC by the official stubs, which import TensorFlow."""

    def __init__(self, address: str, *, deadline: float = 30.0):
        """Opens a channel.

        Args:
            address: "host:port".
            deadline: seconds for a call with all of its retries.

        Raises:
            ValueError: where tensorflow-serving-api is not installed.
        """
        try:
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        except ImportError as error:
            raise ValueError(errors.missing(error.name, "serving")) from error

        wait = {"initialBackoff": f"{FIRST_WAIT}s", "maxBackoff": "2s", "backoffMultiplier": 2}
        retry = {"maxAttempts": ATTEMPTS, **wait, "retryableStatusCodes": ["UNAVAILABLE"]}
        options = [
            ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": retry}]})),
            ("grpc.max_receive_message_length", -1),
            ("grpc.per_rpc_retry_buffer_size", 64 * 2**20),  # a larger request is not tried again
        ]
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(address, options))
        self.deadline = deadline

    def predict(self, model: str, which: Mapping, signature: str, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest(output_filter=outputs)
        request.model_spec.name, request.model_spec.signature_name = model, signature
        if "version" in which:
            request.model_spec.version.value = which["version"]
        if "label" in which:
            request.model_spec.version_label = which["label"]
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        try:
            answer = self.stub.Predict(request, timeout=self.deadline)
        except grpc.RpcError as error:
            raise ServerError(error.code(), error.details() or "") from error
        return {name: tf.make_ndarray(proto) for name, proto in answer.outputs.items()}


class Rest:
    """JSON over HTTP, without TensorFlow. The arrays are bit-identical to those of gRPC."""

    def __init__(self, url: str, *, deadline: float = 30.0):
        """Opens a session.

        Args:
            url: "http://host:port".
            deadline: seconds until the answer begins, including all retries, and then between two pieces of the answer.
        """
        self.session = requests.Session()
        self.url, self.deadline, self._metadata = url.rstrip("/"), deadline, {}

    def predict(self, model: str, which: Mapping, signature: str, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        path = f"/v1/models/{model}" + "".join(f"/{kind}s/{value}" for kind, value in which.items())
        ends = time.monotonic() + self.deadline
        body = {"signature_name": signature, "inputs": {name: array.tolist() for name, array in inputs.items()}}
        try:
            types = self._types(ends, path, signature)
            named = self._answer(ends, "POST", f"{path}:predict", data=json.dumps(body))["outputs"]
            if not isinstance(named, dict):  # a single output goes without its name
                named = {name: named for name in types}
            arrays = {name: _array(named[name], types[name]) for name in types if not outputs or name in outputs}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"{self.url} does not answer as TensorFlow Serving does"
            raise ServerError(grpc.StatusCode.UNKNOWN, message) from error
        return {name: arrays[name] for name in outputs or types}

    def _types(self, ends: float, path: str, signature: str) -> dict[str, str]:
        """The outputs of a signature and their types, such as DT_FLOAT, which JSON does not tell."""
        if path not in self._metadata:
            metadata = self._answer(ends, "GET", f"{path}/metadata")["metadata"]
            self._metadata[path] = metadata["signature_def"]["signature_def"]
        # Of an unknown signature the server itself shall speak.
        outputs = self._metadata[path].get(signature, {}).get("outputs", {})
        return {name: info["dtype"] for name, info in outputs.items()}

    def _answer(self, ends: float, *request, **content) -> Any:
        """Asks again while the server is UNAVAILABLE, until `ends` on the clock of time.monotonic."""
        for attempt in range(ATTEMPTS - 1):
            try:
                return self._ask(ends, *request, **content)
            except ServerError as error:
                if error.code != grpc.StatusCode.UNAVAILABLE:
                    raise
            time.sleep(max(0.0, min(FIRST_WAIT * 2**attempt, ends - time.monotonic())))
        return self._ask(ends, *request, **content)

    def _ask(self, ends: float, method: str, path: str, **content) -> Any:
        left = ends - time.monotonic()
        try:
            if left <= 0:
                raise requests.Timeout
            timeout = Timeout(total=left)  # requests hands it on to urllib3
            answer = self.session.request(method, self.url + path, timeout=timeout, **content)  # pyright: ignore[reportArgumentType]
        except requests.Timeout as error:
            raise ServerError(grpc.StatusCode.DEADLINE_EXCEEDED, f"{self.url} gave no answer in time") from error
        except requests.RequestException as error:
            raise ServerError(grpc.StatusCode.UNAVAILABLE, f"{self.url} cannot be reached") from error
        if not answer.ok:
            raise ServerError(_HTTP.get(answer.status_code, grpc.StatusCode.UNKNOWN), answer.text)
        return answer.json()


def _array(value: list, dtype: str) -> np.ndarray:
    """Nested lists as an array of a type such as DT_FLOAT."""
    if dtype == "DT_STRING":
        return np.array([base64.b64decode(item["b64"]) for item in value], object)
    return np.array(value, {"DT_FLOAT": "float32"}.get(dtype, dtype.removeprefix("DT_").lower()))


class Client:
    """One model on one server."""

    def __init__(
        self,
        transport: Transport,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        max_rows: int = 64,
    ):
        """Names the model.

        Args:
            transport: how the server is reached, `Grpc` or `Rest`.
            model: its name on the server.
            version: its number. None takes the version with the label, or without a label the newest.
            label: the version's label, such as "stable" or "canary".
            max_rows: how many rows the server takes at once (`max_batch_size` in savedmodels/batching.config). More
                rows are sent in parts.

        Raises:
            ValueError: if both a version and a label are given, or `max_rows` is under 1.
        """
        if version is not None and label is not None:
            raise ValueError(f"version {version} and label {label!r} are given; it must be one of them")
        if max_rows < 1:
            raise ValueError(f"max_rows is {max_rows}; it must be at least 1")
        self.transport, self.model, self.max_rows = transport, model, max_rows
        self.which = {"version": version} if version is not None else {"label": label} if label is not None else {}

    def predict(
        self, signature: str = "serving_default", *, outputs: Sequence[str] = (), **inputs: np.ndarray
    ) -> dict[str, np.ndarray]:
        """What a signature makes of its inputs.

        Args:
            signature: its name.
            outputs: names of the outputs that are wanted; () means all.
            **inputs: by name, each [B, ...]. Floats are sent as float32 and integers as int64.

        Returns:
            The outputs by name, each [B, ...].

        Raises:
            ServerError: if the server answers with an error.
            ValueError: if inputs are no numbers, or have no rows, unequal numbers of rows, an integer beyond int64, or
                a value that is not finite. A server may merge requests, and models that older versions exported then
                fail all of them.
        """
        arrays = {name: _sent(name, np.asarray(value)) for name, value in inputs.items()}
        rows = {len(array) if array.ndim else 0 for array in arrays.values()}
        if len(rows) != 1 or 0 in rows:
            shapes = {name: array.shape for name, array in arrays.items()}
            raise ValueError(f"the inputs have shapes {shapes}; they must have equal numbers of rows, at least one")
        for name, array in arrays.items():
            finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
            if not finite.all():
                raise ValueError(f"{name} is not finite in row {finite.argmin()}")
        parts = [
            self.transport.predict(
                self.model,
                self.which,
                signature,
                {name: array[start : start + self.max_rows] for name, array in arrays.items()},
                outputs,
            )
            for start in range(0, rows.pop(), self.max_rows)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def sample(self, seeds: np.ndarray) -> np.ndarray:
        """One sample for each of `seeds`, int64 [B]: x [B, ...], images in [-1, 1]."""
        return self.predict("sample", outputs=["x"], seed=seeds)["x"]

    def images(self, seeds: np.ndarray) -> list[Image.Image]:
        """One image for each of `seeds`, int64 [B]; for a model of images of 1 or 3 channels."""
        pixels = self.predict("sample", outputs=["x_uint8"], seed=seeds)["x_uint8"]
        return [Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in pixels]


def _sent(name: str, array: np.ndarray) -> np.ndarray:
    """Floats as float32, integers and booleans as int64."""
    if not np.can_cast(array.dtype, np.float64, "same_kind"):
        raise ValueError(f"{name} is {array.dtype}; it must be of numbers")
    with np.errstate(over="ignore"):  # what becomes infinite is refused with all that is not finite
        sent = array.astype(np.int64 if array.dtype.kind in "biu" else np.float32)
    if sent.dtype == np.int64 and (sent != array).any():
        raise ValueError(f"{name} holds an integer beyond int64")
    return sent


def define_flags():
    """Not at import: a program that uses the library has flags of its own."""
    flags.DEFINE_string("server", "localhost:8500", "HOST:PORT for gRPC, http://HOST:PORT for REST.")
    flags.DEFINE_string("model", None, "The model's name.")
    flags.DEFINE_integer("version", None, "Its version; by default the newest.")
    flags.DEFINE_string("label", None, "Its version's label, such as stable or canary.")
    flags.DEFINE_integer("n", 64, "How many samples.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "The seed of the first sample; the others follow.")
    flags.DEFINE_string("out", "samples.png", "A .png of all samples, or a .npy of the array [n, ...].")
    flags.DEFINE_float("deadline", 30.0, "Seconds to wait for an answer.", lower_bound=0.001)


def main(_):
    """Parses the flags, asks for samples and writes them."""
    args = flags.FLAGS
    if not args.model:
        raise ValueError(f"--model is missing; for example: {EXAMPLE}")
    if not args.out.endswith((".png", ".npy")):
        raise ValueError(f"--out is {args.out!r}; it must end in .png or .npy")
    if "://" in args.server:
        transport = Rest(args.server, deadline=args.deadline)
    else:
        from bms_tf.core import startup

        startup.import_tensorflow()
        transport = Grpc(args.server, deadline=args.deadline)
    client = Client(transport, args.model, version=args.version, label=args.label)
    x = client.sample(args.seed + np.arange(args.n))
    if args.out.endswith(".npy"):
        np.save(args.out, x)
    else:
        from bms_tf import pictures  # late, for a fast --help

        pictures.samples_of(x, title=f"{args.n} samples of {args.model}").savefig(args.out)
    print(f"{args.out}: {args.n} samples of {args.model}, each {list(x.shape[1:])}")


if __name__ == "__main__":
    define_flags()
    command.run(main, EXAMPLE)
