"""The client against servers that misbehave: retries, deadlines, what is refused before it is sent."""

import http.server
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import requests
from absl import flags

from bms_tf import client
from bms_tf.client import Client, Grpc, Rest, ServerError

Code = grpc.StatusCode
X = np.array([[1.0, 2.0]], np.float32)


class Answers:
    """A server that gives the statuses in `codes` one after the other, then X; `calls` is how often it was asked.

    None among them stands for X, an Event for X once it is set.
    """

    def __init__(self, codes):
        self.codes, self.calls = list(codes), 0

    def next(self):
        self.calls += 1
        code = self.codes.pop(0) if self.codes else None
        if isinstance(code, threading.Event):
            return code.wait() and None
        return code


@pytest.fixture
def grpc_server():
    prediction_service_pb2_grpc = pytest.importorskip("tensorflow_serving.apis.prediction_service_pb2_grpc")
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    server = grpc.server(ThreadPoolExecutor(4))

    def start(answers):
        class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
            def Predict(self, request, context):
                if code := answers.next():
                    context.abort(code, "for the test")
                return predict_pb2.PredictResponse(outputs={"x": tf.make_tensor_proto(X)})

        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        return lambda deadline: Grpc(f"127.0.0.1:{port}", deadline=deadline)

    yield start
    server.stop(0).wait()


@pytest.fixture
def rest_server():
    servers = []

    def start(answers):
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, content):
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                outputs = {"x": {"dtype": "DT_FLOAT"}}
                self.answer(200, {"metadata": {"signature_def": {"signature_def": {"generate": {"outputs": outputs}}}}})

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                status = {Code.UNAVAILABLE: 503, Code.INVALID_ARGUMENT: 400, Code.INTERNAL: 500}.get(
                    answers.next(), 200
                )
                self.answer(status, {"outputs": X.tolist()} if status == 200 else {"error": "for the test"})

            def log_message(self, *args):
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return lambda deadline: Rest(f"http://127.0.0.1:{servers[-1].server_port}", deadline=deadline)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(params=["grpc", "rest"])
def start(request):
    return request.getfixturevalue(f"{request.param}_server")


def ask(transport):
    return Client(transport, "model").predict("generate", z=np.zeros([1, 3]))["x"]


def test_unavailable_is_tried_again_later(start):
    answers = Answers([Code.UNAVAILABLE] * 2)
    np.testing.assert_array_equal(ask(start(answers)(300.0)), X)
    assert answers.calls == 3


def test_a_large_request_is_tried_again_too(start):
    """gRPC keeps 256 KiB for it, where it is not told otherwise."""
    answers = Answers([Code.UNAVAILABLE])
    Client(start(answers)(300.0), "model").predict("generate", z=np.zeros([1, 2**17]))  # 4 bytes each
    assert answers.calls == 2


def test_unavailable_is_not_tried_for_ever(start):
    answers = Answers([Code.UNAVAILABLE] * 100)
    with pytest.raises(ServerError) as failed:
        ask(start(answers)(300.0))
    assert failed.value.code == Code.UNAVAILABLE
    assert answers.calls == client.ATTEMPTS


@pytest.mark.parametrize("code", [Code.INVALID_ARGUMENT, Code.INTERNAL])
def test_other_failures_are_final(start, code):
    answers = Answers([code])
    with pytest.raises(ServerError, match="for the test"):
        ask(start(answers)(300.0))
    assert answers.calls == 1


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b"{}", b'{"metadata": {}}', b'{"metadata": {"signature_def": 1}}']
)
def test_a_server_of_another_kind_is_said_to_be_one(monkeypatch, answer):
    response = requests.Response()
    response.status_code, response._content = 200, answer
    monkeypatch.setattr(requests.Session, "request", lambda *args, **options: response)
    with pytest.raises(ServerError) as failed:
        ask(Rest("http://here"))
    assert str(failed.value) == "UNKNOWN: http://here does not answer as TensorFlow Serving does"


def test_an_output_that_the_model_lacks_is_not_blamed_on_the_server(rest_server):
    transport = rest_server(Answers([]))(300.0)
    with pytest.raises(KeyError, match="none"):
        Client(transport, "model").predict("generate", outputs=("none",), z=np.zeros([1, 3]))


def test_a_deadline_ends_the_wait(start):
    never = threading.Event()
    answers = Answers([None, never])
    transport = start(answers)(300.0)
    ask(transport)  # connected
    transport.deadline = 1.0
    with pytest.raises(ServerError) as failed:
        ask(transport)
    never.set()
    assert failed.value.code == Code.DEADLINE_EXCEEDED
    assert answers.calls == 2


