"""A trained model as a program uses it: NumPy arrays in, NumPy arrays out."""

# pyright: basic
import numbers
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

Scores = Mapping[str, Mapping[str, float | None]]


class Posterior(NamedTuple):
    """A diagonal Gaussian q(z|x): float32 [B, Z] each."""

    mean: np.ndarray
    log_stddev: np.ndarray


class Model:
    """What `bms_tf.load` and `bms_tf.train` return.

    Which methods one can call depends on the system: `offers` names them, and the others raise ValueError. Data are
    float32 [B, ...], images in [-1, 1]; codes are float32 [B, Z]. The methods take any number of rows, which go through
    the networks in batches.

    Attributes:
        path: the run folder or SavedModel.
        offers: the names of the signatures.
        code_size: Z.
        data_shape: the shape of one example.
        scores: {"samples": {metric: value}, "data": {metric: value}}, or None if there are none. A value that was not
            finite is None.
    """

    def __init__(
        self,
        path: str,
        signatures: Mapping[str, Callable],
        *,
        scores: Scores | None = None,
        batch_size: int = 256,
        keep: object = None,
    ):
        """Wraps a model's signatures.

        Args:
            path: the run folder or SavedModel.
            signatures: TensorFlow's concrete functions, by name.
            scores: see the attribute.
            batch_size: how many rows go through the networks at once, at least 1.
            keep: what owns the functions' variables.

        Raises:
            ValueError: if the batch size is under 1, or there is no signature `generate`.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        if "generate" not in signatures:
            raise ValueError(f"{path} has the signatures {sorted(signatures)}; a model of ours has generate")
        self.path, self.scores = path, scores
        self._signatures, self._batch_size, self._keep = dict(signatures), batch_size, keep
        self.offers = tuple(sorted(self._signatures.keys() - {"serving_default"}))
        self.code_size: int = self._inputs("generate")["z"].shape[-1]
        self.data_shape: tuple[int, ...] = tuple(self._signatures["generate"].structured_outputs["x"].shape[1:])

    def __repr__(self) -> str:
        return f"<Model {self.path}: codes [{self.code_size}], data {list(self.data_shape)}; {', '.join(self.offers)}>"

    # From codes to data.

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """`n` samples, [n, ...].

        Args:
            n: how many.
            seed: the same seed gives the same samples, and another seed gives independent ones. The run's own seed
                gives the samples that were scored.

        Raises:
            ValueError: for a value out of range.
        """
        return self.predict("sample", seed=_seeds(n, seed))["x"]

    def sample_prior(self, n: int, *, seed: int = 0) -> np.ndarray:
        """The codes [n, Z] from which `sample` makes its samples.

        Args:
            n: how many.
            seed: as of `sample`.

        Raises:
            ValueError: for a value out of range.
        """
        return self.predict("sample_prior", seed=_seeds(n, seed))["z"]

    def generate(self, z: np.ndarray) -> np.ndarray:
        """Data [B, ...] from codes [B, Z]: the mean of p(x|z), with the averaged weights if there are any."""
        return self.predict("generate", z=z)["x"]

    def draw(self, z: np.ndarray, *, seed: int = 0) -> np.ndarray:
        """A draw of p(x|z), [B, ...], for each code.

        Args:
            z: codes [B, Z].
            seed: seeds the draws.
        """
        return self.predict("draw", z=z, seed=_seeds(len(z), seed))["x"]

    # From data to codes.

    def encode(self, x: np.ndarray) -> np.ndarray:
        """The code [B, Z] of data [B, ...] at zero noise: the posterior's mean, if it is Gaussian."""
        return self.predict("encode", x=x)["z"]

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """`generate(encode(x))`."""
        return self.predict("reconstruct", x=x)["x_hat"]

    def posterior(self, x: np.ndarray) -> Posterior:
        """q(z|x) of data [B, ...], if it is Gaussian."""
        return Posterior(**self.predict("posterior", x=x))

    def sample_posterior(self, x: np.ndarray, *, seed: int = 0) -> np.ndarray:
        """A draw of q(z|x), [B, Z], for each datum.

        Args:
            x: data [B, ...].
            seed: seeds the draws.
        """
        return self.predict("sample_posterior", x=x, seed=_seeds(len(x), seed))["z"]

    def log_posterior(self, z: np.ndarray, x: np.ndarray) -> np.ndarray:
        """log q(z|x), [B], in nats.

        Args:
            z: codes [B, Z].
            x: data [B, ...].
        """
        return self.predict("log_posterior", z=z, x=x)["log_q"]

    # The discriminator.

    def discriminate(self, x: np.ndarray) -> np.ndarray:
        """The discriminator's logits [B] of data [B, ...], high for real data."""
        return self.predict("discriminate", x=x)["logit"]

    def features(self, x: np.ndarray) -> np.ndarray:
        """The discriminator's features [B, F] of data [B, ...]."""
        return self.predict("features", x=x)["features"]

    # Any of them.

    def predict(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """All outputs of a signature, each [B, ...], as a server gives them.

        Args:
            signature: one of `offers`.
            **inputs: by name, each [B, ...]; `seed` is int64 [B], one for each row.

        Raises:
            ValueError: if the model does not offer the signature, or if inputs have another name, type or shape, no
                rows, unequal numbers of rows, or a value that is not finite.
        """
        if signature not in self._signatures:
            raise ValueError(f"{self.path} has no {signature}; it offers {', '.join(self.offers)}")
        specs = self._inputs(signature)
        if inputs.keys() != specs.keys():
            raise ValueError(f"{signature} is given {sorted(inputs)}; it takes {sorted(specs)}")
        arrays = {name: _checked(name, inputs[name], spec) for name, spec in specs.items()}
        rows = {len(array) for array in arrays.values()}
        if len(rows) != 1 or 0 in rows:
            counts = ", ".join(f"{len(array)} of {name}" for name, array in sorted(arrays.items()))
            raise ValueError(f"there are {counts}; there must be equal numbers of rows, at least one")
        parts = [
            self._call(signature, {name: array[start : start + self._batch_size] for name, array in arrays.items()})
            for start in range(0, rows.pop(), self._batch_size)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _inputs(self, signature: str) -> dict[str, tf.TensorSpec]:
        """By name; a loaded function takes them as keywords, one that was traced here by position."""
        args, kwargs = self._signatures[signature].structured_input_signature
        return {spec.name: spec for spec in (*args, *kwargs.values())}

    def _call(self, signature: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        function = self._signatures[signature]
        tensors = {name: tf.constant(array) for name, array in arrays.items()}
        by_position = bool(function.structured_input_signature[0])
        outputs = function(*tensors.values()) if by_position else function(**tensors)
        return {name: output.numpy() for name, output in outputs.items()}


def _seeds(n: int, seed: int) -> np.ndarray:
    """int64 [n], and no number of them among those of another `seed`."""
    for name, value in {"n": n, "seed": seed}.items():
        if not isinstance(value, numbers.Integral):
            raise ValueError(f"{name} is {value!r}; it must be a whole number")
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed is {seed}; it must lie in [0, 2^31)")
    if not 0 < n < 2**32:
        raise ValueError(f"{n} samples are asked for; it must be at least 1")
    return seed * 2**32 + np.arange(n, dtype=np.int64)


def _checked(name: str, value: np.ndarray, spec: tf.TensorSpec) -> np.ndarray:
    array = np.asarray(value)
    shape = ", ".join(map(str, spec.shape[1:]))
    if not array.ndim or not spec.shape.is_compatible_with(array.shape):
        raise ValueError(f"{name} has shape {array.shape}; it must be [B{', ' * bool(shape)}{shape}]")
    if spec.dtype.is_integer:
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name} is {array.dtype}; it must be of integers")
    elif array.dtype == np.uint8:
        raise ValueError(f"{name} is uint8; pixels of 0 to 255 are given as {name} / 127.5 - 1, in [-1, 1]")
    elif not np.can_cast(array.dtype, np.float64, "same_kind"):
        raise ValueError(f"{name} is {array.dtype}; it must be of numbers")
    with np.errstate(over="ignore"):  # what becomes infinite is refused below
        given = array.astype(spec.dtype.as_numpy_dtype)
    if spec.dtype.is_integer and (given != array).any():
        raise ValueError(f"{name} holds an integer beyond {spec.dtype.name}")
    if not np.isfinite(given).all():
        raise ValueError(f"{name} holds values that are not finite")
    return given
