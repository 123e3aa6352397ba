"""The data sets that TensorFlow Datasets prepares, read from disk in the builders' own format."""

import hashlib
import json
import re
import shutil
from functools import partial
from pathlib import Path

import gin
import numpy as np
import pytest
import requests
import tensorflow as tf
import tensorflow_datasets as tfds

from bms_tf.core import errors
from pipelines import prepare, prepared
from pipelines.celeb_a import celeb_a
from pipelines.cifar10 import cifar10
from pipelines.color_mnist import color_mnist
from pipelines.mnist import mnist
from pipelines.pictures import centered, scaled
from pipelines.stacked_mnist import stacked_mnist

# 20 training pictures, 6 for each other split; of the data sets without a validation split 4 of the 20 are that.
PIPELINES = {
    "cifar10": (partial(cifar10, held_out=4), (32, 32, 3)),
    "mnist": (partial(mnist, held_out=4), (28, 28, 1)),
    "color_mnist": (partial(color_mnist, held_out=4), (28, 28, 3)),
    "stacked_mnist": (partial(stacked_mnist, digits_held_out=4, held_out=9), (28, 28, 3)),
    "celeb_a": (partial(celeb_a, shape=(16, 16, 3), held_out=4), (16, 16, 3)),
}


@pytest.fixture(autouse=True)
def data(tfds_dir):
    gin.bind_parameter("prepared.data_dir", tfds_dir)
    return tfds_dir


def whole(pipeline, split, **options):
    batches = list(pipeline(split, 0, 8, 0, **options).as_numpy_iterator())
    return tuple(map(np.concatenate, zip(*batches))) if options.get("labels") else np.concatenate(batches)


@pytest.mark.parametrize(
    ("name", "in_memory"), [*((name, False) for name in PIPELINES), ("cifar10", True)], ids=lambda value: str(value)
)
def test_it_goes_on_at_any_step_on_any_number_of_workers(name, in_memory):
    pipeline, shape = PIPELINES[name]
    gin.bind_parameter("prepared.in_memory", in_memory)
    gin.bind_parameter("prepared.window", 5)
    five = list(pipeline("train", 0, 8, 7).take(5).as_numpy_iterator())
    assert five[0].shape == (8, *shape) and five[0].dtype == np.float32
    assert -1 <= np.min(five) < 0 < np.max(five) <= 1
    np.testing.assert_array_equal(list(pipeline("train", 3, 8, 7).take(2).as_numpy_iterator()), five[3:])
    shares = [
        pipeline("train", 3, 8, 7, tf.distribute.InputContext(2, worker, 4)).take(4).as_numpy_iterator()
        for worker in range(2)
    ]
    first, second = map(list, shares)
    np.testing.assert_array_equal(np.concatenate([*first[:2], *second[:2]]), five[3])
    np.testing.assert_array_equal(np.concatenate([*first[2:], *second[2:]]), five[4])


def test_the_splits_of_cifar10_are_every_picture_once(data):
    parts = {split: whole(PIPELINES["cifar10"][0], split) for split in ("train_once", "validation", "test")}
    assert [len(part) for part in parts.values()] == [16, 4, 6]
    found = np.concatenate(list(parts.values()))
    stored = tfds.load("cifar10", split="train+test", data_dir=data).as_numpy_iterator()
    expected = np.stack([example["image"] for example in stored])
    np.testing.assert_allclose((found + 1) * 127.5, expected, atol=1e-4)
    # An epoch of training is two batches of eight: the same pictures in another order.
    epoch = np.concatenate(list(PIPELINES["cifar10"][0]("train", 0, 8, 3).take(2).as_numpy_iterator()))
    assert {image.tobytes() for image in epoch} == {image.tobytes() for image in parts["train_once"]}


def test_labels_belong_to_their_pictures():
    images, labels = whole(partial(cifar10, held_out=4), "train_once", labels=True)
    assert labels.tolist() == [n % 10 for n in range(16)]  # as they were written
    label_of = {image.tobytes(): label for image, label in zip(images, labels)}
    images, labels = next(cifar10("train", 2, 8, 3, held_out=4, labels=True).as_numpy_iterator())
    assert [label_of[image.tobytes()] for image in images] == labels.tolist()


