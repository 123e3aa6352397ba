"""Which signatures a system gets, and what they answer, on systems that are never trained."""

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.exporting import save
from bms_tf.core.keras import keras
from bms_tf.core.signatures import describe, signatures
from bms_tf.core.system import System
from bms_tf.networks.posteriors import DeterministicEncoder, GaussianEncoder, NoiseFedEncoder

SIDE, CODE = 4, 3


def images(channels: int) -> keras.Model:
    pixels = SIDE * SIDE * channels
    reshape = keras.layers.Reshape((SIDE, SIDE, channels))
    return keras.Sequential([keras.Input((CODE,)), keras.layers.Dense(pixels, kernel_initializer="normal"), reshape])


def convolution(outputs: int, channels: int) -> keras.Model:
    layers = [keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    return keras.Sequential([keras.Input((SIDE, SIDE, channels)), *layers, keras.layers.Dense(outputs)])


def decoded(pngs) -> np.ndarray:
    return np.stack([tf.io.decode_png(png).numpy() for png in pngs.numpy()])


def system(channels: int = 1, **networks: keras.Model) -> System:
    networks = {"generator": images(channels), **networks}
    return System(networks=networks, players={name: (name,) for name in networks})


def encoder(kind, outputs: int) -> keras.Model:
    return kind(convolution(outputs, 1), code_size=CODE, data_shape=(SIDE, SIDE, 1))


def noise_fed() -> keras.Model:
    network = keras.Sequential([keras.Input((SIDE * SIDE + CODE,)), keras.layers.Dense(CODE)])
    return NoiseFedEncoder(network, code_size=CODE, data_shape=(SIDE, SIDE, 1))


SAMPLING = {"serving_default", "generate", "generate_png", "sample_prior", "sample"}
ENCODING = {"sample_posterior", "encode", "reconstruct"}
DENSITY = {"posterior", "log_posterior"}


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        (lambda: {}, SAMPLING),
        (lambda: {"discriminator": convolution(1, 1)}, SAMPLING | {"discriminate", "features"}),
        (lambda: {"encoder": encoder(GaussianEncoder, 2 * CODE)}, SAMPLING | ENCODING | DENSITY),
        (lambda: {"encoder": encoder(DeterministicEncoder, CODE)}, SAMPLING | ENCODING),
        (lambda: {"encoder": noise_fed()}, SAMPLING | ENCODING),
    ],
    ids=["generator", "discriminator", "gaussian", "deterministic", "implicit"],
)
def test_a_system_has_the_signatures_that_its_networks_allow(networks, expected):
    traced = signatures(system(**networks()))
    assert set(traced) == expected
    for function in traced.values():
        assert all(tensor.shape[0] is None for tensor in function.inputs if tensor.dtype != tf.resource)
        assert all(tensor.shape[0] is None for tensor in function.outputs)


def test_images_come_as_bytes_and_as_pngs_too():
    # -1 and below are 0; 1 and above 255; 0 lies half way, at 127.5, and rounds to the even 128.
    generator = images(3)
    generator.layers[0].set_weights([np.zeros([CODE, 48]), np.tile([-2.0, -1, 0, 0.5, 1, 3], 8)])
    traced = signatures(system(generator=generator))
    out = traced["generate"](z=tf.zeros([2, CODE]))
    np.testing.assert_array_equal(out["x_uint8"].numpy().reshape(-1)[:6], [0, 0, 128, 191, 255, 255])
    assert out["x_uint8"].dtype == tf.uint8 and out["x"].dtype == tf.float32
    pngs = traced["generate_png"](z=tf.zeros([2, CODE]))["image_bytes"]
    np.testing.assert_array_equal(decoded(pngs), out["x_uint8"])


@pytest.mark.parametrize("channels", [2, 5])
def test_arrays_of_other_channels_are_no_images(channels):
    traced = signatures(system(channels))
    assert set(traced["generate"].structured_outputs) == {"x"} and "generate_png" not in traced


