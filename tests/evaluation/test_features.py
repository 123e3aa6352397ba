"""Resizers by hand and by Pillow, and networks from files: what they are given, what they give, what is refused."""

import importlib
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from bms_tf.core.keras import keras
from bms_tf.evaluation import features, inception, picture_network, resizing
from bms_tf.evaluation.features import named
from bms_tf.evaluation.models import hash_of_file

# Resizers.


def test_the_first_tensorflow_s_bilinear_by_hand():
    # Two pixels to four: pixel i lies at i / 2, so 0, 1/2, 1 and 3/2, which is beyond the last and takes its value.
    pixels = np.array([[0, 10], [100, 110]], np.float32).reshape(1, 2, 2, 1)
    expected = np.add.outer([0, 50, 100, 100], [0, 5, 10, 10])
    np.testing.assert_array_equal(resizing.tf1_bilinear(pixels, 4)[0, ..., 0], expected)
    # Down to one: the pixel at 0, not the mean.
    assert resizing.tf1_bilinear(pixels, 1).item() == 0
    # Since TensorFlow 2 it is other: (i + 1/2) / 2 - 1/2 = -1/4, 1/4, 3/4, 5/4.
    assert not np.array_equal(tf.image.resize(pixels, [4, 4])[0, ..., 0], expected)


def cubic(x):
    """Pillow's bicubic kernel, a = -1/2."""
    x = abs(x)
    return 1.5 * x**3 - 2.5 * x**2 + 1 if x < 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0


def test_clean_fid_s_bicubic_by_hand():
    # Four pixels to two: scale 2, the kernel stretched by 2; output i is centered at 2 i + 1 and weighs the pixels'
    # centers, 1/2 to 7/2, within 4 of it; the weights are made to add up to 1.
    row = np.array([10.0, 20, 40, 80])
    weights = np.array([[cubic((j + 0.5 - (2 * i + 1)) / 2) for j in range(4)] for i in range(2)])
    expected = weights @ row / weights.sum(axis=1)
    pixels = np.broadcast_to(row.reshape(1, 1, 4, 1), (1, 4, 4, 1)).astype(np.float32)  # rows alike: no effect
    found = resizing.clean_fid(pixels, 2)
    np.testing.assert_allclose(found[0, :, :, 0], [expected, expected], rtol=1e-6)


def test_clean_fid_s_resizer_is_pillow_s_on_floats_channel_by_channel():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3)).astype(np.float32)
    found = resizing.clean_fid(pixels, 12)
    for n, c in np.ndindex(3, 3):
        image = Image.fromarray(pixels[n, ..., c]).resize((12, 12), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(found[n, ..., c], np.clip(np.asarray(image), 0, 255))
    assert found.min() == 0 and found.max() == 255, "the kernel overshoots, which is cut off"
    # On bytes, each of Pillow's two passes rounds and cuts off.
    bytes_ = Image.fromarray(pixels[0].astype(np.uint8)).resize((12, 12), Image.Resampling.BICUBIC)
    assert np.abs(found[0] - np.asarray(bytes_)).max() > 0.5


def test_pictures_of_the_right_size_are_left_alone():
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 5, 5, 3)).astype(np.float32)
    assert resizing.resized(pixels, 5, "clean_fid") is pixels
    assert resizing.resized(pixels, 6, "tf1_bilinear").shape == (2, 6, 6, 3)


# What a network is given.


def picture_inputs(x, scale, channels=3, side=None):
    network = picture_network.PictureNetwork(None, {}, side=side, channels=channels, resizer="clean_fid", scale=scale)
    return network.inputs(np.asarray(x, np.float32))


@pytest.mark.parametrize(
    ("scale", "black", "white"),
    [
        ("[-1, 1]", [-1, -1, -1], [1, 1, 1]),
        ("[0, 1]", [0, 0, 0], [1, 1, 1]),
        ("[0, 255]", [0, 0, 0], [255, 255, 255]),
        # The mean and deviation of ImageNet's red, green and blue.
        ("imagenet", [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], [0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]),
    ],
)
def test_ranges(scale, black, white):
    found = picture_inputs([[[[-1, -1, -1], [1, 1, 1]]]], scale)
    np.testing.assert_allclose(found[0, 0], [black, white], rtol=1e-6)
    assert found.dtype == np.float32


def test_pictures_are_rounded_to_8_bits_and_gray_ones_have_three_equal_channels():
    found = picture_inputs(np.array([[[[0.0], [0.0039], [7]]]]), "[0, 255]")
    np.testing.assert_array_equal(found[0, 0], [[128] * 3, [128] * 3, [255] * 3])  # 127.5, 127.997, beyond
    with pytest.raises(ValueError, match=r"examples of shape \(4,\); the network takes pictures of 1 or 3 channels"):
        picture_inputs(np.zeros([2, 4]), "[0, 1]")


