"""The model that metrics see: ours with all it offers, and anyone's SavedModel with a sampling signature."""

import os

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.model import from_signatures
from bms_tf.core.random import normal_rows
from bms_tf.core.signatures import signatures
from bms_tf.evaluation import models
from bms_tf.networks.mlp import mlp
from bms_tf.networks.posteriors import GaussianEncoder
from bms_tf.systems.alpha_gan import AlphaGAN
from bms_tf.systems.gan import GAN

SEEDS = tf.constant([3, 2**40], tf.int64)


@pytest.fixture(scope="module")
def system():
    return AlphaGAN(
        encoder=GaussianEncoder(mlp(input_shape=(3,), output_shape=(4,)), code_size=2, data_shape=(3,)),
        generator=mlp(input_shape=(2,), output_shape=(3,)),
        discriminator=mlp(input_shape=(3,), output_shape=()),
        code_discriminator=mlp(input_shape=(2,), output_shape=()),
        encoder_lambda=1.0,
        generator_lambda=1.0,
    )


@pytest.fixture(scope="module")
def folder(system, tmp_path_factory):
    """The system as a SavedModel."""
    module = tf.Module()
    module.weights = list(system.variables)
    path = str(tmp_path_factory.mktemp("models") / "alpha" / "1")
    tf.saved_model.save(module, path, signatures=dict(signatures(system)))
    return path


def check(model, system):
    z, x = tf.constant([[0.1, -2], [1, 0.5]]), tf.constant([[1.0, 2, 3], [0, 0, -1]])
    assert (model.code_size, model.data_shape, model.signature) == (2, (3,), "sample")
    q = system.posterior(x)
    expected = {
        "generate": ((z,), system.generate),
        "sample": ((SEEDS,), system.sample),
        "sample_prior": ((SEEDS,), system.sample_prior),
        "encode": ((x,), system.encode),
        "reconstruct": ((x,), system.reconstruct),
        "discriminate": ((x,), system.discriminate),
        "log_posterior": ((z, x), lambda z, x: system.posterior(x).log_prob(z)),
        "sample_posterior": ((x, SEEDS), lambda x, s: system.posterior(x).sample(system.sample_prior(s))),
    }
    for name, (inputs, function) in expected.items():
        np.testing.assert_allclose(
            getattr(model, name)(*inputs), tf.function(function)(*inputs), rtol=1e-6, err_msg=name
        )
    mean, log_stddev = model.posterior(x)
    np.testing.assert_allclose(mean, q.mean, rtol=1e-6)
    np.testing.assert_allclose(log_stddev, q.log_stddev, rtol=1e-6)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        ours, theirs = tf.reduce_sum(model.generate(z) ** 2), tf.reduce_sum(system.generate(z) ** 2)
    np.testing.assert_allclose(tape.gradient(ours, z), tape.gradient(theirs, z), rtol=1e-5)
    # NumPy arrays do as well, and numbers of other types.
    np.testing.assert_allclose(model.generate(z.numpy().astype(np.float64)), model.generate(z))


def test_a_system_s_own_signatures(system):
    check(from_signatures(signatures(system)), system)


def test_a_saved_model_of_ours_lives_as_long_as_the_model(folder, system):
    model = models.load(folder).model  # nothing else holds what was loaded
    check(model, system)
    check(models.load(os.path.dirname(folder)).model, system)


def test_what_a_model_does_not_offer_is_none():
    gan = GAN(
        generator=mlp(input_shape=(2,), output_shape=(3,)),
        discriminator=mlp(input_shape=(3,), output_shape=()),
    )
    model = from_signatures(signatures(gan))
    assert {"encode", "reconstruct", "posterior", "log_posterior", "sample_posterior"} == {
        name for name in model.__dataclass_fields__ if getattr(model, name) is None
    } - {"keep"}


def save(folder, *, inputs, outputs, name="serving_default"):
    module = tf.Module()
    module.w = tf.Variable([[1.0, 2, 3], [0, -1, 1]])
    function = tf.function(lambda *tensors: outputs(module.w, *tensors))
    signature = function.get_concrete_function(*inputs)
    tf.saved_model.save(module, str(folder), signatures={name: signature})
    return str(folder)


