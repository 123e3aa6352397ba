"""One step of the VAE against the bound, for each posterior and visible distribution."""

from functools import partial

import gin
import numpy as np
import pytest
from scipy import stats

from bms_tf.core.random import Key
from bms_tf.networks import roles
from bms_tf.networks.mlp import mlp
from bms_tf.objectives import divergences, visible
from bms_tf.systems.bms_vae_gan import BMSVAEGAN
from bms_tf.systems.vae import VAE
from tests.systems import tiny
from tests.systems.tiny import B, D, X, Z, forward, gaussian

IN_RANGE = X / np.abs(X).max()  # Bernoulli and the levels are for data in [-1, 1]
LEVEL = np.round(127.5 * (IN_RANGE + 1)).astype(int)


def build(distribution=None, encoder=roles.gaussian_encoder, **options) -> VAE:
    return VAE(**tiny.networks(encoder=encoder, generator=partial(roles.generator, visible=distribution)), **options)


def l1(x, y):
    return -np.abs(x - y[..., 0])


def bernoulli(x, y):
    p = 1 / (1 + np.exp(-y[..., 0]))
    return (x + 1) / 2 * np.log(p) + (1 - x) / 2 * np.log(1 - p)


def location_scale(logpdf):
    return lambda x, y: logpdf(x, y[..., 0], np.exp(y[..., 1]))


def quantized_normal(x, y):
    m, s = y[..., 0], np.exp(y[..., 1])
    upper, lower = ((LEVEL + side) / 127.5 - 1 for side in (0.5, -0.5))
    upper, lower = np.where(LEVEL == 255, np.inf, upper), np.where(LEVEL == 0, -np.inf, lower)
    return np.log(stats.norm.cdf(upper, m, s) - stats.norm.cdf(lower, m, s))


def categorical(x, y):
    p = np.exp(y) / np.exp(y).sum(axis=-1, keepdims=True)
    return np.log(np.take_along_axis(p, LEVEL[..., None], axis=-1)[..., 0])


# (the generator's distribution, log p of each number of x, given its numbers y of the generator's output)
VISIBLE = {
    "none": (None, l1),
    "Bernoulli": (visible.Bernoulli, bernoulli),
    "Gaussian": (visible.Gaussian, location_scale(stats.norm.logpdf)),
    "Laplace": (visible.Laplace, location_scale(stats.laplace.logpdf)),
    "QuantizedNormal": (visible.QuantizedNormal, quantized_normal),
}


def bound(log_prob, posterior):
    """The losses: `posterior(w, noise)` gives codes, and the KL at them."""

    def losses(w, draws):
        z, kl = posterior(w, draws.normal("posterior", (B, Z)))
        y = forward(w["generator"], z).reshape(B, D, -1)
        return {"autoencoder": {"reconstruction": -log_prob(IN_RANGE, y).sum(axis=-1), "kl": kl}}

    return {"autoencoder": losses}


def diagonal_gaussian(w, noise):
    """Kingma and Welling, appendix B: KL = -1/2 sum (1 + log s^2 - m^2 - s^2)."""
    mean, stddev = gaussian(w["encoder"], IN_RANGE)
    return mean + stddev * noise, -0.5 * (1 + 2 * np.log(stddev) - mean**2 - stddev**2).sum(axis=-1)


@pytest.mark.parametrize("name", VISIBLE)
def test_a_step_with_each_visible_distribution(check_step, name):
    distribution, log_prob = VISIBLE[name]
    check_step(build(distribution), IN_RANGE, bound(log_prob, diagonal_gaussian))


def test_the_step_with_256_logits(check_step):
    # Too many weights for differences in each: the terms alone, through the last layer's first column.
    system = build(visible.Categorical)
    (phase,) = system.phases()
    key = Key(np.array([0, 7]))
    losses, _ = phase.losses(IN_RANGE, key)
    w = {name: [v.numpy() for v in net.trainable_variables] for name, net in system.networks.items()}
    z, _ = diagonal_gaussian(w, key.normal("posterior", (B, Z)).numpy())
    expected = -categorical(IN_RANGE, forward(w["generator"], z).reshape(B, D, 256)).sum(axis=-1)
    np.testing.assert_allclose(losses["autoencoder"]["reconstruction"], expected, rtol=1e-5)


def real_nvp(w, noise):
    """Two couplings with a reversal between them: z_2 = u_2 e^s(u_1) + t(u_1); log q(z) = log N(u) - sum of all s."""
    network, *couplings = np.split(np.arange(12), 3)
    network, *couplings = ([w["encoder"][i] for i in part] for part in (network, *couplings))
    mean, stddev = gaussian(network, IN_RANGE)
    u = mean + stddev * noise
    log_q = stats.norm.logpdf(u, mean, stddev).sum(axis=-1)
    for coupling in reversed(couplings):  # a bijector's chain begins with its last part
        shift, log_scale = forward(coupling, u[:, :1]).T
        log_scale = np.tanh(log_scale)
        u = np.stack([u[:, 0], u[:, 1] * np.exp(log_scale) + shift], axis=-1)
        log_q -= log_scale
        u = u[:, ::-1]
    z = u[:, ::-1]  # there is no reversal behind the last one
    return z, log_q - stats.norm.logpdf(z).sum(axis=-1)


def test_a_step_with_a_real_nvp_posterior(check_step):
    encoder = partial(roles.real_nvp_encoder, coupling=partial(mlp, hidden=(4,), activation="tanh", gain=2.0), layers=2)
    system = build(visible.Gaussian, encoder, kl=divergences.monte_carlo_kl)
    check_step(system, IN_RANGE, bound(location_scale(stats.norm.logpdf), real_nvp))


def test_bms_vae_gan_with_one_sample_and_no_d_i_is_the_vae():
    vae = build(visible.Gaussian)
    other = BMSVAEGAN(
        encoder=vae.encoder,
        generator=vae.generator,
        discriminator=None,
        code_discriminator=None,
        T=1,
        lambda_=1.0,
        alpha=0.0,
        sample_weight=0.0,
        prior_term=divergences.analytic_kl,
    )
    key = Key(np.array([3, 7]))
    (phase,), (other_phase,) = vae.phases(), other.phases()
    terms, other_terms = (p.losses(X, key)[0]["autoencoder"] for p in (phase, other_phase))
    np.testing.assert_allclose(terms["reconstruction"], other_terms["reconstruction"], rtol=1e-6)
    np.testing.assert_allclose(terms["kl"], other_terms["prior"], rtol=1e-6)


def test_the_analytic_kl_of_a_flow_is_refused():
    gin.clear_config()
    encoder = partial(roles.real_nvp_encoder, coupling=partial(mlp, hidden=(4,)))
    (phase,) = build(visible.Gaussian, encoder).phases()
    with pytest.raises(ValueError, match="analytic KL needs a Gaussian posterior; the encoder gives a Flow"):
        phase.losses(X, Key(np.array([0, 7])))
