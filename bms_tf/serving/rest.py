"""The REST protocol: predict, status and metadata, https://www.tensorflow.org/tfx/serving/api_rest.

Paths and answers follow TensorFlow Serving's http_rest_api_handler.cc. What differs is in docs/serving.md.
"""

import contextlib
import json
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
from google.protobuf import json_format
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, request_response

from bms_tf.serving import json_tensors
from bms_tf.serving.grpc_server import signature_map
from bms_tf.serving.models import Model, Models, Refused, invalid, is_version, too_many

# As TensorFlow Serving translates codes of gRPC; every other code is 500.
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
_WHICH = rb"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(rb"/v1/models/(?P<name>[^/:]+)" + _WHICH + rb":(?P<method>classify|regress|predict)", re.I)
_STATUS = re.compile(rb"/v1/models(?:/(?P<name>[^/:]+))?" + _WHICH + rb"(?P<method>/metadata)?", re.I)
LARGE, MOST = 2**16, 16  # bytes of a large body; how many of the largest ones may be held at once


class _TooLarge(Exception):
    """A body that is too large."""


class _Bodies:
    """The bodies of all requests. Past `limit` bytes in all, large bodies are refused, and small ones never."""

    def __init__(self, limit: int):
        self.limit, self.held = limit, 0

    @contextlib.contextmanager
    def body(self) -> Iterator[bytearray]:
        """A body that counts until the end of the block."""
        body = bytearray()
        try:
            yield body
        finally:
            self.held -= len(body)

    def extend(self, body: bytearray, part: bytes):
        """Adds a piece. Raises Refused where a large body finds no room."""
        body += part
        self.held += len(part)
        if len(body) > LARGE and self.held > self.limit:
            raise too_many()


def routes(models: Models, max_bytes: int) -> list[Mount]:
    """The routes of the protocol over `models`. `max_bytes`: the most of a request's body, unpacked."""
    bodies = _Bodies(MOST * max_bytes)

    async def answer(request: Request) -> Response:
        try:
            code, content = 200, await _answer(request)
        except Refused as refusal:
            code, content = HTTP.get(refusal.code, 500), _error(str(refusal))
        except _TooLarge:
            code, content = 413, _error(f"the request's body is larger than {max_bytes} bytes")
        except ClientDisconnect:
            code, content = 400, _error("the request ended before its body did")
        return Response(content, code, media_type="application/json")

    async def _answer(request: Request) -> bytes:
        path = request.scope["raw_path"]
        if request.method == "OPTIONS":
            if not request.headers.get("origin", "").startswith(("http://", "https://")):
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "Origin header is missing in CORS preflight")
            return b""
        found = {"POST": _PREDICT, "GET": _STATUS}.get(request.method, re.compile(b"(?!)")).fullmatch(path)
        if found is None:
            raise invalid(f"Malformed request: {request.method} {path.decode('latin-1')}")
        name, label = (_unquoted(found[part] or b"") for part in ("name", "label"))
        version = _version(found["version"])
        if request.method == "POST":
            with bodies.body() as body:
                async for part in _parts(request, max_bytes):
                    bodies.extend(body, part)
                    if len(body) > max_bytes:
                        raise _TooLarge
                which = (name, version, label)
                with models.admitted():
                    return await run_in_threadpool(_predict, models, which, found["method"].lower(), body)
        if not name:
            raise invalid("Missing model name in request.")
        if found["method"]:
            return _metadata(models.find(name, version, label))
        return _status(models.status(name, version))

    return [Mount(f"/{v1}", request_response(answer)) for v1 in ("v1", "V1")]  # of any method


def _error(message: str) -> bytes:
    return json.dumps({"error": message}).encode()


def _unquoted(part: bytes) -> str:
    """`part` of a path with its %XX decoded. Bytes that are no UTF-8 are replaced."""
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes([int(code[1], 16)]), part).decode("utf-8", "replace")


