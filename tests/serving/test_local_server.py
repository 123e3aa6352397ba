"""What the local server does as a program: its limits, its end, damaged models."""

import contextlib
import gzip
import json
import selectors
import shutil
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf

from bms_tf import client
from bms_tf.client import Client, ServerError
from tests.commands import run

MODELS = Path(__file__).parents[2] / "savedmodels"
pytestmark = pytest.mark.slow
Code = grpc.StatusCode


@pytest.fixture(scope="module")
def half_copied(tmp_path_factory):
    """The ring's model with two newer versions that cannot be loaded, and a model that is damaged altogether."""
    folder = tmp_path_factory.mktemp("models")
    for version in ("1", "2", "10"):
        shutil.copytree(MODELS / "ring/1", folder / "ring" / version)
    shutil.rmtree(folder / "ring/2/variables")
    damaged = folder / "ring/10/saved_model.pb"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    shutil.copytree(folder / "ring/10", folder / "ruin/1")
    (folder / "models.config").write_text("no model")
    shutil.copytree(MODELS / "ring/1", folder / ".tmp-killed/7")  # of an export
    shutil.copytree(MODELS / "ring/1", folder / "padded/0003")
    shutil.copytree(MODELS / "ring/1", folder / "by_others/1")
    function = tf.function(lambda x: {"y": x + 1.0})
    kinds = {"matrix": tf.TensorSpec([None, None]), "any": tf.TensorSpec(None)}
    signatures = {name: function.get_concrete_function(spec) for name, spec in kinds.items()}
    total = tf.function(lambda x: {"y": tf.reduce_sum(x)})
    signatures["total"] = total.get_concrete_function(tf.TensorSpec([None, 1]))
    tf.saved_model.save(tf.Module(), str(folder / "foreign_kind/1"), signatures)
    return folder


@pytest.fixture(scope="module")
def strict(local, half_copied):
    with local(half_copied, "--max_rows=4", "--max_megabytes=1") as server:
        yield server


def test_the_newest_version_that_can_be_loaded_is_served(strict):
    status = requests.get(f"{strict.url}/v1/models/ring", timeout=300).json()
    assert [version["version"] for version in status["model_version_status"]] == ["1"]
    padded = requests.get(f"{strict.url}/v1/models/padded", timeout=300).json()
    assert [version["version"] for version in padded["model_version_status"]] == ["3"]
    for name in ("ruin", ".tmp-killed"):
        assert requests.get(f"{strict.url}/v1/models/{name}", timeout=300).status_code == 404
    assert Client(strict.grpc(), "ring").sample([1]).shape == (1, 2)


@pytest.mark.parametrize(
    ("name", "contents"),
    {
        "metadata.json": ["[]", "7", '{"modes": "x"}', '{"modes": [[1, 2, 3]]}', '{"seed": {"a": []}}', "[" * 100_000],
        "scores.json": ["7", '{"samples": 3}', '{"samples": {"a": "x", "b": [1]}, "data": {"a": null}}'],
    }.items(),
)
def test_a_model_of_others_does_not_break_the_page(strict, half_copied, name, contents):
    """It comes first in the list, and is what the page shows at first."""
    file = half_copied / "by_others/1/assets.extra" / name
    whole = file.read_text()
    for content in [*contents, f'{{"samples": {{"a": 1{"0" * 400}}}}}', whole]:
        file.write_text(content)
        page = requests.get(strict.url, timeout=300)
        assert page.status_code == 200 and "About by_others, version 1" in page.text, content
    assert "foreign_kind" not in page.text, "which has none of the signatures that are shown"


def test_a_model_of_another_kind_has_no_fault_of_the_server(strict):
    url = f"{strict.url}/v1/models/foreign_kind:predict"
    statuses = [
        requests.post(url, json={"signature_name": name, "instances": rows}, timeout=300).status_code
        for name in ("matrix", "any")
        for rows in ([1.0, 2.0], [[1.0], [2.0]], ["x"])
    ]
    assert statuses == [400, 400, 400, 200, 400, 400]
    rows = [[1.0], [2.0]]
    by_row, by_name = (
        requests.post(url, json={"signature_name": "total", key: rows}, timeout=300) for key in ("instances", "inputs")
    )
    assert by_row.status_code == 400 and "ask with 'inputs'" in by_row.json()["error"]
    assert by_name.json() == {"outputs": 3.0}


def test_idle_connections_over_grpc_are_closed_and_lock_nobody_out(strict):
    """A thousand of them took every file that the server may open, and REST and the page with them."""
    host, _, port = strict.address.rpartition(":")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection((host, int(port)), timeout=300)) for _ in range(600)]
        for connection in idle:
            with contextlib.suppress(ConnectionError):
                connection.sendall(preface)
        assert Client(strict.rest(), "ring").sample([1]).shape == (1, 2)
        files = strict.process.num_fds()
        assert files < 400, "of 1,024"
        for connection in idle:  # each of them in the end, and all of them in the time of one
            with contextlib.suppress(ConnectionError):
                while connection.recv(2**16):
                    pass
        assert Client(strict.grpc(), "ring").sample([1]).shape == (1, 2)


