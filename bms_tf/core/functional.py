"""Runs of a network with other tensors in place of its variables, or for more than its output."""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import tensorflow as tf

from bms_tf.core.keras import every_layer, keras, set_policy
from bms_tf.core.precision import as_read, in_float32, returning_float32
from bms_tf.core.random import Key


@contextlib.contextmanager
def substituted(network: keras.layers.Layer, tensors: Mapping[int, tf.Tensor]) -> Iterator[None]:
    """Within the context, calls of `network` use `tensors[id(variable)]` instead of each such variable.

    It works while tracing: a layer reads each weight from its `__dict__` when it is called. Gradients flow through the
    tensors.
    """
    replaced = [
        (layer, name, weight)
        for layer in every_layer(network)
        for name, weight in list(layer.__dict__.items())
        if id(weight) in tensors
    ]
    for layer, name, weight in replaced:
        layer.__dict__[name] = as_read(tensors[id(weight)], weight, layer)
    try:
        yield
    finally:
        for layer, name, weight in replaced:
            layer.__dict__[name] = weight


@contextlib.contextmanager
def frozen_statistics(*networks: keras.layers.Layer) -> Iterator[None]:
    """Within the context, batch normalization normalizes by its batch but leaves its moving averages as they are."""
    layers = [
        layer
        for network in networks
        for layer in every_layer(network)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 1.0  # moving -= (moving - batch) * (1 - momentum)
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum


@contextlib.contextmanager
def computing_in_bfloat16(*networks: keras.Model) -> Iterator[None]:
    """Within the context, `networks` compute in bfloat16, in whatever precision they were made, and return float32.

    As under mixed precision, batch normalization reads its weights in float32, and a spectrally normalized kernel is
    rounded behind its division. A layer in another wrapper stays as it is.
    """
    every = [layer for network in networks for layer in every_layer(network)]
    wrappers = [layer for layer in every if isinstance(layer, keras.layers.Wrapper)]
    kernels = {id(wrapper.layer.kernel) for wrapper in wrappers}
    left = {id(wrapper.layer) for wrapper in wrappers if not hasattr(wrapper, "power_iteration")}
    layers = [layer for layer in every if not isinstance(layer, (keras.Model, keras.layers.Wrapper))]
    with contextlib.ExitStack() as stack:
        for network in networks:
            stack.callback(setattr, network, "call", network.call)
            returning_float32(network)
        for layer in layers:
            if id(layer) in left:
                continue
            stack.callback(set_policy, layer, layer.dtype_policy)
            set_policy(layer, "mixed_bfloat16")
            if not isinstance(layer, keras.layers.BatchNormalization):
                weights = [v for v in layer.__dict__.values() if isinstance(v, tf.Variable) and id(v) not in kernels]
                rounded = {id(v): tf.cast(v, tf.bfloat16) for v in weights if v.dtype.is_floating}
                stack.enter_context(substituted(layer, rounded))
        yield


@contextlib.contextmanager
def keyed(networks: Iterable[keras.layers.Layer], key: Key) -> Iterator[None]:
    """Within the context, layers that drop out (all with `keys`) draw from `key`, with new noise at each call."""
    layers = [layer for network in networks for layer in every_layer(network) if hasattr(layer, "keys")]
    for index, layer in enumerate(layers):
        layer.keys = map(partial(key.fold, index), itertools.count())
    try:
        yield
    finally:
        for layer in layers:
            layer.keys = None


def power_iteration(network: keras.layers.Layer):
    """One round of power iteration in every spectrally normalized layer of `network`."""
    for layer in every_layer(network):
        if hasattr(layer, "power_iteration"):
            layer.power_iteration()


def with_features(network: keras.Model, x: tf.Tensor, *, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """`network(x)` and its features [B, F] from one pass. The features are the input of its last layer with weights."""
    outputs, features = in_float32(_with_features(network)(x, training=training))
    return outputs, tf.reshape(features, [-1, math.prod(features.shape[1:])])


def _with_features(network: keras.Model) -> keras.Model:
    *_, head = (layer for layer in network.layers if layer.trainable_weights)
    features = head.get_input_at(-1)
    if isinstance(head, keras.Model):
        _, features = _with_features(head)(features)
    return keras.Model(network.inputs, [network.output, features])


def each(apply: Callable[[tf.Tensor], tf.Tensor], network: keras.layers.Layer, *batches: tf.Tensor) -> list[tf.Tensor]:
    """`apply`, which runs `network`, on each batch: all in one pass, unless examples of a batch are coupled."""
    if len(batches) == 1 or couples_examples(network) or has_batch_normalization(network):
        return [apply(batch) for batch in batches]
    return tf.split(apply(tf.concat(batches, axis=0)), [batch.shape[0] for batch in batches])


def has_batch_normalization(network: keras.layers.Layer) -> bool:
    """Whether a layer of `network` normalizes by its batch."""
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in every_layer(network))


def couples_examples(network: keras.layers.Layer) -> bool:
    """Whether an example's output depends on the others in its batch also when the network is not trained."""
    return any(getattr(layer, "couples_examples", False) for layer in every_layer(network))


@contextlib.contextmanager
def watched_judgments(system, tape: tf.GradientTape) -> Iterator[list[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]]:
    """Within the context, `tape` watches every batch that `system` has its discriminator judge.

    Yields a list of the batches: (the data [B, ...], the tensor that the tape watches, its logits [B]).
    """
    judge, with_features, judged = system.judge, system.discriminate_with_features, []

    def watched(x):
        seen = tf.identity(x)  # a reconstruction depends on x as well, and D's slope at it is another
        tape.watch(seen)
        return seen

    def watched_judge(*batches):
        seen = [watched(x) for x in batches]
        logits = judge(*seen)
        judged.extend(zip(batches, seen, logits))
        return logits

    def watched_with_features(x, **kwargs):
        seen = watched(x)
        logits, features = with_features(seen, **kwargs)
        judged.append((x, seen, logits))
        return logits, features

    # These hide the methods. Set the usual way, Keras would track them.
    object.__setattr__(system, "judge", watched_judge)
    object.__setattr__(system, "discriminate_with_features", watched_with_features)
    try:
        yield judged
    finally:
        object.__delattr__(system, "judge")
        object.__delattr__(system, "discriminate_with_features")


def require_single_examples(discriminator: keras.layers.Layer, owner: str):
    """Raises ValueError where `discriminator` judges packs, or normalizes by its batch.

    Under both an example has no slope of its own, which `owner` penalizes.
    """
    if couples_examples(discriminator):
        raise ValueError(f"{owner} penalizes the slope at one example; it must have discriminator.packing = 1")
    if has_batch_normalization(discriminator):
        raise ValueError(
            f"{owner} penalizes the slope at one example; its discriminator must have no batch normalization"
        )
