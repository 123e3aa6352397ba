"""Thousands of mutated requests over both protocols: each gets a status, none a traceback, and the server goes on."""

import http.client
import itertools
import json
import random
import re
import socket

import grpc
import numpy as np
import pytest

from bms_tf.client import Client

pytestmark = pytest.mark.slow
REQUESTS = 3000  # of each protocol
# Faults of the server; UNKNOWN is what gRPC gives for an exception of Python.
OURS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
SIGNATURES = ["generate", "sample", "posterior", "log_posterior", "encode", "discriminate", ""]
WORDS = [
    "NaN",
    "1e999",
    "-1",
    "null",
    "[]",
    "{}",
    '"z"',
    "true",
    "99999999999999999999",
    "\\u0000",
    "[[[[",
    '{"b64":"x"}',
]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One to four bytes flipped, dropped, doubled or inserted."""
    data = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        length = chance.choice([0, 1, 1, 4, 40])
        new = data[at : at + length] * 2 if chance.random() < 0.3 else chance.randbytes(chance.choice([0, 1, 1, 8]))
        data[at : at + length] = new
    return bytes(data)


@pytest.fixture
def alive(server, ring):
    """Afterwards the server still answers, and as before."""
    yield
    seeds = np.arange(3)
    np.testing.assert_array_equal(
        Client(server.grpc(), "ring").sample(seeds), ring.signatures["sample"](seed=seeds)["x"]
    )
    assert server.process is None or server.process.poll() is None


def grpc_requests(chance: random.Random):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    def tensor():
        shape = [chance.choice([0, 1, 2, 32, -1, 2**40]) for _ in range(chance.choice([0, 1, 2, 2, 2, 3]))]
        proto = tf.make_tensor_proto(np.zeros([1, 32], chance.choice(["f4", "f8", "i8", "u1"])))
        if chance.random() < 0.7:
            proto.tensor_shape.CopyFrom(tf.TensorShape([2, 2]).as_proto())
            del proto.tensor_shape.dim[:]
            for size in shape:
                proto.tensor_shape.dim.add(size=size)
        if chance.random() < 0.3:
            proto.tensor_content, proto.float_val[:] = (
                b"",
                [chance.choice([0.0, float("nan"), 1e38])] * chance.choice([0, 1, 32]),
            )
        proto.dtype = chance.choice([proto.dtype, proto.dtype, 0, 1, 7, 99])
        return proto

    for _ in range(REQUESTS):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = chance.choice(["ring"] * 8 + ["", "x"])
        request.model_spec.signature_name = chance.choice(SIGNATURES)
        for name in chance.sample(["z", "x", "seed", ""], chance.choice([0, 1, 1, 2])):
            request.inputs[name].CopyFrom(tensor())
        request.output_filter.extend(chance.sample(["x", "z", "nothing"], chance.choice([0, 0, 1])))
        data = request.SerializeToString()
        yield mutated(data, chance) if chance.random() < 0.5 else data


def test_grpc(server, alive):
    """Requests that are well formed and wrong, and bytes that may be no request at all."""
    chance, codes = random.Random(0), []
    methods = ["PredictionService/Predict"] * 8 + ["PredictionService/GetModelMetadata", "ModelService/GetModelStatus"]
    with grpc.insecure_channel(server.address) as channel:
        calls = {method: channel.unary_unary(f"/tensorflow.serving.{method}") for method in methods}
        requests = grpc_requests(chance)
        while some := list(itertools.islice(requests, 20)):  # at once, as from many users
            answers = [calls[chance.choice(methods)].future(request, timeout=300) for request in some]
            codes += [(answer.code(), answer.details()) for answer in answers]
    assert len(codes) == REQUESTS
    for code, details in codes:
        # An undecodable message is refused by gRPC itself, with INTERNAL.
        assert code not in OURS or any(word in details.lower() for word in ("deserializ", "cannot be read")), (
            code,
            details,
        )
        assert "Traceback" not in (details or "")


def rest_requests(chance: random.Random):
    rows = [[0.0] * 32]
    for _ in range(REQUESTS):
        signature = chance.choice(SIGNATURES)
        values = chance.choice([rows, {"z": rows}, {"x": [[0.0, 0.0]]}, {"seed": [1]}, {"z": rows, "x": [[1, 2]]}])
        body = json.dumps({"signature_name": signature, chance.choice(["instances", "inputs"]): values})
        if chance.random() < 0.5:  # another value in the place of a number, a list or a name
            tokens = re.findall(r'"[^"]*"|[\d.]+|[][{}:,]|\s+', body)
            tokens[chance.randrange(len(tokens))] = chance.choice(WORDS)
            body = "".join(tokens)
        data = body.encode()
        yield mutated(data, chance) if chance.random() < 0.5 else data


def test_rest(server, alive):
    chance = random.Random(1)
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=300)
    paths = ["/v1/models/ring:predict"] * 8 + [
        "/v1/models/x:predict",
        "/v1/models/ring/versions/9:predict",
        "/v1/a%00b",
    ]
    statuses = set()
    for body in rest_requests(chance):
        connection.request("POST", chance.choice(paths), body)
        answer = connection.getresponse()
        text = answer.read()
        statuses.add(answer.status)
        assert answer.status in (200, 400, 404), (answer.status, text)
        assert b"Traceback" not in text and (answer.status == 200 or list(json.loads(text)) == ["error"])
    assert statuses == {200, 400, 404}


def test_bytes_that_are_no_http(server, alive):
    chance = random.Random(2)
    address = server.url.removeprefix("http://").split(":")
    request = b"POST /v1/models/ring:predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    for _ in range(300):
        with socket.create_connection(address, timeout=300) as connection:
            connection.sendall(mutated(request, chance))
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda c=connection: c.recv(65536), b""))
        assert b"Traceback" not in answer
        assert answer == b"" or re.match(rb"HTTP/1.1 (200|4\d\d|501) ", answer), answer