CODES = tf.TensorSpec([None, 2], tf.float32, name="noise")
SEED = tf.TensorSpec([None], tf.int64, name="number")


def test_another_s_generator_of_codes(tmp_path):
    folder = save(tmp_path / "g", inputs=[CODES], outputs=lambda w, z: {"images": z @ w})
    model = models.load(folder).model
    assert (model.code_size, model.data_shape) == (2, (3,))
    assert model.signature == "serving_default, codes from the standard normal distribution"
    codes = model.sample_prior(SEEDS)
    np.testing.assert_array_equal(codes, normal_rows(SEEDS, 2))
    np.testing.assert_allclose(model.sample(SEEDS), codes.numpy() @ [[1, 2, 3], [0, -1, 1]], rtol=1e-6)
    assert model.encode is None and model.discriminate is None


def test_another_s_sampler_of_seeds_that_gives_bytes(tmp_path):
    def outputs(w, seeds):
        pixels = tf.cast(seeds % 256, tf.uint8)[:, None, None, None] * tf.ones([1, 4, 4, 1], tf.uint8)
        return {"x": pixels, "logit": tf.cast(seeds, tf.float32)}

    model = models.load(save(tmp_path / "s", inputs=[SEED], outputs=outputs, name="draw"), "draw").model
    assert (model.code_size, model.data_shape, model.generate, model.signature) == (None, (4, 4, 1), None, "draw")
    x = model.sample(tf.constant([0, 255, 51], tf.int64))
    np.testing.assert_allclose(x[:, 0, 0, 0], [-1, 1, -0.6], atol=1e-6)


BOTH = [CODES, tf.TensorSpec([None], tf.int64, name="label")]
PICTURES = [tf.TensorSpec([None, 8, 8, 3], tf.float32, name="x")]


@pytest.mark.parametrize(
    ("inputs", "outputs", "asked", "line"),
    [
        ([CODES], lambda w, z: {"x": z}, "sample", "there is no signature 'sample'; the model has serving_default"),
        (
            BOTH,
            lambda w, z, label: {"x": z + tf.cast(label, tf.float32)[:, None]},
            None,
            "the signature 'serving_default' wants label int64 (None,), noise float32 (None, 2); it must be seeds",
        ),
        (PICTURES, lambda w, x: {"y": x}, None, "wants x float32 (None, 8, 8, 3); it must be seeds int64 [B] or codes"),
        ([CODES], lambda w, z: {"a": z, "b": z}, None, "the signature 'serving_default' gives a, b; one of them must"),
    ],
)
def test_a_saved_model_that_makes_no_samples(tmp_path, inputs, outputs, asked, line):
    folder = save(tmp_path / "m", inputs=inputs, outputs=outputs)
    with pytest.raises(ValueError) as caught:
        models.load(folder, asked)
    assert str(caught.value).startswith(f"{folder}: ") and line in str(caught.value)


def test_a_folder_that_is_no_model(tmp_path, folder):
    with pytest.raises(ValueError, match="nowhere does not exist"):
        models.load(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="holds no SavedModel and no run"):
        models.load(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"hello")
    with pytest.raises(ValueError, match="is no SavedModel that can be loaded") as caught:
        models.load(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_the_newest_version_and_the_hash_of_a_model(tmp_path):
    for version in ("2", "10", "11"):
        save(tmp_path / "m" / version, inputs=[CODES], outputs=lambda w, z: {"x": z})
    os.remove(tmp_path / "m" / "11" / "saved_model.pb")  # not complete
    assert models.version_folder(str(tmp_path / "m")) == str(tmp_path / "m" / "10")
    first = models.hash_of_files(str(tmp_path / "m" / "10"))
    assert first == models.hash_of_files(str(tmp_path / "m" / "10"))
    (data,) = (tmp_path / "m" / "10" / "variables").glob("*.data*")
    changed = bytearray(data.read_bytes())
    changed[0] ^= 1
    data.write_bytes(changed)
    assert models.hash_of_files(str(tmp_path / "m" / "10")) != first
