"""The gRPC protocol: PredictionService (Predict, GetModelMetadata), ModelService (GetModelStatus) and gRPC's health."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import tensorflow as tf
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from bms_tf.serving.models import Model, Models, Refused, check_shape, invalid


def _answer(method: Callable) -> Callable:
    """A refusal becomes the status of the call."""

    @functools.wraps(method)
    def guarded(self, request, context):
        try:
            return method(self, request)
        except Refused as refusal:
            context.abort(refusal.code, str(refusal))

    return guarded


class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, models: Models):
        self.models = models

    @_answer
    def Predict(self, request):
        model = _find(self.models, request.model_spec)
        signature = request.model_spec.signature_name
        outputs = self.models.predict(model, signature, request.inputs, from_proto, request.output_filter)
        response = predict_pb2.PredictResponse(model_spec=_spec(model, signature or "serving_default"))
        for name, output in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(output))
        return response

    @_answer
    def GetModelMetadata(self, request):
        if list(request.metadata_field) != ["signature_def"]:
            raise invalid(f'metadata_field is {list(request.metadata_field)}; it must be ["signature_def"]')
        model = _find(self.models, request.model_spec)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=_spec(model))
        response.metadata["signature_def"].Pack(signature_map(model))
        return response


class Status(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, models: Models):
        self.models = models

    @_answer
    def GetModelStatus(self, request):
        model = _find(self.models, request.model_spec)
        state = get_model_status_pb2.ModelVersionStatus(version=model.version, state="AVAILABLE")
        state.status.error_code = 0
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=[state])


class Server:
    """All services over `models`, listening on `port` once started."""

    def __init__(self, models: Models, address: str, *, max_bytes: int, max_concurrency: int):
        """`address`: "host:port", where port 0 takes any. Raises OSError for one that is taken."""
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=16),
            maximum_concurrent_rpcs=max_concurrency,
            # Without the first a second server would share the port in silence.
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", max_bytes)],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Prediction(models), self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(Status(models), self._server)
        self._health = health.HealthServicer()
        self._health.set("tensorflow.serving.PredictionService", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: is the port in use?") from error

    def start(self):
        self._server.start()

    def drain(self, seconds: float):
        """Takes no more calls (UNAVAILABLE) and waits for those in progress."""
        self._health.enter_graceful_shutdown()
        self._server.stop(seconds).wait()


def from_proto(proto: tensor_pb2.TensorProto, spec: tf.TensorSpec, max_rows: int) -> tf.Tensor:
    """The tensor of a request, by the code that TensorFlow Serving has for it. Raises Refused if it is not `spec`."""
    if proto.dtype != spec.dtype.as_datatype_enum:
        raise invalid(f"input {spec.name} has DataType {proto.dtype}; it must be {spec.dtype.as_datatype_enum}")
    shape = None if proto.tensor_shape.unknown_rank else [dim.size for dim in proto.tensor_shape.dim]
    if shape is None or min(shape, default=0) < 0:
        raise invalid(f"input {spec.name} has no definite shape; it must be {spec.shape.as_list()}")
    check_shape(shape, spec, max_rows)
    return tf.io.parse_tensor(proto.SerializeToString(), spec.dtype)


def signature_map(model: Model) -> get_model_metadata_pb2.SignatureDefMap:
    return get_model_metadata_pb2.SignatureDefMap(signature_def=model.signature_defs)


def _find(models: Models, spec: model_pb2.ModelSpec) -> Model:
    version = spec.version.value if spec.HasField("version") else None
    return models.find(spec.name, version, spec.version_label)


def _spec(model: Model, signature: str = "") -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=model.name, signature_name=signature)
    spec.version.value = model.version
    return spec
