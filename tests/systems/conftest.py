"""The check that every system's losses and gradients are put through: one step against equations in plain NumPy."""

import dataclasses
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key

STEP = 1e-6  # of the central differences, in double precision: their error is about 1e-9


@pytest.fixture(scope="session")
def linear():
    """`linear(kernel, bias)`: the network x -> x kernel + bias; with `logits` its one output is of shape [B]."""

    def network(kernel, bias, logits=False):
        kernel, bias = np.array(kernel, np.float32), np.array(bias, np.float32)
        layers = [keras.Input(kernel.shape[:1]), keras.layers.Dense(kernel.shape[1])]
        model = keras.Sequential([*layers, *([keras.layers.Reshape(())] if logits else [])])
        model.set_weights([kernel, bias])
        return model

    return network


@pytest.fixture
def pair(linear):
    """A generator, z a + b, of two numbers from one; a discriminator, v . x + c; both in NumPy as well; two points.

    `uniform(draws)`: codes uniform in (-1, 1), as the systems with that prior make them of normal noise; `g` takes them
    as `codes`.
    """

    def uniform(draws, batch=2):
        return 2 * scipy.stats.norm.cdf(draws.normal("prior", (batch, 1))) - 1

    def g(w, draws, batch=2, codes=None):
        a, b = w["generator"]
        return (draws.normal("prior", (batch, 1)) if codes is None else codes(draws, batch)) @ a + b

    def d(w, x):
        v, c = w["discriminator"]
        return (x @ v + c)[:, 0]

    generator, discriminator = linear([[0.5, -1.0]], [0.2, 0.1]), linear([[0.7], [-0.4]], [0.3], logits=True)
    networks = {"generator": generator, "discriminator": discriminator}
    return SimpleNamespace(networks=networks, g=g, d=d, uniform=uniform, x=np.array([[1.0, 0.5], [-0.6, 2.0]]))


class Draws:
    """The noise of a phase as NumPy arrays, by the names that a system draws it under."""

    def __init__(self, key):
        self.normal = cache(lambda name, shape, draws=(): key.normal(name, shape, draws=draws).numpy().astype(float))
        self.uniform = cache(lambda name, shape, draws=(): key.uniform(name, shape, draws=draws).numpy().astype(float))


def _played(system, phase, x, key):
    """What the system itself gives: the mean of every term, and every player's gradients."""
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(system.trainable_variables)
        losses, _ = phase.losses(tf.constant(x, tf.float32), key)
        means = {player: {term: tf.reduce_mean(v) for term, v in terms.items()} for player, terms in losses.items()}
        totals = {player: sum(terms.values()) for player, terms in means.items()}
    gradients = {p: tape.gradient(t, system.trainable(p), unconnected_gradients="zero") for p, t in totals.items()}
    return {p: {t: float(v) for t, v in terms.items()} for p, terms in means.items()}, gradients


def _derived(system, equations, draws):
    """What the equations give: the mean of every term, and every player's gradients by central differences."""
    w = {name: [v.numpy().astype(float) for v in net.trainable_variables] for name, net in system.networks.items()}

    def total(player):
        return sum(np.mean(values) for values in equations(w, draws)[player].values())

    def slope(player, array, index):
        value, sides = array[index], []
        for side in (value + STEP, value - STEP):
            array[index] = side
            sides.append(total(player))
        array[index] = value
        return (sides[0] - sides[1]) / (2 * STEP)

    def gradient(player, array):
        slopes = [slope(player, array, index) for index in np.ndindex(array.shape)]
        return np.reshape(slopes, array.shape)

    means = {p: {t: float(np.mean(v)) for t, v in terms.items()} for p, terms in equations(w, draws).items()}
    return means, {p: [gradient(p, a) for name in system.players[p] for a in w[name]] for p in means}


def _differences(played, derived):
    """Whether the terms differ, and whether the gradients of any player do."""
    (terms, gradients), (expected_terms, expected_gradients) = played, derived
    assert {p: set(ts) for p, ts in terms.items()} == {p: set(ts) for p, ts in expected_terms.items()}
    terms_differ = any(terms[p] != pytest.approx(expected_terms[p], rel=1e-4, abs=1e-6) for p in terms)
    gradients_differ = any(
        not np.allclose(g, e, rtol=1e-3, atol=1e-5)
        for p in terms
        for g, e in zip(gradients[p], expected_gradients[p], strict=True)
    )
    return terms_differ, gradients_differ


def _with_one_sign_flipped(phase, player, term):
    def losses(x, key):
        losses, aux = phase.losses(x, key)
        return {**losses, player: {**losses[player], term: -losses[player][term]}}, aux

    return dataclasses.replace(phase, losses=losses)


@pytest.fixture(scope="session")
def check_step():
    """`check_step(system, x, equations, phases=system.phases())` compares each phase on the batch x with its equations.

    `equations[phase](w, draws)` gives {player: {term: per-example array or number}} in NumPy, as the system's losses
    do: `w[network]` are the network's trainable weights, `draws.normal(name, shape)` and `draws.uniform` the noise that
    the system draws under a name. Gradients are those of the equations by central differences, so that a constant
    (the weights behind a stop_gradient) must be read before: copy it from `system`, not from `w`.

    Then the sign of each term is flipped in turn, and both comparisons must fail: choose x and the weights such that no
    term and no gradient of a term is zero.
    """

    def check(system, x, equations, phases=None):
        phases = system.phases() if phases is None else phases
        assert [phase.name for phase in phases] == list(equations)
        for index, phase in enumerate(phases):
            key = Key(tf.constant([index, 7], tf.int64))
            derived = _derived(system, equations[phase.name], Draws(key))
            played, expected = _played(system, phase, x, key), derived
            assert _differences(played, expected) == (False, False), f"{phase.name}: {played}\nis not\n{expected}"
            for player, terms in derived[0].items():
                for term in terms:
                    flipped = _played(system, _with_one_sign_flipped(phase, player, term), x, key)
                    assert _differences(flipped, derived) == (True, True), f"{player}/{term} has no sign to speak of"

    return check