def test_a_deadline_is_of_all_tries_together(start):
    """0.05 seconds are over before the second try, which comes after client.FIRST_WAIT, give or take 20 % over gRPC."""
    answers = Answers([None] + [Code.UNAVAILABLE] * 100)
    transport = start(answers)(300.0)
    ask(transport)
    transport.deadline = 0.05
    with pytest.raises(ServerError) as failed:
        ask(transport)
    assert failed.value.code == Code.DEADLINE_EXCEEDED
    assert answers.calls <= 2


def test_the_library_defines_no_flags():
    """A program that imports it may have a --server of its own."""
    assert "bms_tf.client" not in flags.FLAGS.flags_by_module_dict()


class Recorder:
    """A transport that keeps what it is given and answers with it."""

    def __init__(self):
        self.requests = []

    def predict(self, model, which, signature, inputs, outputs):
        self.requests.append(inputs)
        return {"same": inputs["z"]}


def test_a_batch_is_split_to_the_limit_and_joined():
    transport, z = Recorder(), np.arange(14.0).reshape(7, 2)
    answer = Client(transport, "model", max_rows=3).predict(z=z, seed=np.arange(7))
    np.testing.assert_array_equal(answer["same"], z)
    assert [len(request["z"]) for request in transport.requests] == [3, 3, 1]
    assert [request["seed"].tolist() for request in transport.requests] == [[0, 1, 2], [3, 4, 5], [6]]
    assert {(r["z"].dtype.name, r["seed"].dtype.name) for r in transport.requests} == {("float32", "int64")}


@pytest.mark.parametrize("inputs", [{}, {"z": 3.0}, {"z": []}, {"z": [1.0], "x": [1.0, 2.0]}])
def test_inputs_without_equal_rows_are_refused(inputs):
    with pytest.raises(ValueError, match="equal numbers of rows"):
        Client(Recorder(), "model").predict(**inputs)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_not_sent(bad):
    """Of 70 rows, which go in two parts; nothing of it is sent."""
    transport, z = Recorder(), np.zeros([70, 3])
    z[66, 1] = bad
    with pytest.raises(ValueError, match="^z is not finite in row 66$"):
        Client(transport, "model").predict(z=z, seed=np.arange(70))
    assert transport.requests == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[0.0], [1e300]], "z is not finite in row 1"),  # in float32
        (np.array([0, 2**63], np.uint64), "z holds an integer beyond int64"),
        ([1j], "z is complex128; it must be of numbers"),
        (["1"], "z is <U1; it must be of numbers"),
        ([None], "z is object; it must be of numbers"),
    ],
)
def test_what_would_be_another_value_is_not_sent(given, message):
    transport = Recorder()
    with pytest.raises(ValueError, match=f"^{message}$"):
        Client(transport, "model").predict(z=given)
    assert transport.requests == []


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="one of them"):
        Client(Recorder(), "model", version=1, label="stable")
    with pytest.raises(ValueError, match="max_rows is 0"):
        Client(Recorder(), "model", max_rows=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "--model is missing"),
        (["--model=ring", "--out=grid.gif"], "it must end in .png or .npy"),
        (["--model=ring", "--server=http://127.0.0.1:9", "--deadline=300"], "http://127.0.0.1:9 cannot be reached"),
    ],
)
def test_the_command_says_what_is_wrong_in_a_line(flags, said):
    command = [sys.executable, "-m", "bms_tf.client", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and said in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["grpc", "requests", "tensorflow_serving"])
def test_the_client_without_its_extra_is_one_line(missing, tmp_path):
    (tmp_path / f"{missing}.py").write_text(f"raise ImportError('No module named {missing}', name='{missing}')\n")
    done = subprocess.run(
        [sys.executable, "-m", "bms_tf.client", "--model=ring", "--server=localhost:1"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stderr == f'error: {missing} is missing: in the clone, pip install -c constraints.txt -e ".[serving]"\n'


@pytest.mark.slow
@pytest.mark.parametrize("module", ["bms_tf.client", "bms_tf.serve"])
def test_help_comes_without_tensorflow(module):
    code = f"import runpy, sys; sys.argv = ['x', '--help']\ntry: runpy.run_module('{module}', run_name='__main__')\n"
    code += "except SystemExit: pass\nsys.exit('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "Example:" in done.stdout
