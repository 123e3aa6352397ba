"""What REST bodies become, and answers: checked and written in small pieces."""

import base64
import json
import sys
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")
json_tensors = pytest.importorskip("bms_tf.serving.json_tensors")

from bms_tf.serving.models import Refused  # noqa: E402

Z = tf.TensorSpec([None, 3], tf.float32, name="z")
X = tf.TensorSpec([None, 2, 2, 1], tf.float32, name="x")
SEED = tf.TensorSpec([None], tf.int64, name="seed")


@pytest.mark.parametrize(
    ("value", "spec", "expected"),
    [
        ([[1, 2.5, -3e2]], Z, [[1, 2.5, -300]]),
        ([[[[1], [2]], [[3], [4]]]], X, [[[[1], [2]], [[3], [4]]]]),
        ([0, -5, 2**63 - 1], SEED, [0, -5, 2**63 - 1]),
        ([[1e300, 0, 0]], Z, [[np.inf, 0, 0]]),  # refused later, with all that is not finite
    ],
)
def test_lists_become_tensors(value, spec, expected):
    found = json_tensors.tensor(value, spec, 8)
    assert found.dtype == spec.dtype
    np.testing.assert_array_equal(found, np.array(expected, spec.dtype.as_numpy_dtype))


@pytest.mark.parametrize(
    ("value", "spec", "message"),
    [
        (3, Z, "no list of rows"),
        ({"b64": "AA=="}, Z, "no list of rows"),
        ([[1, 2, 3]] * 9, Z, "Task size 9 is larger than maximum input batch size 8"),
        ([[1, 2]], Z, r"row 0 of input z is not of \[3\] numbers"),
        ([[1, 2, 3], [1, 2, 3, 4]], Z, "row 1 of"),
        ([[1, 2, "3"]], Z, "row 0 of"),
        ([[1, 2, True]], Z, "row 0 of"),
        ([[1, 2, None]], Z, "row 0 of"),
        ([[1, 2, [3]]], Z, "row 0 of"),
        ([[]], Z, "row 0 of"),
        ([[[[1], [2]], [[3], ["4"]]]], X, "row 0 of"),
        ([[[1, 2], [3, 4]]], X, "row 0 of"),
        ([1.0], SEED, "row 0 of input seed is not of .* numbers that fit int64"),
        ([False], SEED, "row 0 of"),
        ([2**63], SEED, "a number beyond int64"),
        ([["x" * 10**6, "", ""]], Z, "row 0 of"),
    ],
)
def test_what_is_no_tensor_is_refused_in_few_words(value, spec, message):
    with pytest.raises(Refused, match=message) as refused:
        json_tensors.tensor(value, spec, 8)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error"),
        (b"{", "JSON Parse error"),
        (b"\xff", "JSON Parse error"),
        (b'{"instances": [NaN]}', "JSON Parse error"),
        (b"[" * 900, "JSON Parse error"),
        (b"[" * 2000, "too many elements: the model takes 6 numbers at once"),
        (b"[" + b"[]," * 2000 + b"[]]", "too many elements"),
        (b"[" + b"0," * 2000 + b"0]", "too many elements"),
    ],
)
def test_what_cannot_be_a_request_is_not_parsed(body, message):
    with pytest.raises(Refused, match=message):
        json_tensors.parse(body, 6)


def test_what_a_model_takes_is_parsed():
    """Three rows of 2 x 2 x 1: twelve numbers, each in a list of its own."""
    body = json.dumps({"instances": [[[[1], [2]], [[3], [4]]]] * 3}).encode()
    assert json_tensors.parse(body, 12)["instances"][2] == [[[1], [2]], [[3], [4]]]


