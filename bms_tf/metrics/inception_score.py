"""Inception score (Salimans et al., Improved Techniques for Training GANs, 2016), with any classifier's classes."""

import gin
import numpy as np
import tensorflow as tf
from scipy.special import log_softmax, logsumexp

from bms_tf.metrics.tfgan import tensorflow_gan


def classifier_score(logits: np.ndarray) -> float:
    """exp(mean KL(p(y|x) || p(y))) of class scores [N, K], with p(y) the mean of the p(y|x); in [1, K].

    By tensorflow-gan where it runs.
    """
    logits = np.asarray(logits, np.float64)
    if theirs := tensorflow_gan():
        # A class whose probability is 0 everywhere is NaN there, and changes nothing.
        used = (logits - logits.max(axis=1, keepdims=True)).max(axis=0) > -700
        return float(theirs.classifier_score_from_logits(tf.constant(logits[:, used])))
    return _classifier_score(logits)


def _classifier_score(logits: np.ndarray) -> float:
    """The same without tensorflow-gan."""
    log_p = log_softmax(logits, axis=1)
    log_marginal = logsumexp(log_p, axis=0) - np.log(len(log_p))
    return float(np.exp(np.sum(np.exp(log_p) * (log_p - log_marginal), axis=1).mean()))


@gin.configurable
def inception_score(samples: np.ndarray, reference: np.ndarray, *, seed: int, splits: int = 10) -> dict[str, float]:
    """How sharp and varied the classes of samples are (Salimans et al. 2016). Only the floor is of real data.

    It sees whether samples are clearly of a class, and of many classes. It does not see the real data, or variety
    within a class.

    Args:
        samples: class scores [N, K], before the softmax.
        reference: not used.
        seed: of the order in which the samples are split.
        splits: the number of equal parts.

    Returns:
        inception_score: the mean of `classifier_score` over the parts, which rises with their size.
        inception_score_std: the standard deviation over the parts, divided by their number as in the authors' code.

    Raises:
        ValueError: unless there are at least two parts of at least two samples.
    """
    if splits < 2 or len(samples) < 2 * splits:
        raise ValueError(f"{len(samples)} samples in {splits} splits: two or more splits of two or more are needed")
    order = np.random.default_rng(seed).permutation(len(samples))
    scores = [classifier_score(samples[np.sort(part)]) for part in np.array_split(order, splits)]
    return {"inception_score": float(np.mean(scores)), "inception_score_std": float(np.std(scores))}


inception_score.needs = "logits"
inception_score.better = {"inception_score": "higher"}
