"""Examples from a model, a folder, an .npz, an array and a pipeline: which, in what order, and what is refused."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import ExifTags, Image

from bms_tf.core.model import Model
from bms_tf.evaluation import sources
from bms_tf.evaluation.sources import BATCH
from pipelines.image_folder import image_folder

COUNT = 2 * BATCH + 30


def pixels(count=COUNT, shape=(4, 4, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def all_of(source, first=0):
    batches = list(source.batches(first))
    assert [len(x) for x in batches[:-1]] == [BATCH] * (len(batches) - 1)
    return np.concatenate(batches)


def save(path, *arrays, **named):
    np.savez(path, *arrays, **named)
    return str(path)


def write_pictures(folder, images):
    os.makedirs(folder)
    for number, image in enumerate(images):
        Image.fromarray(image if image.shape[-1] == 3 else image[..., 0]).save(folder / f"{number:05d}.png")


# The same examples from everywhere.


def test_the_same_pictures_from_an_npz_a_folder_an_array_and_a_model(tmp_path):
    images = pixels()
    floats = (images / 127.5 - 1).astype(np.float32)
    write_pictures(tmp_path / "pictures", images)

    def sample(seeds):
        return tf.gather(floats, seeds % 2**32)

    model = sources.of_model(Model(None, (4, 4, 3), sample=sample), {"model": 1}, "m", count=COUNT, seed=5)
    np.testing.assert_array_equal(all_of(model), images)
    files = [
        sources.of_array(images, "array"),
        sources.of_array(floats, "array"),
        sources.of_npz(save(tmp_path / "bytes.npz", images)),
        sources.of_npz(save(tmp_path / "floats.npz", floats.astype(np.float64))),
        sources.of_folder(str(tmp_path / "pictures")),
    ]
    for source in files:
        assert (source.shape, source.count) == ((4, 4, 3), COUNT)
        np.testing.assert_array_equal(all_of(source), images)
        np.testing.assert_array_equal(all_of(source, first=2), images[2 * BATCH :])
    assert len({source.identity["sha256"] for source in files}) == 1
    assert sources.of_array(images[:-1], "array").identity != files[0].identity


def test_gray_pictures(tmp_path):
    gray = pixels(10, (4, 4, 1))
    write_pictures(tmp_path / "gray", gray)
    assert sources.of_folder(str(tmp_path / "gray")).shape == (4, 4, 1)
    np.testing.assert_array_equal(all_of(sources.of_folder(str(tmp_path / "gray"))), gray)
    np.testing.assert_array_equal(all_of(sources.of_array(gray[..., 0], "array")), gray)
    # One colored picture makes all of them colored.
    Image.fromarray(pixels(1)[0]).save(tmp_path / "gray" / "color.png")
    assert sources.of_folder(str(tmp_path / "gray")).shape == (4, 4, 3)


def every_kind():
    """Pictures of 4 x 4 that are more than bytes of gray or color, by a file's name."""
    ramp = np.arange(16).reshape(4, 4)
    color, alpha = pixels(1)[0], (17 * ramp).astype(np.uint8)
    palette = Image.fromarray((ramp % 3).astype(np.uint8), "P")
    palette.putpalette([200, 10, 20, 30, 190, 40, 5, 6, 180])
    palette.info["transparency"] = 1
    return {
        "16_bit.png": Image.fromarray((ramp * 4000 + 77).astype(np.uint16)),
        "transparent.png": Image.fromarray(np.concatenate([color, alpha[..., None]], axis=-1)),
        "gray_with_alpha.png": Image.fromarray(np.stack([alpha[::-1], alpha], axis=-1), "LA"),
        "palette.png": palette,
        "black_and_white.png": Image.fromarray(ramp % 5 == 0),
        "turned.jpg": Image.fromarray((ramp * 16).astype(np.uint8)),
    }