def test_rows_are_checked():
    traced = signatures(system(encoder=encoder(GaussianEncoder, 2 * CODE)))
    x, z = tf.zeros([2, SIDE, SIDE, 1]), tf.zeros([1, CODE])
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one row"):
        traced["encode"](x=x[:0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="equal numbers of rows"):
        traced["log_posterior"](z=z, x=x)


def inputs(function, rows: int, first: int = 0) -> dict[str, np.ndarray]:
    """Numbers for every input of a signature; a row depends on its place from `first` on alone."""
    given = {}
    for spec in function.structured_input_signature[0]:
        numbers = [np.random.default_rng(first + row).normal(size=spec.shape[1:]) for row in range(rows)]
        numbers = np.array(numbers, np.float32).reshape(rows, *spec.shape[1:])
        given[spec.name] = numbers if spec.dtype.is_floating else np.arange(first, first + rows)
    return given


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_gives_no_answer_and_leaves_the_others(bad):
    traced = signatures(system(encoder=encoder(GaussianEncoder, 2 * CODE), discriminator=convolution(1, 1)))
    assert {"generate_png", "posterior", "log_posterior", "sample_posterior", "discriminate", "features"} <= set(traced)
    for name, function in traced.items():
        given = inputs(function, 4)
        truth = function(**{key: tf.constant(value) for key, value in given.items()})
        for key in [key for key, value in given.items() if value.dtype == np.float32]:
            spoilt = {other: value.copy() for other, value in given.items()}
            spoilt[key][2].flat[1] = bad
            outputs = function(**{other: tf.constant(value) for other, value in spoilt.items()})
            for output, value in outputs.items():
                value, expected = value.numpy(), truth[output].numpy()
                np.testing.assert_array_equal(value[[0, 1, 3]], expected[[0, 1, 3]], err_msg=f"{name}: {output}")
                if value.dtype == np.float32:
                    assert np.isnan(value[2]).all(), f"{name}: {output}"
                else:
                    assert value[2] == b"" if output == "image_bytes" else not value[2].any(), f"{name}: {output}"


def merged(function, requests: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray] | Exception]:
    """What each request gets where they are merged as TensorFlow Serving's batching session does it.

    It asks of each request that its inputs have equal first dimensions (ComputeInputSize), puts the inputs of all
    behind one another, runs the graph once, cuts each output at the requests' sizes, and gives an error to all.
    """
    sizes = [len(next(iter(request.values()))) for request in requests]
    together = {name: tf.concat([request[name] for request in requests], axis=0) for name in requests[0]}
    try:
        outputs = function(**together)
    except tf.errors.OpError as error:
        return [error] * len(requests)
    assert all(output.shape[0] == sum(sizes) for output in outputs.values())
    parts = {name: tf.split(output, sizes) for name, output in outputs.items()}
    return [{name: part[i].numpy() for name, part in parts.items()} for i in range(len(requests))]


def test_requests_that_are_merged_do_not_harm_each_other():
    traced = signatures(system(encoder=encoder(GaussianEncoder, 2 * CODE), discriminator=convolution(1, 1)))
    for name, function in traced.items():
        good, empty, bad = inputs(function, 2), inputs(function, 0), inputs(function, 3, first=7)
        for value in bad.values():
            if value.dtype == np.float32:
                value[...] = np.nan
        alone = function(**{key: tf.constant(value) for key, value in good.items()})
        for requests in ([good, bad], [bad, good], [empty, good], [good, empty, bad, good]):
            for request, answer in zip(requests, merged(function, requests)):
                assert isinstance(answer, dict), f"{name}: {answer}"
                if request is good:
                    for output, value in alone.items():
                        if value.dtype == tf.string:
                            np.testing.assert_array_equal(answer[output], value)
                        else:  # a product of other rows may be rounded otherwise
                            np.testing.assert_allclose(answer[output], value, rtol=1e-5, atol=1e-5)
        (refusal,) = merged(function, [empty])
        assert isinstance(refusal, tf.errors.InvalidArgumentError) and "at least one row" in refusal.message


def test_a_seed_gives_the_same_row_in_every_batch_and_another_seed_another():
    traced = signatures(system())
    rows = traced["sample_prior"](seed=tf.constant([5, 6, 5], tf.int64))["z"].numpy()
    np.testing.assert_array_equal(rows[0], rows[2])
    assert not np.array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(traced["sample_prior"](seed=tf.constant([6], tf.int64))["z"].numpy(), rows[1:2])


def test_the_description_names_inputs_and_outputs():
    text = describe(signatures(system(encoder=encoder(GaussianEncoder, 2 * CODE))))
    assert "generate         z float32 [B, 3] -> x float32 [B, 4, 4, 1], x_uint8 uint8 [B, 4, 4, 1]" in text
    assert "sample_posterior x float32 [B, 4, 4, 1], seed int64 [B] -> z float32 [B, 3]" in text


def test_a_saved_model_is_free_of_devices_xla_and_unused_weights(tmp_path):
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        built = system(encoder=encoder(GaussianEncoder, 2 * CODE), critic=convolution(1, 1))
    traced = signatures(built)
    for function in traced.values():
        graph = function.graph.as_graph_def()
        nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
        assert {node.device for node in nodes} == {""}
        assert not [item for item in [*nodes, *graph.library.function] if item.attr["_XlaMustCompile"].b]
    save(built, traced, str(tmp_path))
    stored = [tf.TensorShape(shape) for _, shape in tf.train.list_variables(str(tmp_path / "variables/variables"))]
    needed = [*built.generator.weights, *built.encoder.weights]  # not the critic's, nor the step
    assert sorted(str(shape) for shape in stored if shape.rank) == sorted(str(weight.shape) for weight in needed)