def _version(digits: bytes | None) -> int | None:
    if digits is None:
        return None
    if not is_version(digits.decode()):
        raise invalid(f"Failed to convert version: {digits.decode()} to numeric.")
    return int(digits)


async def _parts(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes, unpacked where it is packed by gzip; a part has one byte more than `max_bytes` at most."""
    unpack = None
    if "gzip" in request.headers.get("content-encoding", ""):
        unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    async for part in request.stream():
        if unpack is not None:
            try:
                part = unpack.decompress(part, max_bytes + 1)
            except zlib.error as error:
                raise invalid(f"the request's body is no gzip: {error}") from error
        yield part


def _predict(models: Models, which: tuple[str, int | None, str], method: bytes, body: bytearray) -> bytes:
    served = models.by_name.get(which[0])
    request = json_tensors.parse(body, models.max_rows * served.numbers_in_a_row if served else 0)
    if not isinstance(request, dict):
        raise invalid("the request is not a JSON object")
    signature = request.get("signature_name", "")
    if not isinstance(signature, str):
        raise invalid("'signature_name' key must be a string value.")
    model = models.find(*which)
    if method != b"predict":
        raise invalid(f"Expected a signature for {method.decode()}; this model has none")
    if (signature or "serving_default") not in model.signatures:
        raise invalid(f'Serving signature name: "{signature}" not found in signature def')
    names = list(model.inputs(signature))
    if ("instances" in request) == ("inputs" in request):
        raise invalid("the request must have one of 'inputs' and 'instances'")
    by_row = "instances" in request
    values = _by_row(request["instances"], names) if by_row else _by_name(request["inputs"], names)
    outputs = models.predict(model, signature, values, json_tensors.tensor)
    return (json_tensors.predictions if by_row else json_tensors.columns)(outputs)


def _by_name(values: Any, names: list[str]) -> dict[str, Any]:
    """{input: all rows}. Other names beside them are ignored."""
    if not isinstance(values, dict):
        if len(names) > 1:
            raise invalid("inputs is a plain value/list, but expecting an object as multiple input tensors required")
        return {names[0]: values}
    for name in names:
        if name not in values:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: values[name] for name in names}


def _by_row(rows: Any, names: list[str]) -> dict[str, list]:
    """{input: all rows}, from rows that are each {input: value}, or plain values of a single input."""
    if not isinstance(rows, list) or not rows:
        raise invalid("'instances' must be a list/array that is not empty")
    named = isinstance(rows[0], dict)
    if not named and len(names) > 1:
        raise invalid("instances is a plain list, but expecting list of objects as multiple input tensors required")
    for i, row in enumerate(rows):
        if isinstance(row, dict) != named:
            raise invalid(f"Expecting {'object' if named else 'value/list'} at item {i} of input list")
        if named and row.keys() != set(names):
            raise invalid(f"keys of item {i} of 'instances' list must be equal to: {','.join(names)}")
    return {name: [row[name] for row in rows] for name in names} if named else {names[0]: rows}


def _metadata(model: Model) -> bytes:
    spec = {"name": model.name, "signature_name": "", "version": str(model.version)}
    signatures = json_format.MessageToDict(signature_map(model), preserving_proto_field_name=True)
    for signature in signatures["signature_def"].values():
        for side in ("inputs", "outputs"):
            for info in signature.get(side, {}).values():  # as C++ prints a field that has its default
                info["tensor_shape"] = {"dim": [], "unknown_rank": False, **info.get("tensor_shape", {})}
                for dim in info["tensor_shape"]["dim"]:
                    dim.update({"size": "0", "name": ""} | dim)
    return json.dumps({"model_spec": spec, "metadata": {"signature_def": signatures}}, indent=1).encode()


def _status(model: Model) -> bytes:
    state = {"version": str(model.version), "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    return json.dumps({"model_version_status": [state]}, indent=1).encode()