@pytest.mark.parametrize("name", every_kind())
def test_a_folder_is_seen_as_training_sees_it(tmp_path, monkeypatch, name):
    """Another implementation: `image_folder` decodes by TensorFlow."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6 if name == "turned.jpg" else 1
    for number in range(3):  # a byte behind the end, as equal files count once
        path = tmp_path / "one" / f"{number}{name}"
        path.parent.mkdir(exist_ok=True)
        every_kind()[name].save(path, exif=tags, quality=100)
        path.write_bytes(path.read_bytes() + bytes([number]))
    trained = image_folder("test", 0, 1, 0, folder=str(tmp_path / "one"), shape=(4, 4, 3))
    wanted = (next(iter(trained)).numpy() + 1) * 127.5
    seen = all_of(sources.of_folder(str(tmp_path / "one")))
    slack = 8 if name.endswith("jpg") else 0.01  # TensorFlow decodes JPEG with a fast transform
    np.testing.assert_allclose(*np.broadcast_arrays(seen[:1].astype(float), wanted), atol=slack)


def test_a_photo_of_a_turned_camera_has_its_upright_size(tmp_path):
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg", exif=tags)
    Image.new("RGB", (4, 6)).save(tmp_path / "b.jpg")
    assert sources.of_folder(str(tmp_path)).shape == (6, 4, 3)
    # A PNG's tag may stand behind its pixels, so that it is found only as they are read.
    Image.new("RGB", (4, 6)).save(tmp_path / "c.png", exif=tags)
    assert "c.png has 6 x 4 pixels and " in refused(sources.of_folder, str(tmp_path))


def test_points_stay_as_they_are(tmp_path):
    points = np.random.default_rng(0).normal(0, 9, size=(COUNT, 2))
    source = sources.of_npz(save(tmp_path / "points.npz", points))
    assert source.shape == (2,)
    np.testing.assert_array_equal(all_of(source), points.astype(np.float32))


def test_the_first_array_of_a_compressed_npz(tmp_path):
    path = tmp_path / "several.npz"
    np.savez_compressed(path, samples=pixels(), labels=np.zeros(COUNT))
    np.testing.assert_array_equal(all_of(sources.of_npz(str(path))), pixels())


def test_some_of_more(tmp_path):
    """A random part, in the order of the file, the same each time."""
    points = np.arange(1000.0)[:, None]
    source = sources.of_npz(save(tmp_path / "points.npz", points), count=250, seed=1)
    chosen = all_of(source)[:, 0]
    assert len(set(chosen)) == 250 and (np.diff(chosen) > 0).all()
    assert chosen[0] < 30 and chosen[-1] > 970, "from all of the file"
    np.testing.assert_array_equal(all_of(source, first=1)[:, 0], chosen[BATCH:])
    again = sources.of_npz(str(tmp_path / "points.npz"), count=250, seed=1)
    assert again.identity == source.identity
    assert sources.of_npz(str(tmp_path / "points.npz"), count=250, seed=2).identity != source.identity
    with pytest.raises(ValueError, match=r"points.npz has 1000 examples; 1001 are asked for"):
        sources.of_npz(str(tmp_path / "points.npz"), count=1001)


def test_samples_depend_on_their_number_and_the_seed_alone():
    def sample(seeds):
        return tf.cast(seeds, tf.float32)[:, None]

    model = Model(None, (1,), sample=sample)
    few, many = (all_of(sources.of_model(model, {}, "m", count=n, seed=2)) for n in (BATCH + 5, COUNT))
    np.testing.assert_array_equal(few, many[: BATCH + 5])
    assert few[0, 0] == 2 * 2**32


def test_samples_beyond_the_range_are_cut_as_pictures_are():
    def sample(seeds):
        return tf.fill([len(seeds), 2, 2, 1], 1.7)

    model = sources.of_model(Model(None, (2, 2, 1), sample=sample), {}, "m", count=3, seed=0)
    assert (all_of(model) == 255).all()


def pipeline(split, start_step, examples_per_step, seed):
    data = tf.data.Dataset.from_tensor_slices(tf.range(250.0)[:, None] + seed)
    return data.batch(examples_per_step).skip(start_step)


def test_a_split_of_a_pipeline():
    source = sources.of_pipeline(pipeline, "test", seed=3)
    assert (source.name, source.shape, source.count) == ("pipeline, test", (1,), 250)
    np.testing.assert_array_equal(all_of(source)[:, 0], np.arange(250) + 3)
    few = sources.of_pipeline(pipeline, "test", count=120, seed=3)
    np.testing.assert_array_equal(all_of(few)[:, 0], np.arange(120) + 3)
    np.testing.assert_array_equal(all_of(few, first=1)[:, 0], np.arange(BATCH, 120) + 3)
    assert sources.of_pipeline(pipeline, "test", count=1000, seed=3).count == 250


# What is refused, each in one line.


def refused(function, *arguments, **settings):
    with pytest.raises(ValueError) as caught:
        all_of(function(*arguments, **settings))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("array", "line"),
    [
        (pixels() / 255, "no value of any picture is under 0; they must be uint8 in 0..255, or floats in [-1, 1]"),
        (
            pixels().astype(float),
            "pictures with values in [0, 255]; they must be uint8 in 0..255, or floats in [-1, 1]",
        ),
        (pixels().astype(np.int64), "holds pictures of type int64; they must be uint8 in 0..255, or floats"),
        (pixels(9, (3, 8, 8)), "holds pictures of shape (3, 8, 8); channels must be last: transpose(0, 2, 3, 1)"),
        (np.zeros([9, 4, 4, 7]), "holds an array of shape (9, 4, 4, 7); it must be pictures [N, H, W, C] or points"),
        (np.zeros(9), "holds an array of shape (9,); it must be pictures [N, H, W, C] or points [N, D]"),
        (np.zeros([0, 2]), "holds float64 of shape (0, 2); it must be numbers [N, ...] with N > 0"),
        (np.array([["a"]]), "holds <U1 of shape (1, 1); it must be numbers [N, ...]"),
        (np.full([9, 2], np.nan), ": 9 of 9 examples in a row hold NaN or infinity"),
        (np.array([[[[np.inf]]], [[[0]]]]), ": 1 of 2 examples in a row hold NaN or infinity"),
    ],
)
def test_an_array_that_holds_no_examples(tmp_path, array, line):
    path = save(tmp_path / "bad.npz", array)
    assert line in refused(sources.of_npz, path) and refused(sources.of_npz, path).startswith(path)
    assert line in refused(sources.of_array, array, "array")


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickled_objects_are_never_loaded(tmp_path):
    objects = np.empty([2, 2], object)
    objects[:] = Trap(tmp_path / "sprung")
    path = save(tmp_path / "objects.npz", objects)
    assert refused(sources.of_npz, path) == (
        f"{path} holds pickled objects, which are never loaded; save an array of numbers"
    )
    assert not (tmp_path / "sprung").exists()


def test_a_file_that_is_no_npz_or_damaged(tmp_path):
    whole = save(tmp_path / "whole.npz", pixels())
    (tmp_path / "text.npz").write_text("hello")
    assert "text.npz is damaged, or no .npz: File is not a zip file" in refused(
        sources.of_npz, str(tmp_path / "text.npz")
    )
    data = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    assert "cut.npz is damaged, or no .npz: File is not a zip file" in refused(
        sources.of_npz, str(tmp_path / "cut.npz")
    )
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 255
    (tmp_path / "flipped.npz").write_bytes(flipped)
    assert "flipped.npz is damaged, or no .npz: Bad CRC-32" in refused(sources.of_npz, str(tmp_path / "flipped.npz"))
    with zipfile.ZipFile(tmp_path / "empty.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert refused(sources.of_npz, str(tmp_path / "empty.npz")).endswith("empty.npz holds no array")
    with zipfile.ZipFile(tmp_path / "header.npz", "w") as archive:
        archive.writestr("x.npy", b"no header")
    assert "header.npz is damaged" in refused(sources.of_npz, str(tmp_path / "header.npz"))
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(tmp_path / "short.npz", "w") as short:
        short.writestr("arr_0.npy", archive.read("arr_0.npy")[:-100])
    assert "short.npz is damaged: it has 227 of 230 examples" in refused(sources.of_npz, str(tmp_path / "short.npz"))
    assert "stored column by column" in refused(sources.of_npz, save(tmp_path / "f.npz", np.asfortranarray(np.eye(5))))


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((10**12, 2), "is damaged: it has 13 of 1000000000000 examples"),
        ((10**23, 2), "is damaged: it has 13 of "),
        ((5, 0), "holds float32 of shape (5, 0); it must be numbers [N, ...] with N > 0"),
        ((3, -2), "holds float32 of shape (3, -2); it must be numbers"),
    ],
)
def test_an_npz_that_claims_another_shape(shape, said, tmp_path):
    """The first took 8 TB, and ended in a traceback."""
    with zipfile.ZipFile(tmp_path / "claims.npz", "w") as archive, archive.open("x.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.write(bytes(13 * 8))
    assert refused(sources.of_npz, str(tmp_path / "claims.npz")).startswith(f"{tmp_path}/claims.npz {said}")


def test_any_wrong_bit_of_an_npz_is_one_line(tmp_path):
    """In the names and sizes of the archive it ended in tracebacks, as a password and an unknown packing did."""
    whole = Path(save(tmp_path / "whole.npz", np.zeros([230, 2], np.float32))).read_bytes()
    path = tmp_path / "wrong.npz"
    for at in [*range(250), *range(len(whole) - 130, len(whole))]:  # around the numbers, which a checksum guards
        wrong = bytearray(whole)
        wrong[at] ^= 1 << at % 8
        path.write_bytes(wrong)
        try:
            sources.of_npz(str(path))
        except ValueError as error:
            assert str(error).startswith(str(path))


def test_a_folder_of_pictures_that_cannot_be_used(tmp_path):
    (tmp_path / "none").mkdir()
    assert "none holds no picture (.png, .jpg, .jpeg)" in refused(sources.of_folder, str(tmp_path / "none"))
    write_pictures(tmp_path / "sizes", pixels(2))
    Image.fromarray(pixels(1, (4, 6, 3))[0]).save(tmp_path / "sizes" / "wide.png")
    line = refused(sources.of_folder, str(tmp_path / "sizes"))
    assert "wide.png has 6 x 4 pixels and " in line and "image_folder.gin cuts and resizes" in line
    write_pictures(tmp_path / "bad", pixels(2))
    whole = (tmp_path / "bad" / "00000.png").read_bytes()
    (tmp_path / "bad" / "00001.png").write_bytes(whole[: len(whole) // 2])
    assert "00001.png cannot be read: " in refused(sources.of_folder, str(tmp_path / "bad"))
    (tmp_path / "bad" / "00001.png").unlink()
    os.mkfifo(tmp_path / "bad" / "00001.png")
    assert "00001.png cannot be read: it is no regular file" in refused(sources.of_folder, str(tmp_path / "bad"))
    (tmp_path / "bad" / "00001.png").unlink()
    (tmp_path / "bad" / "00001.png").write_text("hello")
    assert "00001.png cannot be read: " in refused(sources.of_folder, str(tmp_path / "bad"))


def test_samples_of_a_model_that_are_not_finite():
    model = Model(None, (2,), sample=lambda seeds: tf.where(seeds[:, None] % 2**32 < 3, np.nan, tf.zeros([1, 2])))
    assert "the samples of m: 3 of 9 examples in a row hold NaN" in refused(
        sources.of_model, model, {}, "m", count=9, seed=0
    )
