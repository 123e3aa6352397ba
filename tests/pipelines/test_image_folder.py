"""A folder of pictures: every kind of file that comes out of a user's disk, and the splits."""

import logging
import os
import re
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from bms_tf.core import errors
from pipelines import picture_files
from pipelines.image_folder import _usable, image_folder


def look_again():
    """What another process would find."""
    picture_files.index.cache_clear()
    _usable.cache_clear()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    look_again()


@pytest.fixture
def folder(tmp_path):
    """Forty gray PNG files of 4 x 4 in two sub-folders, each of its own level."""
    for level in range(40):
        path = tmp_path / "pictures" / ("a" if level % 2 else "b/c") / f"{level:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), level).save(path)
    return tmp_path / "pictures"


def read(folder, split="train_once", shape=(4, 4, 1), **options):
    """Every picture of a finite split, in 0..255."""
    batches = image_folder(split, 0, 100, 0, folder=str(folder), shape=shape, **options).as_numpy_iterator()
    return (np.concatenate(list(batches)) + 1) * 127.5


def levels(pictures):
    return sorted(pictures[:, 0, 0, 0].round().astype(int).tolist())


def one(tmp_path, image, name="x.png", shape=(2, 2, 3), **options):
    """What becomes of `image`, saved three times: once for each split. A byte behind the end makes them differ."""
    for copy in range(3):
        path = tmp_path / "one" / f"{copy}{name}"
        path.parent.mkdir(exist_ok=True)
        image.save(path, quality=100)
        path.write_bytes(path.read_bytes() + bytes([copy]))
    return read(tmp_path / "one", shape=shape, **options)[0]


def test_the_splits_are_every_picture_once_and_stay_when_one_is_added(folder):
    parts = {split: levels(read(folder, split)) for split in ("train_once", "validation", "test")}
    # 5 % of 40 are 2.
    assert [len(part) for part in parts.values()] == [36, 2, 2]
    assert sorted(sum(parts.values(), [])) == list(range(40))
    Image.new("L", (4, 4), 99).save(folder / "new.png")
    look_again()
    for split, part in parts.items():  # the hash of one name can push one picture over an edge
        assert len(set(levels(read(folder, split))) ^ set(part)) <= 2, split


def test_training_goes_on_at_any_step_and_every_epoch_has_every_picture(folder):
    def steps(start, count):
        dataset = image_folder("train", start, 12, 3, folder=str(folder), shape=(4, 4, 1))
        return list(dataset.take(count).as_numpy_iterator())

    six = steps(0, 6)  # 36 training pictures: two epochs
    assert levels((np.concatenate(six[:3]) + 1) * 127.5) == levels((np.concatenate(six[3:]) + 1) * 127.5)
    assert levels((np.concatenate(six[:3]) + 1) * 127.5) == levels(read(folder))
    assert not np.array_equal(np.concatenate(six[:3]), np.concatenate(six[3:]))
    np.testing.assert_array_equal(steps(4, 2), six[4:])


def test_in_memory_the_order_is_the_same_and_the_pixels_are_rounded(folder):
    # One of them is no whole number before it is rounded: 10.25.
    Image.fromarray(np.uint8([[10, 11], [10, 10]])).save(folder / "quarter.png")
    for split in ("train", "train_once", "validation", "test"):
        streamed, kept = (
            next(
                image_folder(
                    split, 0, 40 if split == "train" else 8, 3, folder=str(folder), shape=(1, 1, 1), **options
                ).as_numpy_iterator()
            )
            for options in ({}, {"in_memory": True})
        )
        np.testing.assert_allclose(kept, np.round((streamed + 1) * 127.5) / 127.5 - 1, atol=1e-6)


def test_flips_are_of_the_place_in_the_order_and_of_training_alone(tmp_path):
    image = Image.fromarray(np.uint8([[0, 255], [0, 255]]))
    one(tmp_path, image)
    options = {"folder": str(tmp_path / "one"), "shape": (2, 2, 1), "flip": True}
    seen = np.concatenate(list(image_folder("train", 0, 64, 3, **options).take(2).as_numpy_iterator()))[:, 0, 0, 0]
    assert set(seen) == {-1, 1}
    assert 40 < np.sum(seen > 0) < 88  # binomial, 64 +- 5.7 of 128
    again = next(image_folder("train", 1, 64, 3, **options).as_numpy_iterator())[:, 0, 0, 0]
    np.testing.assert_array_equal(again, seen[64:])
    assert not np.array_equal(seen[:64], seen[64:])
    np.testing.assert_array_equal(read(tmp_path / "one", shape=(2, 2, 1), flip=True)[0, ..., 0], [[0, 255], [0, 255]])


