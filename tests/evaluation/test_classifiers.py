"""A classifier that is trained here: its cache, its features and class scores, and its accuracy on real digits."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.evaluation.classifiers import image_classifier
from bms_tf.networks.vgg import vgg
from pipelines.digits import digits

SMALL = partial(vgg, blocks=((8,),), dense=16, shift=0.0)


def grays(split, start_step, examples_per_step, seed, labels):
    """Three classes, black, gray and white, with some noise."""
    noise = np.random.default_rng(0).normal(0, 0.1, (90, 8, 8, 1))
    images = np.tile([-0.9, 0.0, 0.9], 30)[:, None, None, None] + noise
    data = tf.data.Dataset.from_tensor_slices((images.astype(np.float32), np.tile([0, 1, 2], 30)))
    return (data.repeat() if split == "train" else data).batch(examples_per_step)


def train(**changed):
    settings = {"data": grays, "network": SMALL, "steps": 60, "min_accuracy": 0.99, "classes": 3, "batch_size": 30}
    return image_classifier(**{**settings, "learning_rate": 0.01, **changed})


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "bms_tf"


@pytest.mark.slow
def test_it_is_trained_once_and_a_damaged_file_is_replaced(cache, capsys):
    first = train()
    said = capsys.readouterr().out
    assert "training a classifier on grays: 60 steps, once" in said and "accuracy on 90 test images is 1.0000" in said
    (path,) = cache.iterdir()
    again = train()
    assert "training" not in capsys.readouterr().out
    images = next(iter(grays("test", 0, 90, 0, True)))[0].numpy()
    np.testing.assert_array_equal(first(images)["logits"], again(images)["logits"])
    assert first.protocol == again.protocol and first.protocol["accuracy"] == 1
    path.write_bytes(path.read_bytes()[:100])
    train()
    assert "training" in capsys.readouterr().out
    # Other settings are another one.
    train(steps=61)
    assert len(list(cache.iterdir())) == 2


def test_features_are_what_the_last_layer_is_given(cache):
    classifier = train()
    images = next(iter(grays("test", 0, 90, 0, True)))[0].numpy()
    answer = classifier(images)
    assert (classifier.classes, answer["features"].shape, answer["logits"].shape) == (3, (90, 16), (90, 3))
    kernel, bias = classifier._model.get_weights()[-2:]
    np.testing.assert_allclose(answer["features"] @ kernel + bias, answer["logits"], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(classifier.predict(images), np.tile([0, 1, 2], 30))
    np.testing.assert_array_equal(classifier.features(images), answer["features"])
    # Of several channels each is taken by itself.
    stacked = classifier(np.concatenate([images, images[::-1]], axis=-1))
    assert stacked.keys() == {"features"}
    np.testing.assert_allclose(stacked["features"][:, 16:], answer["features"][::-1], rtol=1e-5, atol=1e-5)


def test_one_that_learns_nothing_is_refused(cache):
    with pytest.raises(RuntimeError, match=r"the classifier has an accuracy of 0\.\d+: it must have 0.99"):
        train(steps=1, learning_rate=1e-9)
    assert not cache.exists()


def test_images_that_are_too_small():
    with pytest.raises(ValueError, match="vgg.blocks are 4, each of which halves the image; it has 8 pixels"):
        vgg(input_shape=(8, 8, 1), output_shape=(10,))


@pytest.mark.slow
def test_real_digits(cache):
    """The 97 % that the scanned digits ask for, by a small VGG; 99 % of MNIST were not measured here."""
    network = partial(vgg, blocks=((16, 16), (32, 32)), dense=64, shift=0.0, dropout=0.25)
    classifier = image_classifier(
        data=partial(digits, size=16), network=network, steps=300, min_accuracy=0.97, batch_size=64
    )
    assert classifier.accuracy >= 0.97
