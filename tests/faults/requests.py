"""Requests to the server of models that are wrong in any part: each gets a status, and the server goes on as before.

A method, a path, a header, the framing, the body; tensors that are no tensors; bytes that are neither.
"""

import contextlib
import gzip
import json
import re
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from bms_tf.client import Client
from tests.serving.conftest import MODELS, Server, local_server

SIGNATURES = ["generate", "sample", "posterior", "log_posterior", "encode", "discriminate", "nothing", ""]
# In the place of a number, a list or a name.
WORDS = ["NaN", "1e999", "-1", "null", "[]", "{}", '"z"', "true", "9" * 20, "\\u0000", "[[[[", '{"b64":"x"}', '"' * 3]
PATHS = [
    *["/v1/models/ring:predict"] * 8,
    "/v1/models/ring",
    "/v1/models/ring/metadata",
    "/v1/models/ring/versions/1",
    "/v1/models/ring/versions/1:predict",
    "/v1/models/ring/labels/stable/metadata",
    "/v1/models/nowhere:predict",
    "/v1/models",
    "/",
    "/docs",
    "/_nicegui/1/static/nicegui.css",
]
METHODS = [*["POST"] * 6, "GET", "GET", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "FOO", "post", ""]
# Of HTTP, but for those that say that the server is at fault.
ANSWER = re.compile(rb"HTTP/1\.1 (?:[1234]\d\d|501|503) ")
# Faults of the server; UNKNOWN is what gRPC gives for an exception of Python.
FAULTS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
PATIENCE, LULL = 300, 0.5  # seconds for an answer, and until it is asked whether one comes


def scenarios(scratch: Path) -> Iterator["Requests"]:
    """One for each kind of request, all to one server of its own."""
    scratch.mkdir(parents=True, exist_ok=True)
    log = scratch / "server.log"
    with local_server(errors=log) as server:
        yield from (kind(server, log) for kind in KINDS)


class Requests:
    """Requests of one kind to a server; `log`: what it says, if that is kept."""

    def __init__(self, server: Server, log=None):
        self.name, self.server, self.log = f"requests {type(self).__name__.lower()}", server, log
        self.lost: list[str] = []
        self.expected = tf.saved_model.load(str(MODELS / "ring/1")).signatures["sample"](
            seed=tf.range(3, dtype="int64")
        )

    def fault(self, draw: Random) -> str:
        """Sends one request; returns what it was and what came back."""
        raise TypeError(f"{type(self).__name__} must define fault()")

    def losses(self) -> list[str]:
        """What went wrong, and whether the server still answers as before."""
        try:
            x = Client(self.server.grpc(), "ring").sample(np.arange(3))
            if not np.array_equal(x, self.expected["x"]):
                self.lost.append("the server answers otherwise than before")
        except OSError as error:
            self.lost.append(f"the server does not answer: {error}")
        if self.log is not None:
            if said := self.log.read_text():
                self.lost.append(f"the server says: {said[-500:]}")
        return self.lost