def test_rows_over_the_limit(strict):
    for transport in (strict.grpc(), strict.rest()):
        assert Client(transport, "ring", max_rows=4).sample(np.arange(9)).shape == (9, 2)
        with pytest.raises(ServerError, match="Task size 5 is larger than maximum input batch size 4") as refused:
            Client(transport, "ring").sample(np.arange(5))
        assert refused.value.code == Code.INVALID_ARGUMENT


def test_a_body_over_the_limit(strict):
    with pytest.raises(ServerError) as refused:
        Client(strict.grpc(), "ring", max_rows=10**6).sample(np.arange(200_000))
    assert refused.value.code == Code.RESOURCE_EXHAUSTED
    # With its length said in advance, in chunks, and packed into a thousandth.
    for body, headers in [
        (b" " * 2**21, {}),
        (iter([b" " * 2**21]), {}),
        (gzip.compress(b" " * 2**21), {"Content-Encoding": "gzip"}),
    ]:
        answer = requests.post(f"{strict.url}/v1/models/ring:predict", data=body, headers=headers, timeout=300)
        assert answer.status_code == 413
        assert answer.json() == {"error": "the request's body is larger than 1048576 bytes"}


def test_large_bodies_at_once_take_no_more_memory_than_sixteen(strict):
    """512 connections could hold 16 MB each before one request was admitted; small requests always find room."""
    head = b"POST /v1/models/ring:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n"
    address = strict.url.removeprefix("http://").split(":")
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as answered:
        for _ in range(40):
            connection = stack.enter_context(socket.create_connection(address, timeout=300))
            answered.register(connection, selectors.EVENT_READ)
            with contextlib.suppress(ConnectionError):
                connection.sendall(head + b" " * (2**20 - 1))  # all but the last byte
        codes = []
        while len(codes) < 24:  # of the 40, as 16 MB are held for 1 MB a request
            for key, _ in answered.select(timeout=300):
                codes.append(key.fileobj.recv(12))
                answered.unregister(key.fileobj)
        assert codes == [b"HTTP/1.1 503"] * len(codes)
        assert Client(strict.rest(), "ring").sample([1]).shape == (1, 2)
    assert Client(strict.rest(), "ring", max_rows=4).sample(np.arange(4)).shape == (4, 2)


def test_a_tensor_that_claims_to_be_huge_takes_no_memory(strict):
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "ring"
    request.inputs["z"].dtype = 1
    request.inputs["z"].float_val.append(0.0)  # a single value stands for all
    for size in (2**40, 32):
        request.inputs["z"].tensor_shape.dim.add(size=size)
    with pytest.raises(grpc.RpcError) as refused:
        strict.grpc().stub.Predict(request, timeout=300)
    assert refused.value.code() == Code.INVALID_ARGUMENT


def test_health(strict):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(strict.address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        for service in ("", "PredictionService", "ModelService"):  # as TensorFlow Serving's server.cc names them
            answer = check(health_pb2.HealthCheckRequest(service=service), timeout=300)
            assert answer.status == answer.SERVING


@pytest.mark.parametrize("flag", ["--port", "--rest_port"])
def test_a_port_in_use_is_a_line(flag, local):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("bms_tf.serve", f"--model_dir={MODELS}", "--port=0", "--rest_port=0", f"{flag}={port}")
    assert done.returncode == 1
    assert f"error: cannot listen on 127.0.0.1:{port}" in done.stderr and done.stderr.count("\n") == 1
    assert f"{flag} takes another" in done.stderr


class Watched:
    """What a server took while a block ran: bytes of memory at the most, seconds of the processor."""

    def __init__(self, server):
        self.process = server.process

    def __enter__(self):
        self.before, self.cpu = self.process.memory_info().rss, sum(self.process.cpu_times()[:2])
        self.most, self.ends = self.before, threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def _look(self):
        while not self.ends.wait(0.005):
            self.most = max(self.most, self.process.memory_info().rss)

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
        self.growth = self.most - self.before
        self.cpu = sum(self.process.cpu_times()[:2]) - self.cpu


@pytest.fixture(scope="module")
def ring_alone(tmp_path_factory):
    """The ring's model, for a server that starts sooner."""
    folder = tmp_path_factory.mktemp("ring_alone")
    (folder / "ring").symlink_to(MODELS / "ring")
    return folder


@pytest.fixture(scope="module")
def plain(local):
    with local() as server:
        Client(server.rest(), "ring").sample([1])
        yield server


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": [["' + "x" * 2**20 + '"' + ', ""' * 10_000 + "]]}",
        '{"inputs": {"z": ["' + "x" * 2**20 + '"' + ', ""' * 10_000 + "]}}",
        '{"instances": ["' + "x" * 2**20 + '"' + ', ""' * 200 + "]}",
    ],
    ids=["a row", "a column", "rows"],
)
def test_a_long_string_among_many_is_never_an_array(plain, body):
    """NumPy would give each of 10,000 strings the width of the longest: 4 MB x 10,000."""
    with Watched(plain) as watched:
        answer = requests.post(f"{plain.url}/v1/models/ring:predict", data=body, timeout=300)
    assert answer.status_code == 400 and len(answer.text) < 1000
    assert watched.growth < 100e6


