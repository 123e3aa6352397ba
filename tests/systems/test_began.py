"""BEGAN's step against its two losses and the control of k."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.random import Key
from bms_tf.systems.began import BEGAN


@pytest.fixture
def networks(pair, linear):
    return {**pair.networks, "discriminator": linear([[0.6, -0.3], [0.2, 0.9]], [0.1, -0.4])}


def test_every_term_and_gradient(networks, pair, check_step):
    def error(w, x):
        kernel, bias = w["discriminator"]
        return np.abs(x - (x @ kernel + bias)).sum(axis=1)

    def both(w, draws):
        real, sample = error(w, pair.x), error(w, pair.g(w, draws, codes=pair.uniform))
        return {"discriminator": {"real": real, "sample": -0.3 * sample}, "generator": {"sample": sample}}

    system = BEGAN(**networks, gamma=0.5)
    system.k.assign(0.3)
    check_step(system, pair.x, {"both": both})


@pytest.mark.parametrize(
    ("k", "gamma", "expected"),
    [
        # x = (1, 0.5) becomes (.6 + .1 + .1, -.3 + .45 - .4) = (.8, -.25), an error of .2 + .75; x = (-.6, 2) becomes
        # (-.36 + .4 + .1, .18 + 1.8 - .4) = (.14, 1.58): .74 + .42. Their mean is 1.055. The samples are all at
        # (0.2, 0.1), which becomes (.24, -.37): .04 + .47 = .51. The balance is gamma * 1.055 - .51.
        (0.3, 0.5, 0.3 + 0.1 * 0.0175),
        (0.3, 0.2, 0.3 - 0.1 * 0.299),
        (0.01, 0.2, 0.0),  # k stays in [0, 1]
        (0.99, 1.0, 1.0),
    ],
)
def test_k_moves_by_the_balance(networks, linear, pair, k, gamma, expected):
    networks["generator"] = linear([[0.0, 0.0]], [0.2, 0.1])
    system = BEGAN(**networks, gamma=gamma, lambda_k=0.1)
    system.k.assign(k)
    (phase,) = system.phases()
    _, aux = phase.losses(tf.constant(pair.x, tf.float32), Key(tf.zeros([2], tf.int64)))
    phase.after(aux)
    assert float(system.k) == pytest.approx(expected, abs=1e-6)


def test_k_is_saved_with_the_rest(networks, tmp_path):
    system, other = (BEGAN(**networks, gamma=0.5) for _ in range(2))
    system.k.assign(0.37)
    path = tf.train.Checkpoint(model=system).save(str(tmp_path / "ckpt"))
    tf.train.Checkpoint(model=other).restore(path).expect_partial()
    assert float(other.k) == pytest.approx(0.37)


def test_discriminate_is_high_for_what_is_reconstructed(networks, pair):
    system = BEGAN(**networks, gamma=0.5)
    np.testing.assert_allclose(system.discriminate(tf.constant(pair.x, tf.float32)), [-0.95, -1.16], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": 1.5}, r"gamma is 1.5; it must lie in \(0, 1\]"),
        ({"gamma": 0.5, "lambda_k": 0.0}, "lambda_k is 0.0; it must be positive"),
    ],
)
def test_values_out_of_range(networks, options, message):
    with pytest.raises(ValueError, match=message):
        BEGAN(**networks, **options)