def test_stacks_are_of_their_split_and_a_color_leaves_the_brightest_channel_as_it_was():
    for split in ("train_once", "validation", "test"):
        digits, labels = whole(PIPELINES["mnist"][0], split, labels=True)
        label_of = {image.tobytes(): label for image, label in zip(digits, labels)}
        stacks, numbers = whole(PIPELINES["stacked_mnist"][0], split, labels=True)
        found = [[label_of[stack[..., channel].tobytes()] for channel in range(3)] for stack in stacks]
        np.testing.assert_array_equal(np.array(found) @ [100, 10, 1], numbers)
        colored = whole(PIPELINES["color_mnist"][0], split)
        np.testing.assert_allclose(colored.max(axis=-1, keepdims=True), digits, atol=1e-6)
        # One color for all pixels of a digit: each channel is everywhere the same share of the brightest.
        shares = np.sum((colored + 1) * (digits + 1), axis=(1, 2)) / np.sum((digits + 1) ** 2, axis=(1, 2))
        np.testing.assert_allclose(colored + 1, (digits + 1) * shares[:, None, None], atol=1e-5)
        assert len(np.unique(shares.round(4), axis=0)) == len(digits)


def test_celeb_a_is_the_central_square():
    # A ramp to the right: cells of 10 pixels, whose centers the filter keeps but at the border.
    ramp = np.tile(np.arange(178, dtype=np.uint8)[None, :, None], (218, 1, 3))
    square = centered(tf.constant(ramp), 160)
    assert square[0, 0, 0] == 9 and square[0, -1, 0] == 168  # (178 - 160) / 2 columns are cut off on either side
    cells = (scaled(square, (16, 16, 3)).numpy() + 1) * 127.5
    np.testing.assert_allclose(cells[5, 1:-1, 0], 9 + 4.5 + 10 * np.arange(1, 15), atol=1e-3)
    assert whole(PIPELINES["celeb_a"][0], "test").shape == (4, 16, 16, 3)


def test_flips_are_of_training_alone_and_of_half():
    plain = whole(partial(cifar10, held_out=4), "train_once")
    mirror = {image[:, ::-1].tobytes() for image in plain}
    steps = list(cifar10("train", 0, 8, 3, held_out=4, flip=True).take(20).as_numpy_iterator())
    flips = [image.tobytes() in mirror for image in np.concatenate(steps)]
    assert 50 < sum(flips) < 110  # binomial, 80 +- 6.3 of 160
    np.testing.assert_array_equal(list(cifar10("train", 19, 8, 3, held_out=4, flip=True).take(1))[0], steps[19])
    for split in ("train_once", "validation", "test"):
        expected = whole(partial(cifar10, held_out=4), split)
        np.testing.assert_array_equal(whole(partial(cifar10, held_out=4, flip=True), split), expected)


@pytest.mark.parametrize(
    ("pipeline", "options", "message"),
    [
        (cifar10, {"held_out": 0}, "held_out is 0"),
        (celeb_a, {"shape": (16, 16, 3), "crop": 179}, r"celeb_a.crop is 179; it must lie in 1..178"),
        (celeb_a, {"shape": (16, 16, 1)}, r"celeb_a.shape is \(16, 16, 1\).*C = 3"),
        (celeb_a, {"shape": (16, 16, 3), "held_out": 0}, "celeb_a.held_out is 0"),
        (mnist, {"split": "valid"}, "split='valid'.*validation"),
        # The folder has 20 training and 6 test examples, and CelebA 6 of validation.
        (mnist, {}, r"mnist has 20 examples in 'train', too few for 'train\[:-5000\]'; a smaller held_out leaves some"),
        (cifar10, {"held_out": 20}, r"cifar10 has 20 examples in 'train', too few for 'train\[:-20\]'; a smaller"),
        (celeb_a, {"shape": (16, 16, 3), "split": "test"}, r"celeb_a has 6 examples in 'test', too few for 'test\[:10"),
    ],
)
def test_what_is_out_of_range_is_one_line(pipeline, options, message):
    with pytest.raises(ValueError, match=message):
        pipeline(options.pop("split", "train"), 0, 8, 0, **options)


