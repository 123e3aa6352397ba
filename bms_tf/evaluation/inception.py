"""The Inception graph of 2015, whose features make a Frechet distance FID."""

import os

import gin
import tensorflow as tf
from google.protobuf.message import DecodeError

from bms_tf.evaluation.models import hash_of_file
from bms_tf.evaluation.picture_network import PictureNetwork, Resizer

FEATURES = 2048
WHERE = (
    "it is in http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz (88,931,400 bytes), as "
    "classify_image_graph_def.pb"
)


@gin.configurable
def inception(*, weights: str, resizer: Resizer = "tf1_bilinear") -> PictureNetwork:
    """The Inception graph of 2015-12-05: pool_3, 2,048 features, and 1,008 logits.

    The logits are without bias, as in the code of the Inception score's authors (github.com/openai/improved-gan).

    Args:
        weights: `classify_image_graph_def.pb`.
        resizer: to 299 pixels. "tf1_bilinear" is the one inside the graph, and that of most published scores;
            "clean_fid" is Pillow's bicubic filter, see `resizing`.

    Raises:
        ValueError: for a file that is missing, truncated, or another graph.
    """
    if not os.path.isfile(weights):
        raise ValueError(f"{weights} is no file; {WHERE}")
    graph = tf.compat.v1.GraphDef()
    try:
        with open(weights, "rb") as file:
            graph.ParseFromString(file.read())
    except DecodeError as error:
        raise ValueError(f"{weights} is truncated or no TensorFlow graph; {WHERE}") from error
    nodes = {node.name: node for node in graph.node}
    if not {"Mul", "pool_3", "softmax/logits/MatMul"} <= nodes.keys():
        raise ValueError(f"{weights} is not the Inception graph of 2015-12-05: no node pool_3 or logits; {WHERE}")
    matrix = nodes["softmax/logits/MatMul"].input[1].removesuffix(":0")
    needed = current(tf.compat.v1.graph_util.extract_sub_graph(graph, ["pool_3", matrix]))

    def imported(x: tf.Tensor) -> dict[str, tf.Tensor]:
        names = ["pool_3:0", f"{matrix}:0"]
        pool, weights = tf.graph_util.import_graph_def(needed, {"Mul:0": (x - 128.0) / 128.0}, names)
        features = tf.squeeze(pool, [1, 2])
        return {"features": features, "logits": features @ weights}

    try:
        function = tf.compat.v1.wrap_function(imported, [tf.TensorSpec([None, 299, 299, 3], tf.float32)])
    except (ValueError, tf.errors.OpError) as error:
        raise ValueError(f"{weights} is not the Inception graph of 2015-12-05 ({error}); {WHERE}") from error
    if function.structured_outputs["features"].shape[-1] != FEATURES:
        raise ValueError(f"{weights} is another network: its pool_3 does not have {FEATURES} features; {WHERE}")
    protocol = {"features": "inception_2015_12_05", "weights_sha256": hash_of_file(weights)}
    return PictureNetwork(function, protocol, side=299, channels=3, resizer=resizer, scale="[0, 255]")


def current(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """The graph with each batch normalization of 2015, an operation that functions no longer run, as its arithmetic."""
    new = tf.compat.v1.GraphDef(versions=graph.versions)
    for node in graph.node:
        if node.op != "BatchNormWithGlobalNormalization":
            new.node.add().CopyFrom(node)
            continue
        x, mean, variance, beta, gamma = node.input

        def add(op: str, *inputs: str, name: str, node=node) -> str:
            added = new.node.add(name=name, op=op, input=inputs)
            added.attr["T"].CopyFrom(node.attr["T"])
            return name

        epsilon = new.node.add(name=f"{node.name}/epsilon", op="Const")
        epsilon.attr["dtype"].CopyFrom(node.attr["T"])
        epsilon.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(node.attr["variance_epsilon"].f, tf.float32))
        factor = add("Rsqrt", add("Add", variance, epsilon.name, name=f"{node.name}/sum"), name=f"{node.name}/rsqrt")
        if node.attr["scale_after_normalization"].b:
            factor = add("Mul", factor, gamma, name=f"{node.name}/factor")
        centered = add("Sub", x, mean, name=f"{node.name}/centered")
        add("Add", add("Mul", centered, factor, name=f"{node.name}/scaled"), beta, name=node.name)
    return new
