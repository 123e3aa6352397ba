"""A search's folder, without its trials."""

import pytest

from bms_tf.core import processes
from bms_tf.tuning.search import PRELOAD, Setting
from tests import truncated


@pytest.mark.parametrize(
    ("content", "line"),
    [(truncated.TEXT.encode(), f":{truncated.LINE}: {truncated.FAULT}"), (b"\xff", " is damaged (")],
)
def test_a_damaged_search_is_named(tmp_path, content, line):
    (tmp_path / "search.gin").write_bytes(content)
    setting = Setting(str(tmp_path), ["gin/ring.gin", "gin/sweeps/lambda_t.gin"], (), ())
    with pytest.raises(ValueError) as caught:
        setting.enter(processes.Group(PRELOAD))
    assert str(caught.value).startswith(f"{tmp_path}/search.gin{line}")
