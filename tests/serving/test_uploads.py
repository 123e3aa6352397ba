"""An uploaded picture is what it would be in a folder to train on."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from bms_tf.serving import uploads
from pipelines import image_folder, picture_files


def encoded(image: Image.Image, kind: str = "png", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


RANDOM = np.random.default_rng(0)
TURNED = Image.Exif()
TURNED[picture_files.ORIENTATION] = 6
PICTURES = {
    "rgb": encoded(Image.fromarray(RANDOM.integers(0, 256, (40, 61, 3), np.uint8))),
    "gray": encoded(Image.fromarray(RANDOM.integers(0, 256, (61, 40), np.uint8))),
    "16_bit": encoded(Image.fromarray(RANDOM.integers(0, 2**16, (40, 40)).astype(np.uint16))),
    "alpha": encoded(Image.fromarray(RANDOM.integers(0, 256, (40, 61, 4), np.uint8), "RGBA")),
    "gray_alpha": encoded(Image.fromarray(RANDOM.integers(0, 256, (40, 61, 2), np.uint8), "LA")),
    "palette": encoded(Image.fromarray(RANDOM.integers(0, 256, (40, 61, 3), np.uint8)).quantize(16)),
    "bilevel": encoded(Image.fromarray(RANDOM.integers(0, 2, (40, 61), np.uint8) * 255).convert("1")),
    "jpeg": encoded(Image.fromarray(np.uint8(np.indices((40, 61)).sum(0))), "jpeg"),
    "turned": encoded(Image.fromarray(RANDOM.integers(0, 256, (40, 61, 3), np.uint8)), "jpeg", exif=TURNED),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("shape", [(8, 8, 3), (16, 16, 1)], ids=str)
def test_it_is_read_as_for_training(name, shape, tmp_path, monkeypatch):
    """TensorFlow rounds once, at the end; Pillow also after the filter, and its gray has other last digits."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    for copy in range(3):
        (folder / f"{copy}.png").write_bytes(PICTURES[name] + bytes([copy]))
    batches = image_folder.image_folder("train_once", 0, 4, 0, folder=str(folder), shape=shape)
    expected = next(batches.as_numpy_iterator())[0]
    found = uploads.read(PICTURES[name], shape)
    assert found.shape == shape and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2.5 / 127.5)


def png_of_size(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no PNG or JPEG that can be read"),
        (b"no picture", "no PNG or JPEG"),
        (PICTURES["rgb"][:200], "no PNG or JPEG"),
        (encoded(Image.new("RGB", (4, 4)), "gif"), "no PNG or JPEG"),
        (encoded(Image.new("RGB", (4, 4)), "bmp"), "no PNG or JPEG"),
        (png_of_size(9_000, 9_000), "it has 9000 x 9000 pixels; at most 80,000,000 are read"),
        (png_of_size(30_000, 30_000), "no PNG or JPEG"),  # at Pillow's own limit
    ],
)
def test_what_is_no_picture_is_one_line(data, message):
    with pytest.raises(ValueError, match=message):
        uploads.read(data, (8, 8, 3))


def test_the_limit_is_that_of_folders():
    assert uploads.MAX_PIXELS == picture_files.MAX_PIXELS
