"""Both protocols, as the client and as a stranger speak them: right answers to the bit, bad requests by their codes.

Nothing here is special to the local server: with tensorflow_model_server on the PATH, or TF_SERVING_ADDRESS set, these
tests run against TensorFlow Serving.
"""

import gzip
import json
import socket

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf

from bms_tf.client import Client, ServerError

pytestmark = pytest.mark.slow
Code = grpc.StatusCode


@pytest.fixture(params=["grpc", "rest"])
def transport(request, server):
    return server.grpc() if request.param == "grpc" else server.rest()


def inputs(signature, rows: int) -> dict[str, np.ndarray]:
    """Numbers for every input of a loaded signature."""
    random = np.random.default_rng(rows)
    specs = signature.structured_input_signature[1]
    return {
        name: random.normal(size=[rows, *spec.shape[1:]]).astype(np.float32)
        if spec.dtype.is_floating
        else random.integers(2**62, size=rows)
        for name, spec in specs.items()
    }


@pytest.mark.parametrize("model", ["ring", "digits"])
def test_every_signature_answers_to_the_bit(transport, model, request):
    loaded = request.getfixturevalue(model)
    for name, signature in loaded.signatures.items():
        given = inputs(signature, 3)
        answer = Client(transport, model).predict(name, **given)
        expected = signature(**{n: tf.constant(value) for n, value in given.items()})
        assert answer.keys() == expected.keys()
        for output, value in expected.items():
            assert answer[output].dtype == value.numpy().dtype
            np.testing.assert_array_equal(answer[output], value, err_msg=f"{name}: {output}")


def test_a_batch_in_parts_is_the_batch(transport, ring):
    z = inputs(ring.signatures["generate"], 7)["z"]
    for max_rows in (1, 3, 7, 100):
        x = Client(transport, "ring", max_rows=max_rows).predict("generate", z=z)["x"]
        np.testing.assert_allclose(x, ring.signatures["generate"](z=tf.constant(z))["x"], rtol=1e-5, atol=1e-6)


def test_outputs_are_filtered(transport, digits):
    z = inputs(digits.signatures["generate"], 2)["z"]
    assert list(Client(transport, "digits").predict("generate", outputs=["x_uint8"], z=z)) == ["x_uint8"]


def test_images_are_pictures(transport, digits):
    seeds = np.arange(5)
    pictures = Client(transport, "digits").images(seeds)
    expected = digits.signatures["sample"](seed=tf.constant(seeds))["x_uint8"]
    np.testing.assert_array_equal(np.stack([np.asarray(picture) for picture in pictures]), expected[..., 0])


def test_a_version_can_be_named(transport, ring):
    seed = np.arange(2)
    np.testing.assert_array_equal(
        Client(transport, "ring", version=1).sample(seed), Client(transport, "ring").sample(seed)
    )


ROW = np.zeros([1, 32], np.float32)


@pytest.mark.parametrize(
    ("client", "signature", "given", "code"),
    [
        ({}, "generate", {"z": np.zeros([2, 31])}, Code.INVALID_ARGUMENT),
        ({}, "generate", {"z": np.zeros([2])}, Code.INVALID_ARGUMENT),
        ({}, "generate", {"z": np.zeros([2, 32, 1])}, Code.INVALID_ARGUMENT),
        ({}, "generate", {"z": np.zeros([2, 32, 0])}, Code.INVALID_ARGUMENT),
        ({}, "generate", {"code": ROW}, Code.INVALID_ARGUMENT),
        ({}, "log_posterior", {"z": ROW}, Code.INVALID_ARGUMENT),
        ({}, "generate", {"z": np.zeros([65, 32])}, Code.INVALID_ARGUMENT),
        ({"model": "nowhere"}, "generate", {"z": ROW}, Code.NOT_FOUND),
        ({"version": 77}, "generate", {"z": ROW}, Code.NOT_FOUND),
        ({"label": "nobody"}, "generate", {"z": ROW}, Code.INVALID_ARGUMENT),
    ],
)
def test_a_bad_request_has_its_code(transport, client, signature, given, code):
    with pytest.raises(ServerError) as refused:
        Client(transport, **{"model": "ring", "max_rows": 1000} | client).predict(signature, **given)
    assert refused.value.code == code
    assert "Traceback" not in str(refused.value) and "\n" not in str(refused.value).strip()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_row_that_is_not_finite(transport, server, bad):
    """The local server refuses it; in Serving the graph decides: NaN in this row, or an error in older exports."""
    z = np.zeros([3, 32], np.float32)
    z[1, 5] = bad
    try:
        x = transport.predict("ring", {}, "generate", {"z": z}, [])["x"]
    except ServerError as refused:
        assert refused.code == Code.INVALID_ARGUMENT
    else:
        assert server.kind != "local"
        assert np.isfinite(x[[0, 2]]).all() and np.isnan(x[1]).all()