def test_the_central_square_is_resized(tmp_path):
    # 6 wide and 4 high: columns 1 to 4 are the square. Halved by the triangle filter of width 4 at the output's centers
    # 1 and 3 (in pixels 1..4, whose own centers are 0.5, 1.5, ...): weights 3/8, 3/8, 1/8 left of the edge, where the
    # fourth, 1/8, falls outside: (3, 3, 1) / 7.
    row = np.float64([0, 70, 140, 210, 28, 0])
    image = Image.fromarray(np.uint8(np.tile(row, (4, 1))))
    expected = [(3 * 70 + 3 * 140 + 210) / 7, (140 + 3 * 210 + 3 * 28) / 7]
    np.testing.assert_allclose(one(tmp_path, image, shape=(2, 2, 1))[0, :, 0], expected, atol=1e-3)
    # A crop of 2 takes columns 2 and 3 as they are.
    np.testing.assert_allclose(one(tmp_path, image, shape=(2, 2, 1), crop=2)[0, :, 0], [140, 210], atol=1e-3)


@pytest.mark.parametrize(
    ("image", "name", "expected", "tolerance"),
    [
        (Image.new("RGB", (2, 2), (10, 20, 30)), "x.png", (10, 20, 30), 1e-3),
        (Image.new("L", (2, 2), 77), "x.png", (77, 77, 77), 1e-3),
        # 16 bits: the upper eight are kept. 0x4D80 = 19840 becomes 0x4D = 77.
        (Image.fromarray(np.full((2, 2), 19840, np.uint16)), "x.png", (77, 77, 77), 1),
        # Alpha 51 / 255 = 1/5 over white: 255 - (255 - 5) / 5 = 205, 255 - 155 / 5 = 224, 255 - 55 / 5 = 244.
        (Image.new("RGBA", (2, 2), (5, 100, 200, 51)), "x.png", (205, 224, 244), 1e-3),
        (Image.new("LA", (2, 2), (5, 51)), "x.png", (205, 205, 205), 1e-3),
        (Image.new("RGB", (2, 2), (10, 20, 30)).quantize(4), "x.png", (10, 20, 30), 1e-3),
        (Image.new("1", (2, 2), 1), "x.png", (255, 255, 255), 1e-3),
        # JPEG rounds. CMYK inks are subtracted from white, black from what is left: 255 - 55 = 200 and so on.
        (Image.new("L", (16, 16), 77), "x.jpg", (77, 77, 77), 2),
        (Image.new("CMYK", (16, 16), (55, 155, 255, 0)), "x.JPEG", (200, 100, 0), 4),
    ],
    ids=["rgb", "gray", "16_bit", "rgba", "gray_alpha", "palette", "bilevel", "gray_jpeg", "cmyk"],
)
def test_every_kind_becomes_rgb(tmp_path, image, name, expected, tolerance):
    found = one(tmp_path, image, name)
    np.testing.assert_allclose(found, np.broadcast_to(expected, (2, 2, 3)), atol=tolerance)


def test_conversions_are_said_once(tmp_path, caplog):
    for mode, number in {"L": 1, "RGBA": 2, "RGB": 3}.items():
        for copy in range(number):
            Image.new(mode, (4, 4 + copy)).save(tmp_path / f"{mode}{copy}.png")
    with caplog.at_level(logging.WARNING):
        for split in ("train", "test"):
            image_folder(split, 0, 2, 0, folder=str(tmp_path), shape=(4, 4, 3))
    assert [r.getMessage() for r in caplog.records if "converted" in r.getMessage()] == [
        f"of 6 pictures in {tmp_path} these are converted: 2 RGBA, 1 gray (alpha over white)"
    ]