# Inception: a graph with the real one's names, versions and operations, small enough to compute by hand.


def node(graph, name, op, inputs=(), **attributes):
    added = graph.node.add(name=name, op=op, input=inputs)
    for key, value in attributes.items():
        added.attr[key].CopyFrom(value)


def constant(graph, name, value):
    proto = tf.make_tensor_proto(value)
    types = {"dtype": attribute(type=proto.dtype), "value": attribute(tensor=proto)}
    node(graph, name, "Const", **types)


attribute = tf.compat.v1.AttrValue
FLOAT = attribute(type=tf.float32.as_datatype_enum)
MEAN, VARIANCE, BETA, GAMMA = np.float32([[0.1, -0.2, 0.3], [1, 2, 3], [0, 0.5, 1], [1, 2, -1]])
MIX = np.random.default_rng(0).normal(size=(1, 1, 3, 2048)).astype(np.float32)
LAST = np.random.default_rng(1).normal(size=(2048, 1008)).astype(np.float32)


def graph_def(scale_after=True):
    """Pictures in [-1, 1], normalized as in 2015, averaged over all pixels and mixed to 2,048 features."""
    graph = tf.compat.v1.GraphDef()
    graph.versions.producer = 8
    for name, value in {"picture": np.zeros([1, 299, 299, 3], np.float32), "Mul/y": np.float32(1 / 128)}.items():
        constant(graph, name, value)
    node(graph, "Mul", "Mul", ["picture", "Mul/y"], T=FLOAT)
    for name, value in {"mean": MEAN, "variance": VARIANCE, "beta": BETA, "gamma": GAMMA, "mix": MIX}.items():
        constant(graph, name, value)
    settings = {"variance_epsilon": attribute(f=0.001), "scale_after_normalization": attribute(b=scale_after)}
    inputs = ["Mul", "mean", "variance", "beta", "gamma"]
    node(graph, "normalized", "BatchNormWithGlobalNormalization", inputs, T=FLOAT, **settings)
    node(graph, "checked", "CheckNumerics", ["normalized"], T=FLOAT, message=attribute(s=b"no"))
    ones, whole = (
        attribute(list=attribute.ListValue(i=[1] * 4)),
        attribute(list=attribute.ListValue(i=[1, 299, 299, 1])),
    )
    valid = attribute(s=b"VALID")
    node(graph, "averaged", "AvgPool", ["checked"], T=FLOAT, ksize=whole, strides=ones, padding=valid)
    node(graph, "pool_3", "Conv2D", ["averaged", "mix"], T=FLOAT, strides=ones, padding=valid)
    # What follows is made for one picture, and is not run.
    constant(graph, "pool_3/_reshape/shape", np.int32([1, 2048]))
    shape = {"T": FLOAT, "Tshape": attribute(type=tf.int32.as_datatype_enum)}
    node(graph, "pool_3/_reshape", "Reshape", ["pool_3", "pool_3/_reshape/shape"], **shape)
    constant(graph, "softmax/weights", LAST)
    node(graph, "softmax/logits/MatMul", "MatMul", ["pool_3/_reshape", "softmax/weights"], T=FLOAT)
    return graph


@pytest.fixture
def inception_file(tmp_path):
    path = tmp_path / "classify_image_graph_def.pb"
    path.write_bytes(graph_def().SerializeToString())
    return str(path)


@pytest.mark.parametrize("scale_after", [True, False])
def test_inception_by_hand(tmp_path, scale_after):
    path = tmp_path / "graph.pb"
    path.write_bytes(graph_def(scale_after).SerializeToString())
    # Each picture of one color, so that neither resizer changes it: pixel p becomes (p - 128) / 128.
    color = np.random.default_rng(2).integers(0, 256, (30, 3))
    pictures = (np.broadcast_to(color[:, None, None], (30, 8, 8, 3)) / 127.5 - 1).astype(np.float32)
    found = inception.inception(weights=str(path))(pictures)
    factor = (GAMMA if scale_after else 1) / np.sqrt(VARIANCE + 0.001)
    expected = (((color - 128) / 128 - MEAN) * factor + BETA) @ MIX[0, 0]
    np.testing.assert_allclose(found["features"], expected, atol=0.02)  # of sums of 299 x 299 in float32
    np.testing.assert_allclose(found["logits"], found["features"] @ LAST, atol=0.02)
    assert found["features"].shape == (30, 2048) and found["logits"].shape == (30, 1008)