def test_a_data_set_that_is_not_prepared_says_how_to_prepare_it(tmp_path):
    gin.bind_parameter("prepared.data_dir", str(tmp_path))
    command = f"python -m pipelines.prepare cifar10 --data_dir={tmp_path}"
    with pytest.raises(ValueError, match=f"cifar10 is not prepared in {tmp_path}; run: {command} .170 MB.*500 MB"):
        cifar10("train", 0, 8, 0)
    by_hand = r"img_align_celeba.zip, .*identity_CelebA.txt by hand, .* into .*/downloads/manual"
    with pytest.raises(ValueError, match=by_hand):
        celeb_a("train", 0, 8, 0, shape=(16, 16, 3))


def test_a_data_set_prepared_by_half_is_named(data, tmp_path):
    gin.bind_parameter("prepared.data_dir", str(tmp_path))
    shutil.copytree(Path(data) / "mnist", tmp_path / "mnist")
    (version,) = (tmp_path / "mnist").iterdir()
    shard = next(version.glob("*test*"))
    shard.rename(version / "elsewhere")
    with pytest.raises(
        ValueError, match=f"mnist is only half prepared .*{shard.name} is missing.*delete {version} and"
    ):
        mnist("train", 0, 8, 0, held_out=4)
    version.rename(tmp_path / "mnist" / f"incomplete.AB12CD_{version.name}")
    with pytest.raises(ValueError, match=r"mnist is only half prepared: delete .*incomplete.AB12CD_.* and run: python"):
        mnist("train", 0, 8, 0, held_out=4)


@pytest.fixture
def mnist_folder(data, tmp_path):
    """A copy of MNIST's folder that may be damaged."""
    gin.bind_parameter("prepared.data_dir", str(tmp_path))
    shutil.copytree(Path(data) / "mnist", tmp_path / "mnist")
    return next((tmp_path / "mnist").iterdir())


# A record is the length of its data in 8 bytes, their checksum in 4, the data, and their checksum in 4.
@pytest.mark.parametrize("bit", [2, 8 * 8, 8 * 20])
@pytest.mark.parametrize("in_memory", [False, True])
def test_one_wrong_bit_of_a_record_file_is_one_line(mnist_folder, bit, in_memory):
    gin.bind_parameter("prepared.in_memory", in_memory)
    file = next(mnist_folder.glob("*train*"))
    content = bytearray(file.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"{file} is damaged \(corrupted record at \d+.*\): delete {mnist_folder} and run: python -m"
    ) as caught:
        mnist("train", 0, 8, 0, held_out=4)
    assert "IteratorGetNext" not in str(caught.value)
    assert len(whole(PIPELINES["mnist"][0], "test")) == 6, "a split is its own files"


def test_a_record_file_that_is_cut_off_is_one_line(mnist_folder):
    file = next(mnist_folder.glob("*train*"))
    content = file.read_bytes()
    second = int.from_bytes(content[:8], "little") + 16
    for size, said in ((second + 20, "truncated record at"), (second, "1 of its 20 examples"), (0, "0 of its 20")):
        file.write_bytes(content[:size])
        with pytest.raises(ValueError, match=rf"{file} is damaged \({said}"):
            mnist("train", 0, 8, 0, held_out=4)
    file.write_bytes(content)
    assert len(whole(PIPELINES["mnist"][0], "train_once")) == 16, "what was found is not kept"