def test_more_inputs_than_the_signature_has(server):
    """REST reads those that it needs, gRPC counts them."""
    given = {"z": ROW, "more": ROW}
    with pytest.raises(ServerError) as refused:
        server.grpc().predict("ring", {}, "generate", given, [])
    assert refused.value.code == Code.INVALID_ARGUMENT
    assert server.rest().predict("ring", {}, "generate", given, [])["x"].shape == (1, 2)


def test_an_unknown_signature(server):
    """TensorFlow Serving's own REST gives 400 for FAILED_PRECONDITION."""
    for transport, code in [
        (server.grpc(), Code.FAILED_PRECONDITION),
        (server.rest(), Code.INVALID_ARGUMENT),
    ]:
        with pytest.raises(ServerError, match="nothing") as refused:
            Client(transport, "ring").predict("nothing", z=ROW)
        assert refused.value.code == code


def predict_request(**tensors):
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "ring"
    for name, tensor in tensors.items():
        request.inputs[name].CopyFrom(tensor)
    return request


@pytest.mark.parametrize(
    "tensor",
    [
        lambda: tf.make_tensor_proto(np.zeros([0, 32], np.float32)),
        lambda: tf.make_tensor_proto(np.zeros([1, 32], np.float64)),
        lambda: tf.make_tensor_proto(np.zeros([1, 32], np.int64)),
        lambda: tf.make_tensor_proto([["a"] * 32]),
        lambda: tf.make_tensor_proto(1.0),
    ],
    ids=["no rows", "double", "int64", "string", "scalar"],
)
def test_a_bad_tensor_over_grpc(server, tensor):
    stub = server.grpc().stub
    with pytest.raises(grpc.RpcError) as refused:
        stub.Predict(predict_request(z=tensor()), timeout=300)
    assert refused.value.code() == Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        '{"instances": []}',
        '{"inputs": {"z": []}}',
        '{"inputs": {"z": [[]]}}',
        '{"instances": [[0]], "inputs": [[0]]}',
        '{"instances": [[0, 1], [0]]}',
        '{"instances": [["a"]]}',
        '{"instances": [{"z": [0]}, {"x": [0]}]}',
        '{"instances": [{"z": [0]}, [0]]}',
        '{"instances": [[0], {"z": [0]}]}',
        '{"signature_name": "log_posterior", "instances": [[0]]}',
        '{"signature_name": "log_posterior", "inputs": [[0]]}',
        '{"signature_name": "sample", "instances": [true]}',
        '{"signature_name": "sample", "instances": [1.5]}',
        '{"signature_name": "sample", "instances": [99999999999999999999]}',
        '{"signature_name": "sample", "instances": [{"b64": "AA=="}]}',
        '{"inputs": {"z": null}}',
        '{"signature_name": 3, "inputs": [[0]]}',
        "[" * 100_000,
        "\x00\xff",
    ],
)
def test_a_bad_body_over_rest(server, body):
    answer = requests.post(f"{server.url}/v1/models/ring:predict", data=body.encode("latin-1"), timeout=300)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"] and "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models/ring", 200),
        ("/v1/models/ring/versions/1", 200),
        ("/v1/models/ring/metadata", 200),
        ("/v1/models/nowhere", 404),
        ("/v1/models/ring/versions/77", 404),
        ("/v1/models/ring/versions/x", 400),
        ("/v1/models/ring/versions/" + "9" * 5000, 400),
        ("/v1/models/ring/versions/%D9%A1", 400),  # a digit one, but not of ASCII
        ("/v1/models/ring/versions/9223372036854775808", 400),  # 2^63
        ("/v1/models", 400),
        ("/v1/models/ring:predict", 400),
        ("/v1/models/" + "x" * 5000, 404),
        ("/V1/Models/ring/Metadata", 200),
        ("/v1/models/r%69ng", 200),
        ("/v1/models/ring/labels/nobody", 200),  # a state is that of all versions
        ("/v1/models/ring/labels/nobody/metadata", 400),
        ("/v1/models/nowhere/labels/stable", 404),
        ("/v1/nothing", 400),
    ],
)
def test_status_and_metadata_over_rest(server, path, status):
    answer = requests.get(server.url + path, timeout=300)
    assert answer.status_code == status
    if status != 200:
        assert list(answer.json()) == ["error"] and len(answer.text) < 2000 + len(path) * (server.kind != "local")
    elif path.lower().endswith("metadata"):
        told = answer.json()
        assert told["model_spec"] == {"name": "ring", "signature_name": "", "version": "1"}
        z = told["metadata"]["signature_def"]["signature_def"]["generate"]["inputs"]["z"]
        assert z["dtype"] == "DT_FLOAT"
        dims = [{"size": "-1", "name": ""}, {"size": "32", "name": ""}]
        assert z["tensor_shape"] == {"dim": dims, "unknown_rank": False}
    else:
        (version,) = answer.json()["model_version_status"]
        assert version["version"] == "1" and version["state"] == "AVAILABLE"
        assert version["status"] == {"error_code": "OK", "error_message": ""}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/v1/models/ring", "/v1/models/ring:predict"])