@pytest.mark.parametrize("part", ["[]", "{}", "0", '""'])
def test_millions_of_elements_are_refused_before_they_are_made(plain, part):
    body = '{"instances": [' + ",".join([part] * (12_000_000 // (len(part) + 1))) + "]}"
    with Watched(plain) as watched:
        answer = requests.post(f"{plain.url}/v1/models/ring:predict", data=body, timeout=300)
    assert answer.status_code == 400 and "too many elements" in answer.json()["error"]
    assert watched.growth < 100e6 and watched.cpu < 1.5


def test_one_too_many_at_once_is_unavailable(local):
    """The code for which clients try again, as TensorFlow Serving's full queue has it."""
    with local(MODELS, "--max_concurrency=1") as server:
        seen = {"grpc": set(), "rest": set()}

        def ask(kind):
            transport = server.grpc() if kind == "grpc" else server.rest()
            for _ in range(10):
                try:
                    transport.predict("digits", {}, "sample", {"seed": np.arange(64)}, [])
                    seen[kind].add(Code.OK)
                except ServerError as error:
                    seen[kind].add(error.code)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client, "ATTEMPTS", 2)  # the least that gRPC takes
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(ask, ["grpc", "rest"] * 4))
    assert seen["grpc"] | seen["rest"] == {Code.OK, Code.UNAVAILABLE}


def test_what_is_no_request_over_grpc_prints_nothing(local, ring_alone, tmp_path):
    said = tmp_path / "said"
    with local(ring_alone, errors=said) as server:
        with grpc.insecure_channel(server.address) as channel:
            call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            for _ in range(3):
                with pytest.raises(grpc.RpcError) as refused:
                    call(b"\xff" * 100, timeout=300)
                assert refused.value.code() == Code.INTERNAL
                assert refused.value.details() == "the request cannot be read as a PredictRequest"
        assert said.read_text() == ""


def test_a_server_for_all_says_so(local, ring_alone):
    with local(ring_alone, "--host=0.0.0.0") as server:
        said = server.command.said()
        assert "every machine that can reach this one can use the models" in said
        assert "no password and no encryption" in said


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_the_page_documents_no_interface(plain, path):
    assert requests.get(plain.url + path, timeout=300).status_code == 404


def test_requests_of_other_sites_are_refused(plain):
    body = json.dumps({"signature_name": "sample", "instances": [1]})
    url = f"{plain.url}/v1/models/ring:predict"
    port = plain.url.rpartition(":")[2]
    for headers, status in [
        ({"Origin": plain.url}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": f"evil.example:{port}"}, 403),
        ({"Host": f"localhost:{port}"}, 200),
        ({"Host": "[::1"}, 403),
    ]:
        assert requests.post(url, data=body, headers=headers, timeout=300).status_code == status, headers


@pytest.mark.parametrize(("folder", "said"), [("nowhere", "does not exist"), ("", "holds no model that can be loaded")])
def test_a_folder_without_models_is_a_line(folder, said, tmp_path, local):
    done = run("bms_tf.serve", f"--model_dir={tmp_path / folder}", "--port=0", "--rest_port=0")
    assert done.returncode == 1 and done.stderr.startswith("error: ") and said in done.stderr


def test_requests_in_progress_are_answered_at_the_end(local, ring_alone):
    """Four clients ask without a pause while SIGTERM comes: each ends with UNAVAILABLE, and no failure of the model.

    A call that reaches gRPC's Python server in the moment in which it stops is dropped by it, which clients see as
    CANCELLED.
    """
    ends = {}
    with local(ring_alone) as server:

        def ask(transport):
            try:
                while True:
                    Client(transport, "ring").sample(np.arange(64))
            except ServerError as error:
                ends[transport] = error.code

        transports = [server.grpc(), server.grpc(), server.rest(), server.rest()]
        threads = [threading.Thread(target=ask, args=[transport]) for transport in transports]
        for thread in threads:
            thread.start()
        for transport in transports[::2]:
            Client(transport, "ring").sample([1])  # all are under way
        server.command.signal(signal.SIGTERM)
        assert server.command.wait(300) == 0
        for thread in threads:
            thread.join(300)
    over_grpc, over_rest = ([ends[transport] for transport in some] for some in (transports[:2], transports[2:]))
    assert over_rest == [Code.UNAVAILABLE] * 2
    assert set(over_grpc) <= {Code.UNAVAILABLE, Code.CANCELLED}
