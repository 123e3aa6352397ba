"""What is said of a picture that cannot be read; damaged ones are in the tests of what reads them."""

import pytest
from PIL import Image

from bms_tf.core import picture_file


@pytest.mark.parametrize("error", [MemoryError, KeyError, AttributeError, KeyboardInterrupt])
def test_what_is_not_the_files_fault_is_not_laid_to_it(tmp_path, error):
    path = tmp_path / "a.png"
    Image.new("L", (4, 4)).save(path)
    with pytest.raises(error):
        with picture_file.opened(str(path)):
            raise error


def test_no_file(tmp_path):
    with pytest.raises(ValueError) as caught:
        with picture_file.opened(f"{tmp_path}/a.png"):
            pass
    assert str(caught.value).startswith(f"{tmp_path}/a.png cannot be read: [Errno 2] No such file or directory")
