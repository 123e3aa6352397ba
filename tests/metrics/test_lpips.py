"""LPIPS with small random weights beside an implementation with NumPy alone, and by hand."""

import hashlib

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.metrics.lpips import ALEXNET, VGG16, VGG16_MAPS, Lpips, hash_of, lpips_diversity

RNG = np.random.default_rng(0)
CHANNELS = {"alexnet": (4, 3, 5, 2, 3), "vgg16": (2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2)}
KERNELS = {"alexnet": (11, 5, 3, 3, 3), "vgg16": (3,) * 13}
NUMBERS = {"alexnet": ALEXNET, "vgg16": VGG16}
MAPS = {"alexnet": ALEXNET, "vgg16": VGG16_MAPS}


def random_weights(network):
    """Of few channels, by torchvision's names."""
    arrays, before = {}, 3
    for number, channels, side in zip(NUMBERS[network], CHANNELS[network], KERNELS[network]):
        scale = np.sqrt(2 / (before * side * side))
        arrays[f"features.{number}.weight"] = scale * RNG.normal(size=(channels, before, side, side))
        arrays[f"features.{number}.bias"] = 0.1 * RNG.normal(size=channels)
        before = channels
    taken = [c for number, c in zip(NUMBERS[network], CHANNELS[network]) if number in MAPS[network]]
    return arrays | {f"lin{i}.model.1.weight": RNG.uniform(size=(1, c, 1, 1)) for i, c in enumerate(taken)}


def convolved(x, weight, bias, stride, around):
    """[C, H, W] with [O, C, k, k]."""
    x = np.pad(x, [(0, 0), (around, around), (around, around)])
    side = weight.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("chwij,ocij->ohw", windows, weight) + bias[:, None, None]


def pooled(x, side):
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::2, ::2]
    return windows.max(axis=(3, 4))