def test_a_damaged_description_of_a_data_set_is_one_line(mnist_folder):
    file = mnist_folder / "dataset_info.json"
    file.write_text(file.read_text()[:50])
    root = mnist_folder.parents[1]
    with pytest.raises(
        ValueError, match=f"dataset_info.json of mnist is damaged .*: delete {root}/mnist and run: python"
    ):
        mnist("train", 0, 8, 0, held_out=4)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("flip", r"corrupted record at \d+"),
        ("cut", r"truncated record at \d+"),
        ("empty", "Input dataset was expected to contain 16 elements but contained only 0"),
    ],
)
def test_a_record_file_damaged_in_the_midst_of_training_is_one_line(mnist_folder, damage, said):
    batches = iter(mnist("train", 0, 8, 0, held_out=4))
    file = next(mnist_folder.glob("*train*"))
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes({"flip": content, "cut": content[:100], "empty": b""}[damage])
    with pytest.raises(tf.errors.OpError) as caught:
        for _ in range(50):
            next(batches)
    assert re.fullmatch(f"the data cannot be read any more: {said}", errors.of_the_user(caught.value))


@pytest.fixture
def asked(monkeypatch):
    """The servers that were asked whether they are there; they are."""
    urls = []
    monkeypatch.setattr(requests, "head", lambda url, timeout: urls.append(url))
    return urls


def test_preparing_ends_with_one_line_where_the_download_is_refused(tmp_path, monkeypatch, asked):
    class Refused(Exception):
        pass

    def refuse(self):
        raise Refused("too many requests\nfor this file" + " and the next" * 50)

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", refuse)
    with pytest.raises(
        SystemExit,
        match="^error: Refused: too many requests for this file( and the next){50}; python -m .*celeb_a.*by hand",
    ):
        prepare.main(["celeb_a", f"--data_dir={tmp_path}"])


def test_without_a_network_preparing_ends_before_it_begins(tmp_path, monkeypatch):
    def unreachable(url, timeout):
        assert timeout <= 10
        raise requests.ConnectionError("a long story of retries")

    monkeypatch.setattr(requests, "head", unreachable)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", lambda self: pytest.fail("began"))
    with pytest.raises(
        SystemExit, match="^error: www.cs.toronto.edu cannot be reached; is there a network.; python -m"
    ):
        prepare.main(["cifar10", f"--data_dir={tmp_path}"])


def test_each_server_is_asked_once_and_none_for_what_was_downloaded(tmp_path, monkeypatch, asked):
    begun = []
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", lambda self: begun.append(self))
    prepare.main(["mnist", f"--data_dir={tmp_path}"])
    assert len(asked) == 1 and "storage.googleapis.com" in asked[0] and len(begun) == 1
    (tmp_path / "downloads/mnist").mkdir(parents=True)
    for number, url in enumerate(tfds.builder("mnist").url_infos):
        (tmp_path / f"downloads/mnist/{number}.INFO").write_text(json.dumps({"urls": [url]}))
    prepare.main(["mnist", f"--data_dir={tmp_path}"])
    assert len(asked) == 1 and len(begun) == 2


def test_a_file_fetched_by_hand_that_is_another_one_says_so(tmp_path, asked):
    """An archive that was packed anew has other bytes: 170,052,171 and c4a38c50... are TensorFlow Datasets' record."""
    packed = tmp_path / "downloads/manual/cifar-10-binary.tar.gz"
    packed.parent.mkdir(parents=True)
    packed.write_bytes(b"packed anew")
    with pytest.raises(SystemExit) as ended:
        prepare.main(["cifar10", f"--data_dir={tmp_path}"])
    found = hashlib.sha256(b"packed anew").hexdigest()
    assert str(ended.value).startswith(
        f"error: {packed} has 11 bytes and the SHA-256 {found}, but the file of that name has "
    )
    assert "170,052,171 and c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd" in str(ended.value)
    assert "fetch it again and leave it as it comes" in str(ended.value) and not asked
    wanted = {"https://x/y.zip": tfds.download.checksums.UrlInfo(size=11, checksum=found, filename=packed.name)}
    assert prepare.check_fetched_by_hand(wanted, packed.parent) == []
    assert prepare.check_fetched_by_hand(wanted, tmp_path) == ["https://x/y.zip"]


def test_records_are_read_once_for_a_run(data):
    prepared._records.cache_clear()
    for _ in range(2):
        mnist("train", 0, 8, 0, held_out=4)
    assert prepared._records.cache_info().misses == 1
