"""The metrics of a run in training. Each is given what it needs of the samples and of the data."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from bms_tf.core import metric as asked
from bms_tf.core.examples import Rows, rows_of
from bms_tf.core.model import from_signatures
from bms_tf.core.signatures import signatures
from bms_tf.core.system import System

Examples = np.ndarray | Rows
Features = Callable[[np.ndarray], Mapping[str, np.ndarray]]
ROWS = 500  # examples that go through a network of features at a time


class Scoring:
    """Calls a run's metrics on samples, or on real data in their place."""

    def __init__(
        self, metrics: Sequence[Callable], features: Callable[[], Features] | None, system: System, *, seed: int
    ):
        """`features()`: the network for metrics of features, made when it is needed; None: the numbers as they are."""
        self.metrics, self.seed, self.system = metrics, seed, system
        self._make_network = features
        self._of_reference: dict[str, np.ndarray] = {}

    @cached_property
    def _network(self) -> Features:
        if self._make_network is None:
            return lambda x: {"features": np.asarray(x, np.float32).reshape(len(x), -1)}
        return self._make_network()

    @cached_property
    def _model(self):
        return from_signatures(signatures(self.system))

    def scores(self, samples: Examples, reference: Examples, *, real: bool = False) -> dict[str, float]:
        """Every metric. `reference` is the same at each call. With `real` data in place of the samples, metrics of a
        model are left out.

        Raises ValueError for a metric that cannot be had of these.
        """
        of_samples: dict[str, np.ndarray] = {}
        scores = {}
        for metric in self.metrics:
            if asked.takes(metric) == "samples":
                kind = asked.needs(metric)
                given = self._given(kind, samples, of_samples), self._given(kind, reference, self._of_reference)
                scores |= asked.numbers(asked.answer_of(metric, *given, seed=self.seed))
            elif not real:
                scores |= asked.numbers(asked.answer_of(metric, self._model, rows_of(reference), seed=self.seed))
        return scores

    def _given(self, kind: str, examples: Examples, known: dict[str, np.ndarray]) -> Examples:
        if kind in ("values", "rows"):
            return np.asarray(examples) if kind == "values" else examples
        if not known:
            parts = (examples[i : i + ROWS] for i in range(0, len(examples), ROWS))
            finite = (x[np.isfinite(x).all(axis=tuple(range(1, x.ndim)))] for x in parts)  # the others have no features
            answers = [self._network(x) for x in finite if len(x)]
            if not answers:
                raise ValueError("no sample is finite, and so none has features")
            known |= {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}
        if kind not in known:
            raise ValueError(f"train.features gives no {kind}")
        return known[kind]