def test_other_methods_over_rest(server, method, path):
    answer = requests.request(method, server.url + path, data="{}", timeout=300)
    assert answer.status_code == 400 and "Malformed request" in answer.json()["error"]


@pytest.mark.parametrize("verb", ["classify", "regress"])
def test_what_the_models_are_not_for(server, verb):
    body = {"examples": [{"x": 1.0}], "instances": [[0]]}
    answer = requests.post(f"{server.url}/v1/models/ring:{verb}", json=body, timeout=300)
    assert answer.status_code == 400 and list(answer.json()) == ["error"]


def test_a_packed_body(server, ring):
    body = gzip.compress(json.dumps({"signature_name": "sample", "instances": [7]}).encode())
    url, headers = f"{server.url}/v1/models/ring:predict", {"Content-Encoding": "gzip"}
    answer = requests.post(url, data=body, headers=headers, timeout=300)
    x = ring.signatures["sample"](seed=tf.constant([7], tf.int64))["x"]
    np.testing.assert_array_equal(np.float32(answer.json()["predictions"]), x)
    for broken in (body[:-20], b"no gzip"):
        assert requests.post(url, data=broken, headers=headers, timeout=300).status_code == 400


def test_rows_over_rest(server, ring):
    """The other of the two forms: a list of rows, for one input named or not, and for several."""
    z = np.linspace(-1, 1, 64, dtype=np.float32).reshape(2, 32)
    x = ring.signatures["generate"](z=tf.constant(z))["x"].numpy()
    for instances in (z.tolist(), [{"z": row} for row in z.tolist()]):
        answer = requests.post(f"{server.url}/v1/models/ring:predict", json={"instances": instances}, timeout=300)
        np.testing.assert_array_equal(np.float32(answer.json()["predictions"]), x)
    body = {"signature_name": "posterior", "instances": x.tolist()}
    rows = requests.post(f"{server.url}/v1/models/ring:predict", json=body, timeout=300).json()["predictions"]
    posterior = ring.signatures["posterior"](x=tf.constant(x))
    assert [set(row) for row in rows] == [{"mean", "log_stddev"}] * 2
    np.testing.assert_array_equal(np.float32([row["mean"] for row in rows]), posterior["mean"])


def test_status_and_metadata_over_grpc(server):
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_service_pb2_grpc,
        prediction_service_pb2_grpc,
    )

    with grpc.insecure_channel(server.address) as channel:
        status = model_service_pb2_grpc.ModelServiceStub(channel)
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "ring"
        (version,) = status.GetModelStatus(request, timeout=300).model_version_status
        assert version.version == 1 and version.state == version.AVAILABLE and version.status.error_code == 0
        request.model_spec.version_label = "nobody"  # a state is that of all versions
        assert len(status.GetModelStatus(request, timeout=300).model_version_status) == 1
        request.model_spec.version.value = 77
        for name in ("ring", "nowhere"):
            request.model_spec.name = name
            with pytest.raises(grpc.RpcError) as refused:
                status.GetModelStatus(request, timeout=300)
            assert refused.value.code() == Code.NOT_FOUND
        with pytest.raises(grpc.RpcError) as refused:
            status.GetModelStatus(get_model_status_pb2.GetModelStatusRequest(), timeout=300)
        assert refused.value.code() == Code.INVALID_ARGUMENT

        prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = "ring"
        told = get_model_metadata_pb2.SignatureDefMap()
        assert prediction.GetModelMetadata(request, timeout=300).metadata["signature_def"].Unpack(told)
        assert told.signature_def["sample"].inputs["seed"].dtype == tf.int64.as_datatype_enum
        for fields in ([], ["weights"]):
            del request.metadata_field[:]
            request.metadata_field.extend(fields)
            with pytest.raises(grpc.RpcError) as refused:
                prediction.GetModelMetadata(request, timeout=300)
            assert refused.value.code() == Code.INVALID_ARGUMENT


@pytest.mark.parametrize("method", ["PredictionService/Classify", "ModelService/HandleReloadConfigRequest", "X/Y"])
def test_other_services_over_grpc(server, method):
    """None is there in the local server; Serving has some, which the models are not for."""
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(f"/tensorflow.serving.{method}")
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=300)
    assert server.kind != "local" or refused.value.code() == Code.UNIMPLEMENTED


def test_a_connection_cut_in_the_middle_harms_nobody(server):
    host, port = server.url.removeprefix("http://").split(":")
    head = b"POST /v1/models/ring:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    for sent in (b"POST /v1/mod", head, head + b'{"instances": [[0,'):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(sent)
    for sent in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 100):
        with socket.create_connection(server.address.split(":")) as connection:
            connection.sendall(sent)
    body = json.dumps({"signature_name": "sample", "instances": [1]})
    assert requests.post(f"{server.url}/v1/models/ring:predict", data=body, timeout=300).ok
    assert Client(server.grpc(), "ring").sample([1]).shape == (1, 2)
