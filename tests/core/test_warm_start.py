"""What a new model takes of trained weights, and what it says."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.checkpoints import Checkpoints
from bms_tf.core.exporting import save
from bms_tf.core.keras import keras
from bms_tf.core.signatures import signatures
from bms_tf.core.system import System
from bms_tf.core.warm_start import warm_start
from bms_tf.networks.layers import spectral_normalization
from bms_tf.networks.mlp import mlp
from bms_tf.networks.posteriors import GaussianEncoder


def system(width: int = 3, **options) -> System:
    """Codes [B, 2], data [B, 2]; the discriminator has `width` hidden units, and is spectrally normalized."""
    encoder = mlp(input_shape=(2,), output_shape=(4,), hidden=(3,))
    networks = {
        "generator": mlp(input_shape=(2,), output_shape=(2,), hidden=(3,)),
        "encoder": GaussianEncoder(encoder, code_size=2, data_shape=(2,)),
        "discriminator": mlp(input_shape=(2,), output_shape=(), hidden=(width,), wrapper=spectral_normalization),
    }
    return System(networks=networks, players={name: (name,) for name in networks}, **options)


def values(model: System, name: str) -> list[np.ndarray]:
    return [variable.numpy() for variable in model.networks[name].variables]


def assert_same(model: System, other: System, name: str):
    for a, b in zip(values(model, name), values(other, name), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def trained(tmp_path):
    """A system with an average of its own, and the run folder it was saved in."""
    model = system(ema=0.9)
    for average in model.averages:
        average.assign_add(tf.ones_like(average))
    Checkpoints(model, str(tmp_path / "run/checkpoints")).save()
    return model, str(tmp_path / "run")


def test_from_a_run_all_that_fits_is_taken(trained):
    model, folder = trained
    other, lines = system(ema=0.9), []
    before = values(other, "generator")
    warm_start(other, folder, lines.append)
    assert not np.array_equal(before[0], values(model, "generator")[0])
    for name in model.networks:
        assert_same(other, model, name)
    # The average begins at the weights.
    for average, weight in zip(other.averages, model.generator.trainable_variables, strict=True):
        np.testing.assert_array_equal(average, weight)
    assert int(other.step) == 0
    # Two layers of kernel and bias each, and with spectral normalization a singular vector beside them.
    assert lines == [
        f"warm start from {folder}",
        "  generator: took 4 variables",
        "  encoder: took 4 variables",
        "  discriminator: took 6 variables",
    ]


def test_what_does_not_fit_is_left_and_named(trained):
    # A discriminator of five hidden units: its last bias [1] and the last singular vector [1, 1] have the same shape,
    # the other four variables do not.
    model, folder = trained
    other, lines = system(width=5), []
    before = values(other, "discriminator")
    warm_start(other, folder, lines.append)
    assert_same(other, model, "generator")
    kept = [np.array_equal(a, b) for a, b in zip(values(other, "discriminator"), before)]
    shapes = [v.shape for v in before]
    assert all(same for same, shape in zip(kept, shapes) if 5 in shape) and shapes.count((1, 1)) == 1
    count, left = lines[-1].split(", left ")
    assert count == "  discriminator: took 2 variables"
    assert sorted(part.split(" (")[1] for part in left.split("; ")) == [
        "[1, 3] there, [1, 5] here)",
        "[2, 3] there, [2, 5] here)",
        "[3, 1] there, [5, 1] here)",
        "[3] there, [5] here)",
    ]


def test_from_a_saved_model_what_it_holds_is_taken(trained, tmp_path):
    # It generates with the averages, which stand for the generator's weights.
    model, _ = trained
    folder = str(tmp_path / "model")
    save(model, signatures(model), folder)
    other = system()
    warm_start(other, folder, [].append)
    for name in ("encoder", "discriminator"):
        assert_same(other, model, name)
    for weight, average in zip(other.generator.trainable_variables, model.averages, strict=True):
        np.testing.assert_array_equal(weight, average)


def test_a_network_that_takes_nothing_names_the_first_misfit_of_both_sides(trained):
    # The data have a scale, as the grid's: the names of the encoder's variables have a level more.
    _, folder = trained
    inner = mlp(input_shape=(2,), output_shape=(4,), hidden=(3,))
    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Rescaling(0.5), inner])
    networks = system().networks | {"encoder": GaussianEncoder(encoder, code_size=2, data_shape=(2,))}
    lines = []
    warm_start(System(networks=networks, players={name: (name,) for name in networks}), folder, lines.append)
    assert lines[1:3] == [
        "  generator: took 4 variables",
        "  encoder: took nothing; the first that does not fit is "
        "layer_with_weights-0/layer_with_weights-0/layer_with_weights-0/bias [3] here, "
        "layer_with_weights-0/layer_with_weights-0/bias [3] there",
    ]


def test_nothing_that_fits(trained):
    networks = {"generator": mlp(input_shape=(7,), output_shape=(7,), hidden=(7,))}
    other = System(networks=networks, players={"generator": ("generator",)})
    with pytest.raises(ValueError, match=r"^none of the \d+ variables in .*/run has the name and shape") as error:
        warm_start(other, trained[1], pytest.fail)
    assert str(error.value).endswith(
        "; of the network generator the first that does not fit is layer_with_weights-0/bias [7] here, "
        "layer_with_weights-0/bias [3] there"
    )


def test_nothing_to_start_from(tmp_path):
    with pytest.raises(ValueError, match=f"^there is nothing to start from in {tmp_path}/no; it must be a run folder"):
        warm_start(system(), str(tmp_path / "no"))
    assert list(tmp_path.iterdir()) == []