def independent(a, b, arrays, network):
    """LPIPS of two images [3, H, W] in [-1, 1], layer by layer as torchvision lists them."""
    shift, scale = (np.array(v)[:, None, None] for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    pools = {"alexnet": {2: 3, 5: 3}, "vgg16": {4: 2, 9: 2, 16: 2, 23: 2}}[network]
    maps = []
    for x in ((a - shift) / scale, (b - shift) / scale):
        found = []
        for number in range(max(NUMBERS[network]) + 1):
            if number in NUMBERS[network]:
                weight, bias = arrays[f"features.{number}.weight"], arrays[f"features.{number}.bias"]
                first = network == "alexnet" and number == 0
                x = np.maximum(convolved(x, weight, bias, 4 if first else 1, 2 if first else weight.shape[-1] // 2), 0)
                if number in MAPS[network]:
                    found.append(x / (np.sqrt((x**2).sum(axis=0)) + 1e-10))
            elif number in pools:
                x = pooled(x, pools[number])
        maps.append(found)
    weights = [arrays[f"lin{i}.model.1.weight"].reshape(-1, 1, 1) for i in range(5)]
    return sum((w * (x - y) ** 2).sum(axis=0).mean() for x, y, w in zip(*maps, weights))


def images(count, side=36, channels=3):
    return RNG.uniform(-1, 1, (count, side, side, channels)).astype(np.float32)


@pytest.mark.parametrize("network", ["alexnet", "vgg16"])
def test_beside_the_independent_one(network, tmp_path):
    arrays = random_weights(network)
    np.savez(tmp_path / "weights.npz", **arrays)
    first, second = images(3), images(3)
    found = Lpips(str(tmp_path / "weights.npz"))(tf.constant(first), tf.constant(second)).numpy()
    expected = [independent(*(x.transpose(2, 0, 1) for x in pair), arrays, network) for pair in zip(first, second)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert min(expected) > 0.05


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "alexnet.npz"
    np.savez(path, **random_weights("alexnet"))
    return str(path)


def test_diversity(weights):
    same = np.repeat(images(1), 5, axis=0)
    scores = lpips_diversity(same, images(6), seed=0, weights=weights, pairs=20)
    assert scores["lpips_diversity"] == pytest.approx(0, abs=1e-6)
    assert scores["lpips_diversity_test"] > 0.05
    with open(weights, "rb") as file:
        assert scores["weights_sha256"] == hashlib.sha256(file.read()).hexdigest()


def test_gray_images_are_repeated(weights):
    gray = images(4, channels=1)
    settings = {"seed": 0, "weights": weights, "pairs": 10}
    repeated = np.repeat(gray, 3, axis=-1)
    one, three = (lpips_diversity(x, x, **settings, noise=0.0)["lpips_diversity"] for x in (gray, repeated))
    assert one == pytest.approx(three, rel=1e-6)


@pytest.mark.parametrize("form", ["keras", "saved_model"])
def test_the_network_as_a_keras_file(form, tmp_path):
    # One map: channels (1, 0) at every place of one image and (0, 1) of the other, so that the squared differences are
    # 1 and 1, with weights .5 and 2: 2.5. The channels say whether red is
    # positive or negative.
    signs = keras.layers.Conv2D(2, 1, activation="relu", use_bias=False)
    network = keras.Sequential([keras.Input([4, 4, 3]), signs])
    signs.set_weights([np.array([[1, -1], [0, 0], [0, 0]]).reshape(1, 1, 3, 2)])
    path = str(tmp_path / ("network.keras" if form == "keras" else "network"))
    network.save(path)
    np.savez(tmp_path / "linear.npz", **{"lin0.model.1.weight": np.array([0.5, 2.0]).reshape(1, 2, 1, 1)})
    distance = Lpips(path, str(tmp_path / "linear.npz"))
    assert distance(tf.ones([1, 4, 4, 3]), -tf.ones([1, 4, 4, 3])).numpy()[0] == pytest.approx(2.5, rel=1e-5)
    assert distance.sha256 == f"{hash_of(path)}+{hash_of(str(tmp_path / 'linear.npz'))}"
    with pytest.raises(ValueError, match="linear is missing"):
        Lpips(path)


def test_the_hash_of_a_folder_is_of_names_and_contents(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_text("1")
    first = hash_of(str(tmp_path))
    (tmp_path / "a" / "one").rename(tmp_path / "a" / "two")
    assert hash_of(str(tmp_path)) != first
    (tmp_path / "a" / "two").rename(tmp_path / "a" / "one")
    assert hash_of(str(tmp_path)) == first


def test_bad_weights(weights, tmp_path):
    def score(path, **settings):
        return lpips_diversity(images(3), images(3), seed=0, weights=path and str(path), pairs=2, **settings)

    with pytest.raises(ValueError, match="weights is missing.*torchvision"):
        score(None)
    with pytest.raises(ValueError, match="nothing.npz does not exist; it is made with torch from alexnet.*244 MB"):
        score(tmp_path / "nothing.npz")
    with open(weights, "rb") as file:
        (tmp_path / "cut.npz").write_bytes(file.read()[:2000])
    with pytest.raises(ValueError, match="cut.npz is no .npz of numbers, or damaged"):
        score(tmp_path / "cut.npz")
    np.savez(tmp_path / "objects.npz", **{"features.0.weight": np.array([{}], object)})
    with pytest.raises(ValueError, match="objects.npz is no .npz of numbers"):
        score(tmp_path / "objects.npz")
    np.savez(tmp_path / "other.npz", **{"features.0.weight": np.zeros((2, 3, 3, 3))})
    with pytest.raises(ValueError, match="no AlexNet and no VGG16"):
        score(tmp_path / "other.npz")
    arrays = random_weights("alexnet")
    np.savez(tmp_path / "plain.npz", **{name: x for name, x in arrays.items() if name.startswith("features")})
    with pytest.raises(ValueError, match="has no lin0.model.1.weight"):
        score(tmp_path / "plain.npz")
    arrays["lin0.model.1.weight"] = np.ones((1, 7, 1, 1))
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(ValueError, match=r"maps have \[4, 3, 5, 2, 3\] channels and the linear weights \[7, 3"):
        score(tmp_path / "wrong.npz")
    (tmp_path / "network.keras").write_text("nothing")
    with pytest.raises(ValueError, match="no Keras file or SavedModel"):
        score(tmp_path / "network.keras", linear=weights)


@pytest.mark.parametrize("shape", [(3, 30, 30, 3), (3, 36, 36, 2), (3, 5)])
def test_bad_images(weights, shape):
    with pytest.raises(ValueError, match="1 or 3 channels and 31 pixels or more"):
        lpips_diversity(np.zeros(shape), images(3), seed=0, weights=weights, pairs=2)
