"""Pictures as data URIs: which frames, how wide, how many bytes."""

import base64
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bms_tf.reporting import pictures, runs


@pytest.fixture
def noise(tmp_path):
    """Files of noise, which no format makes small."""
    rng = np.random.default_rng(0)
    found = []
    for step in range(1, 31):
        path = tmp_path / f"samples_{step}.png"
        Image.fromarray(rng.integers(0, 256, (200, 400, 3), np.uint8)).save(path)
        found.append((step, str(path)))
    return found


def opened(uri) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_run_s_pictures_by_generator_updates(make_run):
    run = runs.read(str(make_run(pictures=["samples", "rows_of_2"])), "one")
    run.log[-1]["generator_updates"] *= 2  # two updates a step
    found = pictures.over_time(run)
    assert {name: [when for when, _ in files] for name, files in found.items()} == {
        "samples": [20, 40, 60, 80],
        "rows_of_2": [20, 40, 60, 80],
    }


def test_frames_are_spread_over_the_run(noise):
    frames = pictures.within(noise, 10**8)
    assert len(frames) == 24 and frames[0][0] == 1 and frames[-1][0] == 30
    assert opened(frames[0][1]).size == (400, 200)


def test_a_budget_is_kept_by_smaller_and_then_fewer_pictures(noise):
    full = len(pictures.data_uri(noise[-1][1], 720))
    for budget in (4 * full, full, full // 8):
        frames = pictures.within(noise, budget)
        assert 0 < sum(len(uri) for _, uri in frames) <= budget
        assert frames[-1][0] == 30, "the last picture is there"
    assert opened(frames[-1][1]).width == 120
    assert pictures.within(noise, 100) == [], "not one fits"


def test_a_truncated_picture_is_left_out_with_a_line(noise, capsys):
    with open(noise[1][1], "r+b") as file:
        file.truncate(200)
    frames = pictures.within(noise[:3], 10**8)
    assert [when for when, _ in frames] == [1, 3]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{noise[1][1]} cannot be read: ") and line.endswith("; it is left out")


def test_what_is_called_a_picture_and_is_none(noise, tmp_path, capsys):
    """A pipe was waited for without an end; a wrong bit in a part's length and a bomb ended in tracebacks."""
    files = [(0, str(tmp_path / name)) for name in ("pipe.png", "bit.png", "bomb.png", "folder.png")]
    os.mkfifo(files[0][1])
    content = bytearray(Path(noise[0][1]).read_bytes())
    content[content.index(b"IDAT") - 2] ^= 1  # of the length of a part of the picture
    Path(files[1][1]).write_bytes(content)
    header = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">II", zlib.crc32(header), 9) + b"IDAT"
    Path(files[2][1]).write_bytes(bomb)
    os.mkdir(files[3][1])
    assert [when for when, _ in pictures.within([*files, noise[0]], 10**8)] == [1]
    said = capsys.readouterr().out.splitlines()
    assert [line.split(" cannot be read: ")[0] for line in said] == [path for _, path in files]
    for line, word in zip(said, ("no regular file", "broken PNG file", "exceeds limit", "no regular file")):
        assert word in line
