"""A trained model as metrics see it: what its signatures offer, as functions of tensors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import tensorflow as tf

from bms_tf.core.random import normal_rows

Function = tf.types.experimental.ConcreteFunction
SAMPLING = ("sample", "generate", "serving_default")  # which of them makes samples, where none is named
DEFAULT_OUTPUTS = ("x", "output_0")  # of a signature with several


@dataclass(frozen=True)
class Model:
    """Functions of float32 tensors with any number of rows, differentiable to first order. A missing one is None.

    A model without a signature for `sample` or `sample_prior` may still draw codes: its prior then counts as standard
    normal.
    """

    code_size: int | None
    data_shape: tuple[int, ...]
    generate: Callable[[tf.Tensor], tf.Tensor] | None = None  # z [B, Z] -> x [B, ...]
    sample: Callable[[tf.Tensor], tf.Tensor] | None = None  # seeds int64 [B] -> x
    sample_prior: Callable[[tf.Tensor], tf.Tensor] | None = None  # seeds -> z
    encode: Callable[[tf.Tensor], tf.Tensor] | None = None  # x -> z
    reconstruct: Callable[[tf.Tensor], tf.Tensor] | None = None  # x -> x_hat [B, ...]
    posterior: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]] | None = None  # x -> mean, log_stddev [B, Z]
    log_posterior: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None  # z, x -> log q [B]
    sample_posterior: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None  # x, seeds -> z
    discriminate: Callable[[tf.Tensor], tf.Tensor] | None = None  # x -> logit [B]
    signature: str = ""  # what makes the samples, in words
    keep: object = field(default=None, repr=False)


def from_signatures(signatures: Mapping[str, Function], sampling: str | None = None, keep: object = None) -> Model:
    """The model that a SavedModel's signatures, or those of `core.signatures`, make.

    Args:
        signatures: by name. Ours are taken where inputs and outputs are named as in `core.signatures`.
        sampling: the one that makes samples, of any SavedModel, with one input: seeds int64 [B] or codes float32
            [B, Z]. None takes the first there is of sample, generate and serving_default.
        keep: what must live as long as the model: a loaded SavedModel's signatures hold no reference to it.

    Raises:
        ValueError: if there is no such signature, or it wants other inputs.
    """
    name = sampling or next((name for name in SAMPLING if name in signatures), None)
    if name is None or name not in signatures:
        raise ValueError(f"there is no signature {sampling or 'sample'!r}; the model has {', '.join(signatures)}")
    function, specs = signatures[name], _inputs(signatures[name])
    spec = next(iter(specs.values()))
    by_seed = len(specs) == 1 and spec.dtype == tf.int64 and spec.shape.rank == 1
    by_code = len(specs) == 1 and spec.dtype.is_floating and spec.shape.rank == 2 and spec.shape[1] is not None
    if not (by_seed or by_code):
        raise ValueError(f"the signature {name!r} wants {_spelled(specs)}; it must be seeds int64 [B] or codes [B, Z]")
    outputs = [*function.structured_outputs]
    output = next((o for o in DEFAULT_OUTPUTS if o in outputs), outputs[0])
    if output not in DEFAULT_OUTPUTS and len(outputs) > 1:
        raise ValueError(f"the signature {name!r} gives {', '.join(outputs)}; one of them must be named x")

    def call(given: tf.Tensor) -> tf.Tensor:
        return as_float(_call(function, [given])[output])

    def offered(name: str, inputs: tuple[str, ...], *outputs: str) -> Callable | None:
        ours = signatures.get(name)
        if ours is None or {*_inputs(ours)} != {*inputs} or not {*outputs} <= {*ours.structured_outputs}:
            return None

        def ask(*tensors):
            named = dict(zip(inputs, tensors, strict=True))
            answer = _call(ours, [named[key] for key in _inputs(ours)])
            return answer[outputs[0]] if len(outputs) == 1 else tuple(answer[output] for output in outputs)

        return ask

    sample, size = call if by_seed else None, None
    generate = call if by_code else offered("generate", ("z",), "x")
    sample_prior = offered("sample_prior", ("seed",), "z")
    if generate is not None:
        size = spec.shape[1] if by_code else _inputs(signatures["generate"])["z"].shape[1]
        if sample_prior is None:
            name += ", codes from the standard normal distribution"
            sample_prior = tf.function(lambda seeds: normal_rows(seeds, size), autograph=False)
        sample = sample or (lambda seeds: generate(sample_prior(seeds)))
    return Model(
        code_size=size,
        data_shape=tuple(call(tf.zeros([1, *spec.shape[1:]], spec.dtype)).shape[1:]),
        generate=generate,
        sample=sample,
        sample_prior=sample_prior,
        encode=offered("encode", ("x",), "z"),
        reconstruct=offered("reconstruct", ("x",), "x_hat"),
        posterior=offered("posterior", ("x",), "mean", "log_stddev"),
        log_posterior=offered("log_posterior", ("z", "x"), "log_q"),
        sample_posterior=offered("sample_posterior", ("x", "seed"), "z"),
        discriminate=offered("discriminate", ("x",), "logit"),
        signature=name,
        keep=keep,
    )


def _inputs(function: Function) -> dict[str, tf.TensorSpec]:
    """The inputs by name, in the order in which the function takes them."""
    positional, named = function.structured_input_signature
    return {spec.name: spec for spec in positional} | dict(named)


def _call(function: Function, tensors: Sequence[tf.Tensor]) -> Mapping[str, tf.Tensor]:
    """`tensors`: in the order of `_inputs`."""
    specs = _inputs(function)
    given = {name: tf.cast(tensor, specs[name].dtype) for name, tensor in zip(specs, tensors, strict=True)}
    return function(*given.values()) if function.structured_input_signature[0] else function(**given)


def _spelled(specs: Mapping[str, tf.TensorSpec]) -> str:
    return ", ".join(f"{name} {spec.dtype.name} {spec.shape}" for name, spec in sorted(specs.items()))


def as_float(x: tf.Tensor) -> tf.Tensor:
    """Data as float32; bytes are pixels."""
    return tf.cast(x, tf.float32) / 127.5 - 1.0 if x.dtype == tf.uint8 else tf.cast(x, tf.float32)
