"""Diversity as LPIPS, a distance in the features of a network (Zhang et al., The Unreasonable Effectiveness, 2018)."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence

import gin
import numpy as np
import tensorflow as tf

from bms_tf.core.keras import keras
from bms_tf.metrics.ms_ssim import Noised, mean_over_pairs

# What is done to images in [-1, 1] first, in version 0.1 of the authors' code.
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
EPSILON = 1e-10
# Of torchvision's `features`: the number of each convolution, and behind which of them a map is taken, after its ReLU.
ALEXNET, ALEXNET_MAPS = (0, 3, 6, 8, 10), (0, 3, 6, 8, 10)
VGG16, VGG16_MAPS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), (2, 7, 14, 21, 28)
SMALLEST = {"AlexNet": 31, "VGG16": 16}  # pixels of an edge, so that something is left for the last map
WHERE = (
    "it is made with torch from alexnet-owt-7be5be79.pth (244 MB) or vgg16-397923af.pth (553 MB) of torchvision and "
    "alex.pth or vgg.pth (under 10 kB) of the package lpips: numpy.savez('alexnet.npz', **{k: v.numpy() for f in files "
    "for k, v in torch.load(f).items() if k.startswith(('features', 'lin'))})"
)


@gin.configurable
def lpips_diversity(
    samples: np.ndarray,
    reference: np.ndarray,
    *,
    seed: int,
    weights: str | None = None,
    linear: str | None = None,
    pairs: int = 2000,
    noise: float = 0.2,
) -> dict[str, float | str]:
    """The mean LPIPS distance over random pairs of samples, and the same of the test set and of a noised test set.

    Bhattacharyya et al. 2019, appendix E, compute it within 5,000 samples. This is version 0.1 of LPIPS.

    It sees how different samples are from each other. It does not see whether they are like the data: noise is
    diversity too.

    Args:
        samples: images [N, H, W, C] in [-1, 1] of 1 or 3 channels; gray ones are repeated.
        reference: images [M, H, W, C], the same.
        seed: of pairs and noise.
        weights: a file, which is never downloaded. It is an .npz with torchvision's names, features.0.weight [out, in,
            h, w], features.0.bias, ... of AlexNet's or VGG16's convolutions, and LPIPS's lin0.model.1.weight [1, C, 1,
            1], .... Or it is a Keras file or SavedModel that gives the list of feature maps [B, h, w, C] of images [B,
            H, W, 3], which are shifted and scaled as the authors do.
        linear: beside a Keras file or SavedModel, an .npz with the lin* weights.
        pairs: how many pairs of two different images.
        noise: standard deviation of the normal noise on the noised test set, which is then clipped to [-1, 1]. An image
            has new noise in each pair.

    Returns:
        lpips_diversity, lpips_diversity_test, lpips_diversity_noised_test: the mean distances, each with `_std`, its
            standard error over the pairs.
        weights_sha256: hash of the files, for the protocol.

    Raises:
        ValueError: for a file that is missing, damaged or of another network, images that are too small, or a value out
            of range.
    """
    if noise < 0:
        raise ValueError(f"lpips_diversity.noise is {noise}; it must not be negative")
    if weights is None:
        raise ValueError(f"lpips_diversity.weights is missing: the .npz of a network; {WHERE}")
    distance = Lpips(weights, linear)
    noised = Noised(reference, noise, seed)
    result: dict[str, float | str] = {"weights_sha256": distance.sha256}
    for name, images in {"": samples, "_test": reference, "_noised_test": noised}.items():
        mean, error = mean_over_pairs(distance, images, pairs=pairs, seed=seed)
        result |= {f"lpips_diversity{name}": mean, f"lpips_diversity{name}_std": error}
    return result


class Lpips:
    """d(a, b) = sum over maps l of mean over places of sum over channels c of w_lc (a_lc - b_lc)^2, eq. 1.

    a_l and b_l are the maps of the two images, of unit length over the channels at each place.
    """

    def __init__(self, weights: str, linear: str | None = None):
        """See `lpips_diversity`; `sha256`: of the files' contents."""
        self.sha256 = hash_of(weights)
        if weights.endswith(".npz"):
            arrays = _arrays(weights)
            self._maps, self.smallest = _convolutional(arrays, weights)
        else:
            if linear is None:
                raise ValueError("lpips_diversity.linear is missing: an .npz with lin0.model.1.weight, ...")
            arrays = _arrays(linear)
            self._maps, self.smallest = _loaded(weights), 1
            self.sha256 += f"+{hash_of(linear)}"
        names = [f"lin{i}.model.1.weight" for i in range(sum(name.startswith("lin") for name in arrays))]
        missing = [name for name in names or ["lin0.model.1.weight"] if name not in arrays]
        if missing:
            raise ValueError(f"{linear or weights} has no {missing[0]}; it has {', '.join(sorted(arrays))}")
        self._linear = [tf.constant(arrays[name].reshape(-1), tf.float32) for name in names]

    def __call__(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """LPIPS, [B], of images [B, H, W, C] in [-1, 1]."""
        if len(a.shape) != 4 or a.shape[-1] not in (1, 3) or min(a.shape[1:3]) < self.smallest:
            raise ValueError(
                f"LPIPS of an array of shape {tuple(a.shape)}: it must be images [N, H, W, C] of 1 or 3 channels and "
                f"{self.smallest} pixels or more"
            )
        maps_a, maps_b = (self._maps((tf.broadcast_to(x, [*x.shape[:3], 3]) - SHIFT) / SCALE) for x in (a, b))
        shapes = [map_.shape[-1] for map_ in maps_a], [len(weight) for weight in self._linear]
        if shapes[0] != shapes[1]:
            raise ValueError(f"the network's maps have {shapes[0]} channels and the linear weights {shapes[1]}")
        total = 0.0
        for map_a, map_b, weight in zip(maps_a, maps_b, self._linear):
            difference = (_unit(map_a) - _unit(map_b)) ** 2
            total += tf.reduce_mean(tf.reduce_sum(weight * difference, axis=-1), axis=(1, 2))
        return total


def hash_of(path: str) -> str:
    """SHA-256 of a file, or of all files of a folder, names included. Raises ValueError if there is none."""
    if not os.path.exists(path):
        raise ValueError(f"{path} does not exist; {WHERE}")
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = os.path.join(folder, name)
            digest.update(f"{os.path.relpath(file, path)}\n{hash_of(file)}\n".encode())
    if os.path.isfile(path):
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _unit(x: tf.Tensor) -> tf.Tensor:
    return x / (tf.sqrt(tf.reduce_sum(x**2, axis=-1, keepdims=True)) + EPSILON)


def _arrays(path: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; {WHERE}") from None
    except Exception as error:  # zipfile, zlib and NumPy each have their own
        raise ValueError(f"{path} is no .npz of numbers, or damaged: {error}") from error


def _convolutional(arrays: Mapping[str, np.ndarray], path: str) -> tuple[Callable, int]:
    """The maps of AlexNet or VGG16, as a function of images [B, H, W, 3], and the fewest pixels of an edge."""
    found = tuple(sorted(int(n.split(".")[1]) for n in arrays if n.startswith("features.") and n.endswith(".weight")))
    networks = {ALEXNET: ("AlexNet", ALEXNET_MAPS), VGG16: ("VGG16", VGG16_MAPS)}
    if found not in networks:
        raise ValueError(f"{path} is no AlexNet and no VGG16: its convolutions are features.{found}; {WHERE}")
    name, taken = networks[found]
    kernels = {i: tf.constant(arrays[f"features.{i}.weight"].transpose(2, 3, 1, 0), tf.float32) for i in found}
    biases = {i: tf.constant(arrays[f"features.{i}.bias"], tf.float32) for i in found}

    def maps(x: tf.Tensor) -> list[tf.Tensor]:
        result, previous = [], None
        for i in found:
            if previous is not None and i - previous == 3:  # a pooling lies between, behind the ReLU
                x = tf.nn.max_pool2d(x, 3 if name == "AlexNet" else 2, 2, "VALID")
            stride, around = (4, 2) if name == "AlexNet" and i == 0 else (1, kernels[i].shape[0] // 2)
            x = tf.pad(x, [[0, 0], [around, around], [around, around], [0, 0]])
            x = tf.nn.relu(tf.nn.conv2d(x, kernels[i], stride, "VALID") + biases[i])
            previous = i
            if i in taken:
                result.append(x)
        return result

    return maps, SMALLEST[name]


def _loaded(path: str) -> Callable[[tf.Tensor], Sequence[tf.Tensor]]:
    """The maps of a Keras file or a SavedModel."""
    try:
        network = keras.models.load_model(path, compile=False)
    except Exception as error:  # whatever a damaged file makes of it
        raise ValueError(f"{path} is no Keras file or SavedModel that can be loaded: {error}") from error

    def maps(x: tf.Tensor) -> Sequence[tf.Tensor]:
        answer = network(x)
        return list(answer) if isinstance(answer, (list, tuple)) else [answer]

    return maps


lpips_diversity.needs = "rows"
