"""The REST protocol: predict, status and metadata, https://www.tensorflow.org/tfx/serving/api_rest."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bms_tf.serving.grpc_server import signature_map
from bms_tf.serving.models import Models, Refused, check_shape, invalid

# As TensorFlow Serving translates them; every other code is 500.
HTTP = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
MODEL = "/v1/models/{name}"
WHICH = ("", "/versions/{version}", "/labels/{label}")


def routes(models: Models, max_bytes: int) -> list[Route]:
    """The routes of the protocol, over `models`; `max_bytes`: of a request's body."""

    def find(request: Request):
        version = request.path_params.get("version")
        if version and not version.isdecimal():
            raise _malformed(request)
        label = request.path_params.get("label", "")
        return models.find(request.path_params["name"], int(version) if version else None, label)

    async def predict(request: Request) -> Any:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > max_bytes:  # Starlette's own limit answers in plain text
                raise HTTPException(413, f"the request's body is larger than {max_bytes} bytes")
        model = find(request)
        return await run_in_threadpool(_predict, models, model, body)

    async def status(request: Request) -> Any:
        version = str(find(request).version)
        fine = {"error_code": "OK", "error_message": ""}
        return {"model_version_status": [{"version": version, "state": "AVAILABLE", "status": fine}]}

    async def metadata(request: Request) -> Any:
        model = find(request)
        spec = {"name": model.name, "signature_name": "", "version": str(model.version)}
        signatures = json_format.MessageToDict(signature_map(model), preserving_proto_field_name=True)
        return {"model_spec": spec, "metadata": {"signature_def": signatures}}

    async def malformed(request: Request) -> Any:
        raise _malformed(request)

    return [
        *(Route(f"{MODEL}{which}:predict", _json(predict), methods=["POST"]) for which in WHICH),
        *(Route(f"{MODEL}{which}/metadata", _json(metadata)) for which in WHICH),
        *(Route(f"{MODEL}{which}", _json(status)) for which in WHICH),
        Route("/v1/{rest:path}", _json(malformed), methods=["GET", "POST"]),
    ]


def _json(endpoint):
    """What `endpoint` returns as JSON, a refusal as {"error": ...} under its status."""

    async def answered(request: Request) -> Response:
        try:
            code, content = 200, await endpoint(request)
        except Refused as refusal:
            code, content = HTTP.get(refusal.code, 500), {"error": str(refusal)}
        except HTTPException as refusal:
            code, content = refusal.status_code, {"error": refusal.detail}
        return Response(json.dumps(content), code, media_type="application/json")

    return answered


def _malformed(request: Request) -> Refused:
    return invalid(f"Malformed request: {request.method} {request.url.path}")


def _predict(models: Models, model, body: bytearray) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict) or ("instances" in request) == ("inputs" in request):
        raise invalid("the request must be a JSON object with either 'instances' or 'inputs'")
    signature = request.get("signature_name", "")
    if not isinstance(signature, str):
        raise invalid("'signature_name' key must be a string value")
    names = list(model.inputs(signature))
    by_row = "instances" in request
    values = _columns(request["instances"], names) if by_row else request["inputs"]
    if not isinstance(values, dict):
        values = {names[0]: values}  # the name may be left out where there is but one
    outputs = models.predict(model, signature, values, from_json)
    columns = {name: _plain(name, output) for name, output in outputs.items()}
    if by_row:
        rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
        return {"predictions": [_unnamed(row) for row in rows]}
    return {"outputs": _unnamed(columns)}


def _columns(instances: Any, names: list[str]) -> dict[str, list]:
    """Rows, each {input: value} or a plain value, as {input: values}."""
    if not isinstance(instances, list) or not instances:
        raise invalid("'instances' must be a list that is not empty")
    rows = [row if isinstance(row, dict) else {names[0]: row} for row in instances]
    if any(row.keys() != rows[0].keys() for row in rows):
        raise invalid("all of 'instances' must name the same inputs")
    return {name: [row[name] for row in rows] for name in rows[0]}


def from_json(value: Any, spec: tf.TensorSpec, max_rows: int) -> tf.Tensor:
    """The tensor of nested lists of numbers. Raises Refused if it is not `spec`."""
    try:
        array = np.array(value)
    except ValueError as error:
        raise invalid(f"input {spec.name} is not a rectangular array") from error
    if array.dtype.kind not in ("iuf" if spec.dtype.is_floating else "i") and array.size:
        raise invalid(f"input {spec.name} is not of numbers that fit {spec.dtype.name}")
    check_shape(array.shape, spec, max_rows)
    with np.errstate(over="ignore"):  # what becomes infinite is refused by the model
        return tf.constant(array.astype(spec.dtype.as_numpy_dtype))


def _plain(name: str, output: np.ndarray) -> list:
    """Nested lists; strings of an output called *_bytes in base64."""
    if output.dtype != object:
        return output.tolist()
    return [{"b64": base64.b64encode(item).decode()} for item in output]


def _unnamed(outputs: Mapping[str, Any]) -> Any:
    """A single output goes without its name."""
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs
