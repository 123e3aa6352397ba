"""The gRPC protocol: PredictionService (Predict, GetModelMetadata), ModelService (GetModelStatus) and gRPC's health."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

from bms_tf.serving.models import Model, Models, Refused, check_shape, invalid

# Calls beyond those that are answered at once. They wait for a thread that refuses them as too many.
QUEUED = 64
# A client whose connection is closed opens another one with its next call. With those of REST there are fewer than the
# 1,024 files that Linux lets a process open.
MAX_CONNECTIONS, IDLE_MS, AGE_MS = 256, 15_000, 300_000


def _predict(models: Models, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    model = _find(models, request)
    signature = request.model_spec.signature_name
    with models.admitted():
        outputs = models.predict(model, signature, request.inputs, from_proto, request.output_filter)
        response = predict_pb2.PredictResponse(model_spec=_spec(model, signature or "serving_default"))
        for name, output in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(output))
    return response


def _metadata(models: Models, request: get_model_metadata_pb2.GetModelMetadataRequest) -> Message:
    if not request.metadata_field:
        raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != "signature_def":
            raise invalid(f"Metadata field {field} is not supported")
    model = _find(models, request)
    response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=_spec(model))
    response.metadata["signature_def"].Pack(signature_map(model))
    return response


def _status(models: Models, request: get_model_status_pb2.GetModelStatusRequest) -> Message:
    spec = _model_spec(request)
    model = models.status(spec.name, spec.version.value if spec.HasField("version") else None)
    state = get_model_status_pb2.ModelVersionStatus(version=model.version, state="AVAILABLE")
    state.status.error_code = 0
    return get_model_status_pb2.GetModelStatusResponse(model_version_status=[state])


SERVICES = {
    "PredictionService": {
        "Predict": (predict_pb2.PredictRequest, _predict),
        "GetModelMetadata": (get_model_metadata_pb2.GetModelMetadataRequest, _metadata),
    },
    "ModelService": {"GetModelStatus": (get_model_status_pb2.GetModelStatusRequest, _status)},
}


def _handler(models: Models, request_type: type[Message], method: Callable[[Models, Message], Message]):
    """The method on bytes. gRPC itself would print a traceback for bytes that are no such request."""

    def answer(data: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return method(models, request_type.FromString(data)).SerializeToString()
        except DecodeError:
            context.abort(grpc.StatusCode.INTERNAL, f"the request cannot be read as a {request_type.DESCRIPTOR.name}")
        except Refused as refusal:
            context.abort(refusal.code, str(refusal))

    return grpc.unary_unary_rpc_method_handler(answer)


class Server:
    """All services over `models`, listening on `port` once started."""

    def __init__(self, models: Models, address: str, *, max_bytes: int, max_requests: int):
        """`address`: "host:port", where port 0 takes any. Raises OSError for one that is taken."""
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=max_requests + QUEUED),
            # Without the first a second server would share the port in silence.
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", max_bytes),
                ("grpc.server_handshake_timeout_ms", 10_000),
                ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
                ("grpc.max_connection_idle_ms", IDLE_MS),
                ("grpc.max_connection_age_ms", AGE_MS),  # of a client that never ends its call
                ("grpc.max_connection_age_grace_ms", 2 * IDLE_MS),
            ],
        )
        self._health = health.HealthServicer()
        for service, methods in SERVICES.items():
            handlers = {name: _handler(models, *method) for name, method in methods.items()}
            name = f"tensorflow.serving.{service}"
            self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, handlers)])
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)  # under Serving's own names
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: is the port in use? --port takes another one, 0 any") from error

    def start(self):
        self._server.start()

    def drain(self, seconds: float):
        """Refuses new calls (UNAVAILABLE) and waits for those in progress."""
        self._health.enter_graceful_shutdown()
        self._server.stop(seconds).wait()


def from_proto(proto: Any, spec: tf.TensorSpec, max_rows: int) -> tf.Tensor:
    """The tensor of a request, a TensorProto, by the code that TensorFlow Serving has for it.

    Raises Refused if it is not `spec`.
    """
    if proto.dtype != spec.dtype.as_datatype_enum:
        raise invalid(f"input {spec.name} has DataType {proto.dtype}; it must be {spec.dtype.as_datatype_enum}")
    shape = None if proto.tensor_shape.unknown_rank else [dim.size for dim in proto.tensor_shape.dim]
    if shape is None or min(shape, default=0) < 0:
        raise invalid(f"input {spec.name} has no definite shape; it must be {spec.shape.as_list()}")
    check_shape(shape, spec, max_rows)
    sized = bool(proto.tensor_content) and spec.dtype != tf.string
    if sized and len(proto.tensor_content) != math.prod(shape) * spec.dtype.size:
        raise invalid(f"tensor parsing error: {spec.name}")  # TensorFlow would print it all
    return tf.io.parse_tensor(proto.SerializeToString(), spec.dtype)


def signature_map(model: Model) -> get_model_metadata_pb2.SignatureDefMap:
    return get_model_metadata_pb2.SignatureDefMap(signature_def=model.signature_defs)


def _model_spec(request: Message) -> model_pb2.ModelSpec:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    return request.model_spec  # pyright: ignore[reportAttributeAccessIssue], of all requests


def _find(models: Models, request: Message) -> Model:
    spec = _model_spec(request)
    return models.find(spec.name, spec.version.value if spec.HasField("version") else None, spec.version_label)


def _spec(model: Model, signature: str = "") -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=model.name, signature_name=signature)
    spec.version.value = model.version
    return spec