class Http(Requests):
    """Whole requests of which a part or two are wrong."""

    def fault(self, draw: Random) -> str:
        method, path, headers, body = "POST", "/v1/models/ring:predict", {"Host": "localhost"}, rest_body(draw)
        for part in draw.sample(["method", "path", "headers", "framing", "body"], draw.choice([1, 1, 1, 2, 3])):
            if part == "method":
                method = draw.choice(METHODS)
            elif part == "path":
                path = wrong_path(draw)
            elif part == "headers":
                headers |= wrong_headers(draw)
            elif part == "body":
                body = mutated(body, draw)
        head = {**headers, "Connection": "close", "Content-Length": str(len(body))}
        if headers.get("Content-Encoding") == "gzip" and draw.random() < 0.7:
            body = gzip.compress(body)
            head["Content-Length"] = str(len(body))
        elif draw.random() < 0.1:
            body, head = wrong_framing(body, head, draw)
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
        return self.exchange("\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body)

    def exchange(self, request: bytes) -> str:
        shown = repr(request[:120])
        try:
            answer = exchanged(self.server, request)
        except TimeoutError:
            self.lost.append(f"no answer in {PATIENCE} s to {request!r}"[:2000])
            return f"{shown} -> nothing"
        if answer and (not ANSWER.match(answer) or b"Traceback" in answer):
            self.lost.append(f"{request!r} -> {answer[:500]!r}"[:4000])
        head, _, content = answer.partition(b"\r\n\r\n")
        if b" 403 " in head[:15] or (b" 400 " in head[:15] and b"application/json" in head):
            with contextlib.suppress(ValueError):
                if content and list(json.loads(content)) != ["error"]:
                    self.lost.append(f"{request!r} -> {answer[:500]!r}"[:4000])
        return f"{shown} -> {answer[:15]!r}"


class Bytes(Http):
    """What need not be HTTP at all."""

    def fault(self, draw: Random) -> str:
        request = (
            b"POST /v1/models/ring:predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
        )
        if draw.random() < 0.1:
            request = draw.choice(
                [draw.randbytes(100), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01" * 30, b"\r\n" * 9]
            )
        return self.exchange(mutated(request, draw))


class Grpc(Requests):
    """Messages that are well formed and wrong, and bytes that may be no message at all."""

    METHODS = (*["PredictionService/Predict"] * 8, "PredictionService/GetModelMetadata", "ModelService/GetModelStatus")

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.channel = grpc.insecure_channel(self.server.address)

    def fault(self, draw: Random) -> str:
        method, data = draw.choice(self.METHODS), grpc_message(draw)
        call = self.channel.unary_unary(f"/tensorflow.serving.{method}").future(data, timeout=PATIENCE)
        code, details = call.code(), call.details() or ""
        unreadable = code == grpc.StatusCode.INTERNAL and ("cannot be read" in details or "deserializ" in details)
        if (code in FAULTS and not unreadable) or "Traceback" in details:
            self.lost.append(f"{method} {data!r} -> {code}: {details}"[:4000])
        return f"{method} {data[:60]!r} -> {code.name}"

    def losses(self) -> list[str]:
        self.channel.close()
        return super().losses()


KINDS = (Http, Bytes, Grpc)


def exchanged(server: Server, request: bytes) -> bytes:
    """All that comes back until the connection is closed."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        with contextlib.suppress(ConnectionError):  # it may be closed before all is sent
            connection.sendall(request)
            # One that the server takes for half of a request is ended. At once, it would take any asker for gone.
            if not select.select([connection], [], [], LULL)[0]:
                connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(2**16):
                answer += data
    return answer


def mutated(data: bytes, draw: Random) -> bytes:
    """One to four times some bytes dropped, doubled or replaced."""
    data = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at, length = draw.randrange(len(data) + 1), draw.choice([0, 1, 1, 4, 40])
        new = data[at : at + length] * 2 if draw.random() < 0.3 else draw.randbytes(draw.choice([0, 1, 1, 8]))
        data[at : at + length] = new
    return bytes(data)


def rest_body(draw: Random) -> bytes:
    """A body for some signature, with another value in the place of a token half of the time."""
    rows = [[0.0] * 32]
    values = draw.choice(
        [rows, {"z": rows}, {"x": [[0.0, 0.0]]}, {"seed": [1]}, {"z": rows, "x": [[1, 2]]}, rows * 100]
    )
    body = json.dumps({"signature_name": draw.choice(SIGNATURES), draw.choice(["instances", "inputs"]): values})
    if draw.random() < 0.5:
        tokens = re.findall(r'"[^"]*"|[\d.]+|[][{}:,]|\s+', body)
        tokens[draw.randrange(len(tokens))] = draw.choice(WORDS)
        body = "".join(tokens)
    return body.encode()


def wrong_path(draw: Random) -> str:
    path = draw.choice(PATHS)
    for _ in range(draw.choice([0, 1, 1, 2])):
        at = draw.randrange(len(path) + 1)
        piece = draw.choice(
            [
                "%00",
                "%2F",
                "%",
                "%zz",
                "//",
                "..",
                "/../",
                "?",
                "?a=b",
                "#",
                ":",
                ";",
                "é",
                "\x7f",
                "x" * 4000,
                "9" * 30,
            ]
        )
        path = path[:at] + piece + path[at + draw.choice([0, 0, 1, 5]) :]
    return path.upper() if draw.random() < 0.1 else path


def wrong_headers(draw: Random) -> dict[str, str]:
    return draw.choice(
        [
            {"Host": draw.choice(["", "evil.example", "[::1", "localhost:x", "a" * 300, "\xff", "127.0.0.1:8501"])},
            {"Origin": draw.choice(["null", "http://evil.example", "http://[::1", "http://localhost", ""])},
            {"Content-Encoding": draw.choice(["gzip", "gzip", "deflate", "br", "gzip, gzip", "x" * 100])},
            {
                "Content-Type": draw.choice(
                    ["text/html", "multipart/form-data", "application/json; charset=latin-1", ""]
                )
            },
            {"Expect": draw.choice(["100-continue", "200-ok"])},
            {"Upgrade": draw.choice(["websocket", "h2c"]), "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"},
            {f"X-{i}": "y" for i in range(draw.choice([1, 50, 300]))},
            {"X-Long": "y" * draw.choice([1000, 100_000])},
            {"Range": "bytes=0-1", "Accept": "image/*", "Accept-Encoding": "zstd", "Cookie": "=;=;"},
            {"X Bad": "a"},
            {"X-Null": "a\x00b"},
            {"Transfer-Encoding": draw.choice(["chunked", "identity", "chunked, chunked", "gzip"])},
        ]
    )


def wrong_framing(body: bytes, head: dict[str, str], draw: Random) -> tuple[bytes, dict[str, str]]:
    """A body that is longer or shorter than it says, or in chunks that are none."""
    if draw.random() < 0.5:
        length = draw.choice(
            ["-1", "x", "", str(len(body) + 5), str(len(body) // 2), "9" * 30, f"{len(body)}, 3", "0x10"]
        )
        return body, {**head, "Content-Length": length}
    del head["Content-Length"]
    size = draw.choice([b"%x" % len(body), b"%x" % (len(body) + 9), b"zz", b"-5", b"f" * 20])
    return size + b"\r\n" + body + b"\r\n0\r\n\r\n", {**head, "Transfer-Encoding": "chunked"}


def grpc_message(draw: Random) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = draw.choice(["ring"] * 8 + ["", "x", "x" * 10_000])
    request.model_spec.signature_name = draw.choice(SIGNATURES)
    if draw.random() < 0.1:
        request.model_spec.version.value = draw.choice([0, 1, -1, 2**62])
    if draw.random() < 0.1:
        request.model_spec.version_label = "stable"
    for name in draw.sample(["z", "x", "seed", ""], draw.choice([0, 1, 1, 2])):
        request.inputs[name].CopyFrom(_tensor(draw))
    request.output_filter.extend(draw.sample(["x", "z", "nothing"], draw.choice([0, 0, 1])))
    data = request.SerializeToString()
    return mutated(data, draw) if draw.random() < 0.5 else data


def _tensor(draw: Random):
    """One that may have another type, shape or number of values than it says."""
    shape = [draw.choice([0, 1, 2, 32, -1, 2**40]) for _ in range(draw.choice([0, 1, 2, 2, 2, 3]))]
    proto = tf.make_tensor_proto(np.zeros([1, 32], draw.choice(["f4", "f8", "i8", "u1"])))
    if draw.random() < 0.7:
        del proto.tensor_shape.dim[:]
        for size in shape:
            proto.tensor_shape.dim.add(size=size)
        proto.tensor_shape.unknown_rank = draw.random() < 0.1
    if draw.random() < 0.3:
        number = draw.choice([0.0, float("nan"), 1e38])
        proto.tensor_content, proto.float_val[:] = b"", [number] * draw.choice([0, 1, 32])
    proto.dtype = draw.choice([proto.dtype, proto.dtype, 0, 1, 7, 99])
    return proto
