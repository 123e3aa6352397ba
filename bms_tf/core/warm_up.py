"""Requests that TensorFlow Serving plays before a new version answers, so that no user gets the slow first answers.

Serving reads them from `assets.extra/tf_serving_warmup_requests`, a TFRecord of PredictionLog.
"""

import warnings

import tensorflow as tf

from bms_tf.core.signatures import Signatures


def write(name: str, traced: Signatures, path: str):
    """Writes one request of one row of zeros for each signature of the model `name`.

    Without tensorflow-serving-api it writes nothing and warns: such a model loads as well, its first answers are slow.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        warnings.warn('no warm-up requests are written: they need `pip install "bms-tf[serving]"`', stacklevel=2)
        return
    with tf.io.TFRecordWriter(path) as file:
        for signature, function in traced.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = name, signature
            for spec in function.structured_input_signature[0]:
                row = tf.zeros([1, *spec.shape[1:]], spec.dtype)
                request.inputs[spec.name].CopyFrom(tf.make_tensor_proto(row))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            file.write(log.SerializeToString())