def test_gray_pictures_are_not_converted_to_gray(tmp_path, caplog):
    for number in range(6):
        Image.new("L" if number < 4 else "RGB", (4, 4 + number)).save(tmp_path / f"{number}.png")
    with caplog.at_level(logging.WARNING):
        image_folder("train", 0, 2, 0, folder=str(tmp_path), shape=(4, 4, 1))
    assert [r.getMessage() for r in caplog.records if "converted" in r.getMessage()] == [
        f"of 6 pictures in {tmp_path} these are converted: 2 RGB (alpha over white)"
    ]


# Where Exif's orientation puts the first row and the first column of the stored picture, as its specification says.
@pytest.mark.parametrize(
    ("orientation", "seen"),
    [
        (1, [[1, 2], [3, 4]]),  # row 0 at the top, column 0 at the left
        (2, [[2, 1], [4, 3]]),  # top, right
        (3, [[4, 3], [2, 1]]),  # bottom, right
        (4, [[3, 4], [1, 2]]),  # bottom, left
        (5, [[1, 3], [2, 4]]),  # left, top: row 0 stands at the left, column 0 at the top
        (6, [[3, 1], [4, 2]]),  # right, top
        (7, [[4, 2], [3, 1]]),  # right, bottom
        (8, [[2, 4], [1, 3]]),  # left, bottom
        (9, [[1, 2], [3, 4]]),  # there is no such orientation
    ],
)
def test_a_photo_is_turned_upright(tmp_path, orientation, seen):
    stored = Image.fromarray(np.uint8([[10, 20], [30, 40]]))
    tags = stored.getexif()
    tags[picture_files.ORIENTATION] = orientation
    for copy in range(3):
        stored.save(tmp_path / f"{copy}.png", exif=tags)
        (tmp_path / f"{copy}.png").write_bytes((tmp_path / f"{copy}.png").read_bytes() + bytes([copy]))
    for in_memory in (False, True):
        found = read(tmp_path, shape=(2, 2, 1), in_memory=in_memory)[0, ..., 0]
        np.testing.assert_allclose(found, 10 * np.array(seen), atol=1e-3)


def test_a_photo_of_a_phone_is_turned_before_it_is_cut(tmp_path):
    """Held upright, orientation 6: stored 6 wide and 4 high, seen 4 wide and 6 high, turned by 90 degrees clockwise."""
    pixels = np.arange(0, 240, 10, np.uint8).reshape(4, 6)
    tags = Image.Exif()
    tags[picture_files.ORIENTATION] = 6
    for copy in range(3):
        path = tmp_path / f"{copy}.png"
        Image.fromarray(pixels).save(path, exif=tags)
        path.write_bytes(path.read_bytes() + bytes([copy]))
    clockwise = np.rot90(pixels, -1)
    np.testing.assert_allclose(read(tmp_path, shape=(4, 4, 1))[0, ..., 0], clockwise[1:5], atol=1e-3)


def test_a_link_back_into_the_folder_adds_nothing(folder, caplog):
    before = {split: levels(read(folder, split)) for split in ("train_once", "validation", "test")}
    look_again()
    (folder / "a/up").symlink_to(folder, target_is_directory=True)
    (folder / "0_early").symlink_to(folder / "b", target_is_directory=True)  # comes before what it leads to
    with caplog.at_level(logging.WARNING):
        assert {split: levels(read(folder, split)) for split in before} == before
    assert "copies" not in caplog.text


