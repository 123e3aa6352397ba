"""The networks in whose features samples and data are compared: files that the user names. None is downloaded.

A network is called with float32 [B, ...], pictures in [-1, 1], and gives `features` [B, F] and, where it has classes,
`logits` [B, K]. Its `protocol` is what its numbers depend on, in words that JSON has.

A Keras file or SavedModel of others is code: load what you trust.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import gin
import numpy as np
import tensorflow as tf

from bms_tf.core import errors
from bms_tf.core.keras import keras
from bms_tf.evaluation.inception import WHERE as WHERE_INCEPTION
from bms_tf.evaluation.inception import inception
from bms_tf.evaluation.models import hash_of_file, hash_of_files, load_saved_model, version_folder
from bms_tf.evaluation.picture_network import PictureNetwork, Range, Resizer
from bms_tf.evaluation.resizing import RESIZERS

WHERE = {
    "inception": WHERE_INCEPTION,
    "dinov2": "tools/dinov2_to_saved_model.py makes one of keras-hub's (dinov2_large has 306 million weights, 1.2 GB)",
}


class Network(Protocol):
    """What `features` may be; see above."""

    @property
    def protocol(self) -> Mapping[str, Any]: ...

    def __call__(self, x: np.ndarray) -> Mapping[str, np.ndarray]: ...


class Values:
    """No network: the numbers as they are, pictures as [B, H * W * C]."""

    protocol = {"features": "values"}

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {"features": np.asarray(x, np.float32).reshape(len(x), -1)}


@gin.configurable
def keras_network(
    *,
    weights: str,
    layer: str | None = None,
    logits: bool = False,
    scale: Range = "[-1, 1]",
    resizer: Resizer = "clean_fid",
) -> PictureNetwork:
    """A Keras file, .keras or .h5, of Keras 2.

    Args:
        weights: the file.
        layer: whose output are the features, flat; None: the model's.
        logits: the model's output is class scores, before the softmax.
        scale: what the network takes: a range, or the mean and deviation of ImageNet.
        resizer: to the model's size, where it has one.

    Raises:
        ValueError: for a file that is missing or damaged, that holds another model, or without that layer.
    """
    if not os.path.isfile(weights):
        raise ValueError(f"{weights} is no file")
    try:
        model = keras.models.load_model(weights, compile=False)
    except Exception as error:  # HDF5, zip, JSON and Keras each raise their own
        raise ValueError(f"{weights} is no Keras file that can be loaded: {' '.join(str(error).split())}") from error
    if layer is not None and layer not in {known.name for known in model.layers}:
        raise ValueError(f"{weights} has no layer {layer!r}; it has {', '.join(known.name for known in model.layers)}")
    features = model.output if layer is None else model.get_layer(layer).output
    outputs = {"features": features, **({"logits": model.output} if logits else {})}
    function = tf.function(keras.Model(model.input, outputs))
    side, channels = _size(model.input_shape[1:], weights)
    protocol = {"features": os.path.basename(weights), "layer": layer, "weights_sha256": hash_of_file(weights)}
    return PictureNetwork(function, protocol, side=side, channels=channels, resizer=resizer, scale=scale)


@gin.configurable
def saved_model_network(
    *,
    weights: str,
    signature: str = "serving_default",
    features: str | None = None,
    logits: str | None = None,
    side: int | None = None,
    scale: Range = "[-1, 1]",
    resizer: Resizer = "clean_fid",
) -> PictureNetwork:
    """A SavedModel with a signature of pictures.

    Args:
        weights: its folder, or the folder of its versions.
        signature: with one input, float32 [B, H, W, C].
        features: which of its outputs; None: the only one.
        logits: which of its outputs; None: none.
        side: what pictures are resized to where the signature leaves H open; None: as they are.
        scale: see `keras_network`.
        resizer: see `keras_network`.

    Raises:
        ValueError: for a folder that holds no SavedModel, or without such a signature or output.
    """
    folder = version_folder(weights)
    if folder is None:
        raise ValueError(f"{weights} holds no SavedModel")
    loaded = load_saved_model(folder)
    if signature not in loaded.signatures:
        raise ValueError(f"{weights} has no signature {signature!r}; it has {', '.join(loaded.signatures)}")
    function = loaded.signatures[signature]
    inputs, outputs = function.structured_input_signature[1], function.structured_outputs
    if len(inputs) != 1 or next(iter(inputs.values())).shape.rank != 4:
        raise ValueError(f"{weights}, {signature}: it takes {inputs}; it must be pictures [B, H, W, C]")
    if features is None and len(outputs) > 1 or not {features, logits} - {None} <= outputs.keys():
        raise ValueError(f"{weights}, {signature}: it gives {', '.join(outputs)}; features={features}, logits={logits}")
    ((name, spec),) = inputs.items()
    chosen = {"features": features or next(iter(outputs)), **({"logits": logits} if logits else {})}

    def call(x: tf.Tensor, keep: object = loaded) -> dict[str, tf.Tensor]:
        answer = function(**{name: x})
        return {kind: answer[output] for kind, output in chosen.items()}

    fixed, channels = _size(spec.shape[1:], weights)
    protocol = {"features": os.path.basename(os.path.normpath(weights)), "weights_sha256": hash_of_files(folder)}
    protocol |= {"signature_of_features": signature, "output": chosen["features"]}
    return PictureNetwork(call, protocol, side=fixed or side, channels=channels, resizer=resizer, scale=scale)


@gin.configurable
def dinov2(*, weights: str, resizer: Resizer = "clean_fid") -> PictureNetwork:
    """DINOv2 (Oquab et al. 2023) as a SavedModel of pictures [B, 224, 224, 3] that gives the class token as `features`.

    Pictures are resized and normalized as in github.com/layer6ai-labs/dgm-eval with its `clean_resize`.

    Args:
        weights: the SavedModel's folder.
        resizer: to 224 pixels.

    Raises:
        ValueError: see `saved_model_network`.
    """
    if version_folder(weights) is None:
        raise ValueError(f"{weights} holds no SavedModel; {WHERE['dinov2']}")
    return saved_model_network(weights=weights, features="features", side=224, scale="imagenet", resizer=resizer)


def _size(shape: tf.TensorShape, name: str) -> tuple[int | None, int]:
    """(side, channels) of a network's input [H, W, C]; the side is None where it is open."""
    height, width, channels = shape if len(shape) == 3 else (None, None, None)
    if height != width or channels not in (1, 3):
        raise ValueError(f"{name} takes {tuple(shape)}; it must be square pictures of 1 or 3 channels")
    return height, channels


BY_NAME: Mapping[str, Callable[..., Network]] = {
    "inception": inception,
    "keras": keras_network,
    "savedmodel": saved_model_network,
    "dinov2": dinov2,
}


def named(name: str, weights: str | None = None, resizer: str | None = None) -> Network:
    """The network that --features, --weights and --resizer name. Raises ValueError for what does not fit together."""
    if name == "values":
        if weights or resizer:
            raise ValueError("the features are values, which need no weights and no resizer")
        return Values()
    if name not in BY_NAME:
        raise ValueError(f"features are {name!r}; they may be values, {', '.join(BY_NAME)}")
    if not weights:
        where = f"; {WHERE[name]}" if name in WHERE else ""
        raise ValueError(f"the features {name!r} need --weights, a file or folder{where}")
    if resizer not in (None, *RESIZERS):
        raise ValueError(f"the resizer is {resizer!r}; it may be {' or '.join(RESIZERS)}")
    with errors.in_one_line():
        return BY_NAME[name](weights=weights, **({"resizer": resizer} if resizer else {}))
