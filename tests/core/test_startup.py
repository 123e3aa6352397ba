"""The start is quiet, and what is not known noise is shown."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from bms_tf.core import startup

ROOT = Path(__file__).parents[2]
NOISE = [
    "2026-01-01: E external/local_xla/cuda_dnn.cc:9261] Unable to register cuDNN factory: Attempting to",
    "2026-01-01: W tensorflow/compiler/tf2tensorrt/utils/py_utils.cc:38] TF-TRT Warning: Could not find TensorRT",
    "I0000 00:00:1.1 1 port.cc:153] oneDNN custom operations are on.",
    "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow",
    "E0000 00:00:1.1 1 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: UNKNOWN ERROR (303)",
]
REAL = [
    "2026-01-01: W tensorflow/core/gpu_device.cc:1] Cannot dlopen some GPU libraries.",
    "E0000 00:00:1.1 1 cuda_platform.cc:52] failed call to cuInit: CUDA_ERROR_UNKNOWN: unknown error (999)",
    "UserWarning: something of our own",
]


def test_known_noise_is_hidden_and_every_other_line_passes(capfd):
    with startup.quiet():
        for line in [*NOISE, *REAL]:
            os.write(2, line.encode() + b"\n")
    os.write(2, NOISE[0].encode() + b"\n")  # afterwards nothing is filtered
    assert capfd.readouterr().err.splitlines() == [*REAL, NOISE[0]]


@pytest.mark.parametrize("visible, shown", [("-1", False), ("", False), ("0", True), (None, True)])
def test_that_there_is_no_gpu_is_no_news_to_who_hid_them(monkeypatch, capfd, visible, shown):
    """TensorFlow 2.21's line on a machine with a GPU, under CUDA_VISIBLE_DEVICES=-1."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    line = "E0000 00:00:1.1 836 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA_ERROR_NO_DEVICE: no device"
    with startup.quiet():
        os.write(2, line.encode() + b"\n")
    assert capfd.readouterr().err.splitlines() == [line] * shown


def test_what_was_said_before_a_crash_is_shown():
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from bms_tf.core import startup
with startup.quiet():
    os.write(2, b"the reason of the crash\\n")
    os.abort()
"""
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as process:
        assert "the reason of the crash" in process.stderr.read()
    assert process.returncode < 0


def test_importing_tensorflow_prints_nothing_and_leaves_warnings_on():
    code = f"""
import sys, warnings
sys.path.insert(0, {str(ROOT)!r})
from bms_tf.core import startup
tf = startup.import_tensorflow()
try:
    import tensorflow_addons
except ImportError:
    pass
tf.constant(1) + 1
warnings.warn("a real one")
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "PYTHONWARNINGS")}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert ended.returncode == 0
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("  ")]  # newer Pythons quote the code
    assert lines == ["<string>:11: UserWarning: a real one"]


def test_a_program_that_imports_the_library_sees_nothing_of_tensorflow_and_keeps_its_settings():
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
before = dict(os.environ)
import bms_tf
bms_tf.load
assert "tensorflow" in sys.modules and os.environ == before
"""
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_information_is_hidden_unless_the_user_has_set_a_level(monkeypatch, capfd):
    line = "2026-01-01 09:05:16.215681: I external/cudart_stub.cc:31] Could not find cuda drivers"
    for level, said in ((None, []), ("0", [line])):
        monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
        if level:
            monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
        with startup.quiet():
            os.write(2, line.encode() + b"\n")
        assert capfd.readouterr().err.splitlines() == said


def test_a_users_log_level_is_kept(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with warnings.catch_warnings():
        startup.import_tensorflow()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