def test_a_link_to_another_folder_is_followed(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for level in (200, 201):
        Image.new("L", (4, 4), level).save(elsewhere / f"{level}.png")
    (folder / "more").symlink_to(elsewhere, target_is_directory=True)
    assert sorted(picture_files.index(str(folder)))[-2:] == ["more/200.png", "more/201.png"]


def test_a_picture_that_is_there_twice_counts_once(folder, caplog):
    (folder / "z.png").write_bytes((folder / "a/01.png").read_bytes())
    (folder / "z_link.png").symlink_to(folder / "a/03.png")
    with caplog.at_level(logging.WARNING):
        parts = [levels(read(folder, split)) for split in ("train_once", "validation", "test")]
    assert sorted(sum(parts, [])) == list(range(40))
    (said,) = [r.getMessage() for r in caplog.records if "copies" in r.getMessage()]
    assert said == (
        f"2 of 42 pictures in {folder} are copies of others, such as z.png of a/01.png; each picture counts once"
    )


def test_what_is_no_file_is_left_out_and_does_not_hang(folder):
    os.mkfifo(folder / "pipe.png")
    (folder / "itself.png").symlink_to("itself.png")
    (folder / "nowhere.png").symlink_to("gone.png")
    (folder / "circle").symlink_to("circle")  # no picture by its name
    with open(os.path.join(os.fsencode(folder), b"\xff.png"), "wb") as file:
        file.write((folder / "a/01.png").read_bytes())
    found = picture_files.index(str(folder))
    faults = {name: picture.fault for name, picture in found.items() if picture.fault}
    assert faults == {
        "pipe.png": "is no regular file",
        "itself.png": "Too many levels of symbolic links",
        "nowhere.png": "No such file or directory",
        "\N{REPLACEMENT CHARACTER}.png": "its name is no UTF-8",
    }
    assert len(read(folder)) == 36
    with pytest.raises(ValueError, match="4 of 44 pictures in .* cannot be read, the first: itself.png"):
        read(folder, unreadable="error")


def test_a_directory_that_cannot_be_read_is_said(folder, caplog, monkeypatch):
    def scandir(path, original=os.scandir):
        if path == str(folder / "a"):  # for root, who may read everything
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    read(folder)
    assert "1 of 21 pictures in" in caplog.text and "the first: a (Permission denied)" in caplog.text


def png(width: int, height: int) -> bytes:
    """A black and white PNG of any size in few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj()
    rows = b"".join(packer.compress(bytes(width // 8 + 1)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_picture_of_too_many_pixels_is_not_decoded(folder, monkeypatch):
    (folder / "big.png").write_bytes(png(9_000, 9_000))
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("decoded"))
    found = picture_files._look(str(folder / "big.png"), "")
    assert found.fault == "9000 x 9000 pixels; at most 80,000,000 are read"
    (folder / "bigger.png").write_bytes(png(30_000, 30_000))
    assert "900000000 pixels" in picture_files._look(str(folder / "bigger.png"), "").fault  # Pillow's own limit


@pytest.mark.parametrize("content", [b"GIF89a" + bytes(100), b"BM" + bytes(100), b"II*\0" + bytes(100), b"%!PS\n"])
def test_other_formats_under_the_name_of_a_png_are_not_opened(folder, content):
    (folder / "other.png").write_bytes(content)
    assert "cannot identify image file" in picture_files.index(str(folder))["other.png"].fault


@pytest.mark.parametrize(
    ("change", "said"), [("delete", ".*/[ab].*png; No such file"), ("cut", "Invalid PNG data, size 50")]
)
def test_a_picture_that_is_gone_or_changed_in_the_midst_of_training_is_one_line(folder, change, said):
    batches = iter(image_folder("train", 0, 4, 0, folder=str(folder), shape=(4, 4, 1)))
    next(batches)
    for path in sorted(folder.glob("a/*.png")) + sorted(folder.glob("b/c/*.png")):
        if change == "delete":
            path.unlink()
        else:  # replaced at once: the pipeline reads ahead and would meet a file that is being written as an empty one
            short = path.with_suffix(".short")
            short.write_bytes(path.read_bytes()[:50])
            short.replace(path)
    with pytest.raises(tf.errors.OpError) as caught:
        for _ in range(200):
            next(batches)
    line = errors.of_the_user(caught.value)
    assert re.fullmatch(f"the data cannot be read any more: {said}.*", line)


@pytest.fixture
def damaged(folder):
    """The same with three files that are no pictures."""
    whole = (folder / "a/01.png").read_bytes()
    (folder / "a/01.png").write_bytes(whole[: len(whole) // 2])
    (folder / "a/03.png").write_bytes(b"")
    (folder / "a/05.png").write_bytes(b"no picture")
    return folder


def test_what_cannot_be_read_is_left_out_and_counted(damaged, caplog):
    pictures = [read(damaged, split) for split in ("train_once", "validation", "test")]
    assert sorted(sum(map(levels, pictures), [])) == [level for level in range(40) if level not in (1, 3, 5)]
    (message,) = {r.getMessage() for r in caplog.records if "cannot be read" in r.getMessage()}
    assert message.startswith(f"3 of 40 pictures in {damaged} cannot be read, the first: a/01.png (")
    with pytest.raises(ValueError, match=r"3 of 40 pictures in .* cannot be read, the first: a/01.png \("):
        read(damaged, unreadable="error")


def test_a_picture_is_looked_at_once(damaged, monkeypatch):
    looked = []
    original = picture_files._look
    monkeypatch.setattr(picture_files, "_look", lambda path, stamp: looked.append(path) or original(path, stamp))
    first = picture_files.index(str(damaged))
    assert len(looked) == 40
    Image.new("L", (4, 4), 1).save(damaged / "a/01.png")  # mended
    picture_files.index.cache_clear()
    again = picture_files.index(str(damaged))
    assert looked[40:] == [str(damaged / "a/01.png")]
    assert first["a/01.png"].fault and not again["a/01.png"].fault
    assert {n: p for n, p in first.items() if n != "a/01.png"} == {n: p for n, p in again.items() if n != "a/01.png"}


def test_what_the_system_refused_is_looked_at_again(folder, monkeypatch):
    def refusing(path, mode):
        if path == str(folder / "a/01.png"):  # for root, who may read everything
            raise PermissionError(13, "Permission denied", path)
        return open(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(picture_files, "open", refusing, raising=False)
        first = picture_files.index(str(folder))["a/01.png"]
    assert first.fault == f"[Errno 13] Permission denied: '{folder}/a/01.png'"
    picture_files.index.cache_clear()
    assert not picture_files.index(str(folder))["a/01.png"].fault


def test_a_lack_of_memory_is_no_fault_of_a_picture(folder, monkeypatch):
    def load(image):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", load)
    with pytest.raises(MemoryError):
        picture_files._look(str(folder / "a/01.png"), "stamp")


def test_a_cache_that_is_damaged_or_cannot_be_written_costs_only_time(folder, tmp_path, monkeypatch, caplog):
    picture_files.index(str(folder))
    (cache,) = (tmp_path / "cache/bms_tf").iterdir()  # and no temporary file beside it
    cache.write_text("[1")
    picture_files.index.cache_clear()
    assert len(picture_files.index(str(folder))) == 40
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    picture_files.index.cache_clear()
    assert len(picture_files.index(str(folder))) == 40
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 5}, r"40 of 40 pictures in .* are smaller than image_folder.crop = 5, the first: a/01.png \(4 x 4\)"),
        ({"crop": 0}, "image_folder.crop is 0"),
        ({"held_out": 0.5}, "image_folder.held_out is 0.5"),
        ({"held_out": 0.49}, "validation and test get 20 each, and training needs one"),
        ({"shape": (4, 6, 3)}, r"image_folder.shape is \(4, 6, 3\); it must be \(H, H, C\)"),
        ({"shape": (4, 4, 2)}, "C = 1 or 3"),
        ({"split": "valid"}, "split='valid'.*validation"),
    ],
)
def test_what_is_out_of_range_is_one_line(folder, options, message):
    with pytest.raises(ValueError, match=message):
        read(folder, **options)


def test_a_split_of_one_picture_names_the_parameter(folder, caplog):
    assert len(read(folder, "test", held_out=0.03)) == 1
    text = "image_folder.held_out = 0.03 of 40 pictures is one for validation and one for test"
    assert caplog.text.count(text) == 1
    assert len(read(folder, "test", held_out=0.05)) == 2 and caplog.text.count(text) == 1


def test_folders_without_pictures(tmp_path):
    with pytest.raises(ValueError, match="nowhere', which is no folder"):
        read(tmp_path / "nowhere")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "._hidden.png").touch()
    with pytest.raises(ValueError, match=r"sub-folders hold no picture \(.png, .jpg, .jpeg\)"):
        read(tmp_path)
    (tmp_path / "empty.png").touch()
    picture_files.index.cache_clear()
    with pytest.raises(ValueError, match="1 of 1 pictures in .* cannot be read, the first: empty.png"):
        read(tmp_path)
    for number in range(2):
        Image.new("L", (4, 4), number).save(tmp_path / f"{number}.png")
    picture_files.index.cache_clear()
    with pytest.raises(ValueError, match="has 2 picture"):
        read(tmp_path)