def test_answers_are_written_as_json():
    x = np.float32([[0.1, -2.0], [3e-5, 7e20]])
    logit = np.float32([0.5, 1.0])
    pngs = np.array([b"\x89PNG", b""], object)
    assert json.loads(json_tensors.predictions({"x": x})) == {"predictions": [[0.1, -2.0], [3e-5, 7e20]]}
    both = json.loads(json_tensors.predictions({"x": x, "logit": logit}))
    assert both == {"predictions": [{"x": [0.1, -2.0], "logit": 0.5}, {"x": [3e-5, 7e20], "logit": 1.0}]}
    assert json.loads(json_tensors.columns({"logit": logit})) == {"outputs": [0.5, 1.0]}
    named = json.loads(json_tensors.columns({"image_bytes": pngs, "x_uint8": np.uint8([[1], [255]])}))
    assert named == {"outputs": {"image_bytes": [{"b64": "iVBORw=="}, {"b64": ""}], "x_uint8": [[1], [255]]}}


def test_an_output_without_rows_is_written_by_name_alone():
    outputs = {"x": np.float32([1, 2]), "temperature": np.float32(0.5), "version": b"one"}
    written = json.loads(json_tensors.columns(outputs))
    assert written == {"outputs": {"x": [1.0, 2.0], "temperature": 0.5, "version": "one"}}
    assert json.loads(json_tensors.columns({"version": b"one"})) == {"outputs": "one"}


@pytest.mark.parametrize("other", [np.float32(0.5), b"one", np.zeros(1), np.zeros([3, 2])])
def test_outputs_without_equal_rows_are_refused_by_row(other):
    for outputs in ({"x": np.zeros(2), "other": other}, {"other": other, "x": np.zeros(2)}):
        with pytest.raises(Refused, match="equal numbers of rows") as refused:
            json_tensors.predictions(outputs)
        assert refused.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_strings_that_are_no_text_are_in_base64():
    labels = np.array([[b"a", "ä".encode()], [b"\xff", b""]], object)
    expected = [["a", "ä"], [{"b64": base64.b64encode(b"\xff").decode()}, ""]]
    assert json.loads(json_tensors.predictions({"label": labels})) == {"predictions": expected}
    assert json.loads(json_tensors.columns({"label": labels})) == {"outputs": expected}


@pytest.mark.parametrize("dtype", [tf.bfloat16.as_numpy_dtype, np.complex64])
@pytest.mark.parametrize("shape", [(2,), (2, 3)])
def test_a_type_that_json_has_not_is_refused(dtype, shape):
    for write in (json_tensors.predictions, json_tensors.columns):
        with pytest.raises(Refused, match=f"output x is {np.dtype(dtype)}, which cannot be written as JSON") as refused:
            write({"x": np.zeros(shape, dtype)})
        assert refused.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_answers_that_are_not_finite_have_names():
    x = np.float32([[np.nan, np.inf], [-np.inf, 1.5]])
    assert json_tensors.columns({"x": x}) == b'{"outputs": [[NaN,Infinity], [-Infinity,1.5]]}'


def test_numbers_come_back_to_the_bit():
    """Every float32 there is, by its bits; NaN and infinities have names."""
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, np.uint32)
    x = bits.view(np.float32).reshape(-1, 8)
    back = np.array(json.loads(json_tensors.predictions({"x": x}))["predictions"], np.float32)
    np.testing.assert_array_equal(back, x)


def longest_wait(work) -> float:
    """The longest time for which `work` in this thread keeps another from running; the least of three tries."""

    def once() -> float:
        waits, ends = [0.0], threading.Event()

        def tick():
            last = time.perf_counter()
            while not ends.is_set():
                time.sleep(0)
                now = time.perf_counter()
                waits.append(now - last)
                last = now

        thread = threading.Thread(target=tick)
        thread.start()
        work()
        ends.set()
        thread.join()
        return max(waits)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.001)
    try:
        return min(once() for _ in range(3))
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.slow
def test_a_large_answer_lets_others_run():
    """256 pictures of 64 x 64 in color, 3 million numbers, beside what a single call of the library does to others."""
    x = np.random.default_rng(0).normal(size=(256, 64, 64, 3)).astype(np.float32)
    in_pieces = longest_wait(lambda: json_tensors.predictions({"x": x}))
    at_once = longest_wait(lambda: json.dumps({"predictions": x.tolist()}))
    assert in_pieces < at_once / 10, (in_pieces, at_once)
