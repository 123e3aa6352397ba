"""The signatures of an exported model: what its system offers, as functions of named tensors, each with batch first."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from bms_tf.core.generative import GenerativeModel
from bms_tf.core.random import normal_rows

Outputs = Mapping[str, tf.Tensor]
Signatures = Mapping[str, tf.types.experimental.ConcreteFunction]


def signatures(system: GenerativeModel) -> Signatures:
    """Every signature that `system` has, traced for any number of rows, none of them with XLA.

    | signature | in | out |
    | --- | --- | --- |
    | generate, serving_default | z [B, Z] | x [B, ...]; of images also x_uint8 |
    | generate_png, of images | z [B, Z] | image_bytes string [B], each a PNG; REST gives such names in base64 |
    | sample_prior | seed int64 [B] | z [B, Z] |
    | sample | seed int64 [B] | as generate |
    | draw, if p(x given z) can be drawn from | z, seed | as generate |
    | posterior, if it is Gaussian | x [B, ...] | mean, log_stddev [B, Z] |
    | log_posterior, if it has a density | z, x | log_q [B] |
    | sample_posterior | x, seed | z [B, Z]; its noise is what sample_prior gives for the seed |
    | encode, reconstruct | x | z [B, Z]; x_hat [B, ...] |
    | discriminate, features | x | logit [B]; features [B, F] |

    Each gives, to the bit, what the system's own method gives inside a `tf.function`; eagerly that may be rounded
    otherwise, since TensorFlow fuses operations in graphs alone. A row that is not finite in some input gives NaN in
    its own row of every output, 0 where that is whole numbers and no bytes where it is a PNG, and does not touch the
    others. Each raises InvalidArgumentError for no rows, and for inputs of unequal numbers of rows.
    """
    z = tf.TensorSpec([None, system.code_size], tf.float32, name="z")
    x = tf.TensorSpec([None, *system.data_shape], tf.float32, name="x")
    seed = tf.TensorSpec([None], tf.int64, name="seed")
    offers = set(system.offers)
    if _is_image(system.data_shape):
        offers.add("generate_png")
    if "posterior" in offers:
        q = system.posterior(tf.zeros([1, *system.data_shape]))
        offers.add("sample_posterior")
        offers.update({"log_posterior"} if hasattr(q, "log_prob") else ())
        offers.difference_update(() if hasattr(q, "log_stddev") else {"posterior"})

    def posterior(x):
        q = system.posterior(x)
        return {"mean": q.mean, "log_stddev": q.log_stddev}

    def sample_posterior(x, seed):
        return {"z": system.posterior(x).sample(normal_rows(seed, system.code_size))}

    functions = {
        "generate": (lambda z: _data(system.generate(z)), z),
        "generate_png": (lambda z: {"image_bytes": tf.io.encode_png(_bytes(system.generate(z)))}, z),
        "sample_prior": (lambda seed: {"z": system.sample_prior(seed)}, seed),
        "sample": (lambda seed: _data(system.sample(seed)), seed),
        "draw": (lambda z, seed: _data(system.draw(z, seed)), z, seed),
        "posterior": (posterior, x),
        "log_posterior": (lambda z, x: {"log_q": system.posterior(x).log_prob(z)}, z, x),
        "sample_posterior": (sample_posterior, x, seed),
        "encode": (lambda x: {"z": system.encode(x)}, x),
        "reconstruct": (lambda x: {"x_hat": system.reconstruct(x)}, x),
        "discriminate": (lambda x: {"logit": system.discriminate(x)}, x),
        "features": (lambda x: {"features": system.features(x)}, x),
    }
    traced = {name: _traced(*functions[name]) for name in functions if name in offers}
    return {"serving_default": traced["generate"], **traced}


def describe(traced: Signatures) -> str:
    """A line for each signature: its inputs and outputs with their types and shapes."""

    def named(specs):
        shape = {n: ", ".join("B" if size is None else str(size) for size in s.shape) for n, s in specs.items()}
        return ", ".join(f"{name} {spec.dtype.name} [{shape[name]}]" for name, spec in specs.items())

    inputs = {name: {spec.name: spec for spec in f.structured_input_signature[0]} for name, f in traced.items()}
    return "\n".join(f"  {n:<17}{named(inputs[n])} -> {named(f.structured_outputs)}" for n, f in traced.items())


def _is_image(shape: Sequence[int]) -> bool:
    """Whether examples of `shape` are images of 1 or 3 channels."""
    return len(shape) == 3 and shape[-1] in (1, 3)


def _bytes(x: tf.Tensor) -> tf.Tensor:
    """x in [-1, 1] as 0 .. 255."""
    return tf.saturate_cast(tf.round(127.5 * (x + 1.0)), tf.uint8)


def _data(x: tf.Tensor) -> Outputs:
    """x [B, ...] in [-1, 1] and, where it is images, the same in 0 .. 255."""
    return {"x": x, "x_uint8": _bytes(x)} if _is_image(x.shape[1:]) else {"x": x}


def _traced(function: Callable[..., Outputs], *specs: tf.TensorSpec) -> tf.types.experimental.ConcreteFunction:
    """`function`, traced for `specs` behind a check of their rows and values.

    A convolution of no rows fails or gives a wrong shape, one row would be broadcast silently against many, and what is
    made of a NaN may look like an answer. In the graph, so that every server says the same.

    A server may merge the rows of several requests into one call, whose error goes to all of them. So nothing is
    asserted of a value; and of the rows only what no request that is right can be merged into: each one's own inputs
    have equal rows, and with it there is at least one.
    """

    def checked(*tensors):
        rows = [tf.shape(tensor)[0] for tensor in tensors]
        checks = [tf.debugging.assert_positive(rows[0], "there must be at least one row")]
        checks += [tf.debugging.assert_equal(n, rows[0], "inputs must have equal numbers of rows") for n in rows[1:]]
        with tf.control_dependencies(checks):
            tensors = [tf.identity(tensor) for tensor in tensors]
        floats = [tensor for tensor in tensors if tensor.dtype.is_floating]
        if not floats:
            return function(*tensors)
        finite = tf.reduce_all(tf.stack([_finite_rows(tensor) for tensor in floats]), axis=0)
        outputs = function(*(_where(finite, tensor, 0) for tensor in tensors))
        return {name: _where(finite, output, _no_answer(output.dtype)) for name, output in outputs.items()}

    return tf.function(checked, autograph=False).get_concrete_function(*specs)


def _no_answer(dtype: tf.DType) -> float | int | bytes:
    return b"" if dtype == tf.string else float("nan") if dtype.is_floating else 0


def _finite_rows(tensor: tf.Tensor) -> tf.Tensor:
    """Which rows of [B, ...] hold no NaN and no infinity, bool [B]."""
    return tf.reduce_all(tf.math.is_finite(tensor), axis=range(1, tensor.shape.rank))


def _where(rows: tf.Tensor, tensor: tf.Tensor, other) -> tf.Tensor:
    """`tensor` [B, ...] in the `rows` (bool [B]), `other` elsewhere."""
    rows = tf.reshape(rows, [-1] + [1] * (tensor.shape.rank - 1))
    return tf.where(rows, tensor, tf.constant(other, tensor.dtype))