def test_inception_resizes_as_it_is_told(inception_file):
    picture = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3))
    for name in ("tf1_bilinear", "clean_fid"):
        network = inception.inception(weights=inception_file, resizer=name)
        expected = resizing.RESIZERS[name](picture.astype(np.float32), 299)
        np.testing.assert_array_equal(network.inputs((picture / 127.5 - 1).astype(np.float32)), expected)
        assert network.protocol == {
            "features": "inception_2015_12_05",
            "weights_sha256": hash_of_file(inception_file),
            "resizer": name,
            "scale": "[0, 255]",
        }


def test_a_file_that_is_not_the_inception_graph(tmp_path, inception_file):
    where = r"; it is in http://download.tensorflow.org/\S+2015-12-05.tgz \(88,931,400 bytes\), as classify_image\S+$"
    with pytest.raises(ValueError, match=r"nowhere.pb is no file" + where):
        named("inception", str(tmp_path / "nowhere.pb"))
    whole = open(inception_file, "rb").read()
    (tmp_path / "cut.pb").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut.pb is truncated or no TensorFlow graph" + where):
        named("inception", str(tmp_path / "cut.pb"))
    (tmp_path / "text.pb").write_text("hello")
    with pytest.raises(ValueError, match=r"text.pb is .*" + where):
        named("inception", str(tmp_path / "text.pb"))
    other = tf.compat.v1.GraphDef()
    constant(other, "x", np.zeros(1))
    (tmp_path / "other.pb").write_bytes(other.SerializeToString())
    with pytest.raises(
        ValueError, match=r"other.pb is not the Inception graph of 2015-12-05: no node pool_3" + ".*" + where
    ):
        named("inception", str(tmp_path / "other.pb"))
    small = graph_def()
    mix = next(n for n in small.node if n.name == "mix")
    mix.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(MIX[..., :64]))
    last = next(n for n in small.node if n.name == "softmax/weights")
    last.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(LAST[:64]))
    (tmp_path / "small.pb").write_bytes(small.SerializeToString())
    with pytest.raises(
        ValueError, match=r"small.pb is another network: its pool_3 does not have 2048 features" + where
    ):
        named("inception", str(tmp_path / "small.pb"))


# Any Keras file or SavedModel.


def small_network():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(4, 3), keras.layers.Flatten(name="flat"), keras.layers.Dense(5)]
    return keras.Sequential([keras.Input((6, 6, 3)), *layers])


def pictures(count=40, side=6, channels=3):
    values = np.random.default_rng(0).integers(0, 256, (count, side, side, channels))
    return (values / 127.5 - 1).astype(np.float32)


@pytest.mark.parametrize("name", ["network.keras", "network.h5"])
def test_a_keras_file(tmp_path, name):
    model, path = small_network(), str(tmp_path / name)
    model.save(path)
    x = pictures()
    found = features.keras_network(weights=path)(x)
    assert found.keys() == {"features"}
    np.testing.assert_allclose(found["features"], model(x), rtol=1e-4, atol=1e-5)
    network = features.keras_network(weights=path, layer="flat", logits=True, scale="[0, 1]")
    found = network(x)
    flat = keras.Model(model.input, model.get_layer("flat").output)
    np.testing.assert_allclose(found["features"], flat(x / 2 + 0.5), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["logits"], model(x / 2 + 0.5), rtol=1e-4, atol=1e-5)
    assert network.protocol["weights_sha256"] == hash_of_file(path)
    assert network.protocol["layer"] == "flat" and network.protocol["scale"] == "[0, 1]"
    # Other pictures get its size.
    assert network(pictures(side=9))["features"].shape == (40, 64)
    with pytest.raises(ValueError, match=r"has no layer 'conv9'; it has conv2d\S*, flat, dense"):
        features.keras_network(weights=path, layer="conv9")


def test_a_file_that_is_no_keras_file(tmp_path):
    with pytest.raises(ValueError, match="nowhere.keras is no file"):
        named("keras", str(tmp_path / "nowhere.keras"))
    for name in ("text.keras", "text.h5"):
        (tmp_path / name).write_text("hello")
        with pytest.raises(ValueError, match=f"{name} is no Keras file that can be loaded: ") as caught:
            named("keras", str(tmp_path / name))
        assert "\n" not in str(caught.value)
    small_network().save(tmp_path / "whole.keras")
    whole = (tmp_path / "whole.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cut.keras is no Keras file"):
        named("keras", str(tmp_path / "cut.keras"))
    vectors = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    vectors.save(tmp_path / "vectors.keras")
    with pytest.raises(ValueError, match=r"vectors.keras takes \(3,\); it must be square pictures"):
        named("keras", str(tmp_path / "vectors.keras"))


