"""Dist-GAN's step: its distances of 2-D data and of images, whom an update moves, the weight of reconstructions."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.core.random import Key
from bms_tf.networks.posteriors import DeterministicEncoder
from bms_tf.objectives.adversarial import cross_entropy_fake
from bms_tf.systems.dist_gan import DistGAN

OPTIONS = {"lambda_r": 0.7, "lambda_p": 1.5, "horizon": None}
AS_IN_2D = {
    "autoencoder": ("encoder", "generator"),
    "reconstruction_loss": cross_entropy_fake,
    "reconstruction_weight": 0.5,
    "critic_updates": 5,
}


@pytest.fixture
def networks(pair, linear):
    encoder = DeterministicEncoder(linear([[0.8], [0.5]], [-0.2]), code_size=1, data_shape=(2,))
    return {"encoder": encoder, **pair.networks}


@pytest.mark.parametrize(
    ("options", "players", "w", "taken_for_real"),
    [
        ({"reconstruction_weight": 0.3}, ["encoder"], 0.3, True),
        (AS_IN_2D, ["encoder", "generator"], 0.5, False),
    ],
    ids=["images", "2-D"],
)
def test_every_term_and_gradient(networks, pair, check_step, options, players, w, taken_for_real):
    x = pair.x
    weight = w

    def probability(w, x):
        return 1 / (1 + np.exp(-pair.d(w, x)))

    def sampled(w, draws):
        return pair.g(w, draws, codes=pair.uniform)

    def reconstructed(w):
        """E(x) and G(E(x))."""
        (kernel, bias), (a, b) = w["encoder"], w["generator"]
        z_hat = x @ kernel + bias
        return z_hat, z_hat @ a + b

    def autoencoder(w, draws):
        z_hat, x_hat = reconstructed(w)
        # M is a mean over batch and dimensions; a code has 1 dimension and the vectors have 2.
        distance = np.mean(x_hat - sampled(w, draws)) - np.sqrt(1 / 2) * np.mean(z_hat - pair.uniform(draws))
        terms = {"reconstruction": np.mean((x - x_hat) ** 2, axis=1), "distance": 0.7 * distance**2}
        return {player: terms for player in players}

    def discriminator(w, draws):
        d_hat = probability(w, reconstructed(w)[1])
        terms = {
            "real": -(1 - weight) * np.log(probability(w, x)),
            "reconstruction": -weight * np.log(d_hat if taken_for_real else 1 - d_hat),
            "sample": -np.log(1 - probability(w, sampled(w, draws))),
            "gradient_penalty": 1.5 * (np.linalg.norm(w["discriminator"][0]) - 1) ** 2,
        }
        return {"discriminator": terms}

    def generator(w, draws):
        difference = probability(w, x).mean() - probability(w, sampled(w, draws)).mean()
        return {"generator": {"score_distance": abs(difference)}}

    system = DistGAN(**networks, **OPTIONS, **options)
    check_step(system, x, {"autoencoder": autoencoder, "discriminator": discriminator, "generator": generator})
    assert system.batch_coupled
    assert [phase.repeats for phase in system.phases()] == [1, options.get("critic_updates", 1), 1]


def test_the_first_update_moves_the_encoder_alone(networks, pair):
    # Through G, which stays: the paper's generator is moved by the distance of scores alone.
    system = DistGAN(**networks, **OPTIONS)
    system.compile({player: keras.optimizers.SGD(0.1) for player in system.players})
    before = {name: network.get_weights() for name, network in system.networks.items()}
    phase = system._phases[0]
    system._move(0, phase, *system._moves(0, phase, 0, tf.constant(pair.x, tf.float32)))
    moved = {
        name
        for name, network in system.networks.items()
        if any(np.any(new != old) for new, old in zip(network.get_weights(), before[name]))
    }
    assert moved == {"encoder"}
    assert system.generator_updates == 1


def test_distances_of_images_are_of_features():
    # A discriminator of images [1, 1, 2] with three features, tanh(x W), whose last layer has weights of its own.
    rng = np.random.default_rng(0)
    first, second, last = rng.normal(size=(2, 3)), rng.normal(size=(3, 1)), rng.normal(size=(1, 2))

    def network(*layers, weights):
        model = keras.Sequential(layers)
        model.set_weights([np.asarray(w, np.float32) for w in weights])
        return model

    flat, dense = keras.layers.Flatten, lambda n, **o: keras.layers.Dense(n, use_bias=False, **o)
    shape = (1, 1, 2)
    system = DistGAN(
        encoder=DeterministicEncoder(
            network(keras.Input(shape), flat(), dense(1), weights=[first[:, :1]]), code_size=1, data_shape=shape
        ),
        generator=network(keras.Input((1,)), dense(2), keras.layers.Reshape(shape), weights=[last]),
        discriminator=network(
            keras.Input(shape),
            flat(),
            dense(3, activation="tanh"),
            dense(1),
            keras.layers.Reshape(()),
            weights=[first, second],
        ),
        **OPTIONS,
    )
    key, x = Key(tf.constant([0, 7], tf.int64)), rng.normal(size=(4, *shape))
    losses, _ = system.phases()[0].losses(tf.constant(x, tf.float32), key)
    points = x.reshape(4, 2)
    z_hat, z = points @ first[:, :1], system.prior_codes(tf.constant(x, tf.float32), key).numpy()
    phi, phi_hat, phi_gen = (np.tanh(a @ first) for a in (points, z_hat @ last, z @ last))
    # One dimension of codes and three features: lambda_w = sqrt(1/3).
    distance = np.mean(phi_hat - phi_gen) - np.sqrt(1 / 3) * np.mean(z_hat - z)
    expected = {"reconstruction": np.mean((phi - phi_hat) ** 2, axis=1), "distance": 0.7 * distance**2}
    assert losses["encoder"].keys() == expected.keys()
    for term, value in expected.items():
        np.testing.assert_allclose(losses["encoder"][term], value, rtol=1e-4)


@pytest.mark.parametrize(
    ("step", "share"), [(0, 1.0), (500, 1.0), (625, 0.5), (700, 0.2), (750, 0.0), (1000, 0.0), (2000, 0.0)]
)
def test_the_weight_of_reconstructions_falls_in_the_third_quarter(networks, pair, step, share):
    # The authors' code: w = .05 - mu with mu = 2 (.1 t - .05) within [0, .05], at the share t of the run.
    t = step / 1000
    assert 0.05 - min(max(2 * (0.1 * t - 0.05), 0.0), 0.05) == pytest.approx(0.05 * share)
    system = DistGAN(**networks, **{**OPTIONS, "horizon": 1000})
    system.compile({player: keras.optimizers.SGD(0.1) for player in system.players})
    system.step.assign(step)
    losses, _ = system.phases()[1].losses(tf.constant(pair.x, tf.float32), Key(tf.zeros([2], tf.int64)))
    logits = pair.d({"discriminator": networks["discriminator"].get_weights()}, pair.x)
    real = np.log(1 + np.exp(-logits))
    np.testing.assert_allclose(losses["discriminator"]["real"], (1 - 0.05 * share) * real, rtol=1e-5)
    assert np.all(losses["discriminator"]["reconstruction"].numpy() > 0) == (share > 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lambda_r": -1.0}, "lambda_r is -1.0; it must not be negative"),
        ({"lambda_p": -1.0}, "lambda_p is -1.0; it must not be negative"),
        ({"reconstruction_weight": 1.5}, r"reconstruction_weight is 1.5; it must lie in \[0, 1\]"),
        ({"horizon": 0}, "horizon is 0; it must be at least 1, or None"),
        ({"autoencoder": ("discriminator",)}, r"autoencoder is \('discriminator',\); it must be \('encoder',\)"),
        ({"critic_updates": 0}, "critic_updates is 0; it must be at least 1"),
    ],
)
def test_values_out_of_range(networks, options, message):
    with pytest.raises(ValueError, match=message):
        DistGAN(**networks, **{**OPTIONS, **options})