def saved(folder, function, *shape):
    module = tf.Module()
    module.scale = tf.Variable(2.0)
    traced = tf.function(lambda x: function(module.scale * x))
    signature = traced.get_concrete_function(tf.TensorSpec([None, *shape], tf.float32, name="pictures"))
    tf.saved_model.save(module, folder, signatures=signature)
    return folder


def test_a_saved_model(tmp_path):
    folder = saved(
        str(tmp_path / "1"), lambda x: {"means": tf.reduce_mean(x, [1, 2]), "first": x[:, 0, 0]}, None, None, 3
    )
    network = features.saved_model_network(weights=folder, features="means", logits="first")
    x = pictures(side=9)
    found = network(x)
    np.testing.assert_allclose(found["features"], 2 * x.mean(axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(found["logits"], 2 * x[:, 0, 0], atol=1e-5)
    assert network.protocol["output"] == "means"
    # The folder of its versions is the newest; the name does not change what it is.
    again = features.saved_model_network(weights=str(tmp_path), features="means")
    assert again.protocol["weights_sha256"] == network.protocol["weights_sha256"]
    for settings, line in {
        (): r"it gives first, means; features=None",
        (("features", "median"),): r"it gives first, means; features=median",
        (("signature", "predict"),): r"has no signature 'predict'; it has serving_default",
    }.items():
        with pytest.raises(ValueError, match=line):
            features.saved_model_network(weights=folder, **dict(settings))
    with pytest.raises(ValueError, match="nowhere holds no SavedModel"):
        named("savedmodel", str(tmp_path / "nowhere"))
    variables = tmp_path / "1" / "variables" / "variables.data-00000-of-00001"
    os.truncate(variables, 1)
    with pytest.raises(ValueError, match="is no SavedModel that can be loaded") as caught:
        named("savedmodel", folder)
    assert "\n" not in str(caught.value)


def test_a_saved_model_of_something_else(tmp_path):
    folder = saved(str(tmp_path / "vectors"), lambda x: {"y": x}, 7)
    with pytest.raises(ValueError, match=r"it takes .*; it must be pictures \[B, H, W, C\]"):
        named("savedmodel", folder)


def test_dinov2_s_preprocessing(tmp_path):
    """Pillow's bicubic to 224 in float, then ImageNet's mean and deviation."""
    folder = saved(str(tmp_path / "dinov2"), lambda x: {"features": tf.reshape(x, [-1, 224 * 224 * 3])}, 224, 224, 3)
    x = pictures(count=2, side=32)
    found = named("dinov2", folder)(x)["features"].reshape(2, 224, 224, 3) / 2
    pixels = np.rint(127.5 * (x + 1))
    for n, c in np.ndindex(2, 3):
        image = Image.fromarray(pixels[n, ..., c]).resize((224, 224), Image.Resampling.BICUBIC)
        level = np.clip(np.asarray(image), 0, 255) / 255
        mean, deviation = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)][c]
        np.testing.assert_allclose(found[n, ..., c], (level - mean) / deviation, atol=1e-5)
    with pytest.raises(ValueError, match="holds no SavedModel; tools/dinov2_to_saved_model.py makes one"):
        named("dinov2", str(tmp_path / "nowhere"))


def test_names():
    assert named("values").protocol == {"features": "values"}
    np.testing.assert_array_equal(named("values")(np.ones([2, 3, 4]))["features"], np.ones([2, 12]))
    with pytest.raises(
        ValueError, match="features are 'vgg'; they may be values, inception, keras, savedmodel, dinov2"
    ):
        named("vgg", "file")
    with pytest.raises(ValueError, match="the features 'inception' need --weights, a file or folder; it is in http"):
        named("inception")
    with pytest.raises(ValueError, match="the features 'keras' need --weights, a file or folder$"):
        named("keras")
    with pytest.raises(ValueError, match="values, which need no weights"):
        named("values", "file")


def test_the_converter_of_dinov2_says_what_it_needs(capsys):
    spec = importlib.util.spec_from_file_location("converter", "tools/dinov2_to_saved_model.py")
    converter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(converter)

    class Backbone:
        """One token of class and two of patches, [B, 3, 2], as keras-hub's backbone gives them."""

        def __call__(self, inputs, training):
            means = tf.reduce_mean(inputs["images"], [1, 2])[:, :2]
            return tf.stack([means, means + 1, means + 2], axis=1)

    answer = converter.class_token(Backbone())(tf.ones([4, 224, 224, 3]))
    np.testing.assert_allclose(answer["features"], np.ones([4, 2]))
