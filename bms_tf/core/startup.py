"""TensorFlow's start-up noise, kept off a command's screen without hiding a real warning.

A program that imports us as a library keeps its own log settings: for it, the import alone is quiet.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType

# Lines that TensorFlow 2.15 or 2.21 prints on every start, whatever the user does; extended regular expressions.
_NOISE = (
    "Unable to register cu[A-Z]+ factory",  # harmless double registration in the 2.15 wheel
    "TF-TRT Warning: Could not find TensorRT",
    "All log messages before absl::InitializeLog",
    "^I0000 ",  # INFO of 2.21, which before that call ignores TF_CPP_MIN_LOG_LEVEL
    "^To enable the following instructions: ",  # second line of the note on CPU features
    r"failed call to cuInit: .*UNKNOWN ERROR \(303\)",  # no driver at all; other numbers are real faults of a GPU
)
_NO_GPU = "failed call to cuInit: .*CUDA_ERROR_NO_DEVICE"  # hidden as well where the user has hidden all GPUs
_INFO = "^[-0-9]+ [0-9:.]+: I "  # hidden as well where the user has not said from which level on lines are wanted


def import_tensorflow() -> ModuleType:
    """Imports TensorFlow and looks for devices, both without the usual noise; returns the module."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # hides INFO, keeps warnings and errors
    warnings.filterwarnings("ignore", message=r"\s*TensorFlow Addons \(TFA\) has ended development")
    with quiet():
        import tensorflow as tf

        tf.config.list_physical_devices()
    # This pass of the graph optimizer fails on the gradient of a leaky ReLU behind a convolution, goes on without any
    # harm, and prints an error line into the progress bar. It makes no difference in speed.
    tf.config.optimizer.set_experimental_options({"remapping": False})
    return tf


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Inside, every line that reaches file descriptor 2 is shown, except the known noise.

    TensorFlow writes from C++, so `sys.stderr` is not enough. The filter is a process of its own: what the library says
    before a crash is still shown. Without a `grep` nothing is filtered.
    """
    noise = [*_NOISE]
    if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
        noise.append(_INFO)
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        noise.append(_NO_GPU)
    if not shutil.which("grep"):
        yield
        return
    sys.stderr.flush()
    screen = os.dup(2)
    command = ["grep", "--line-buffered", "--text", "--extended-regexp", "--invert-match", "|".join(noise)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=screen, stderr=screen) as grep:
        os.dup2(grep.stdin.fileno(), 2)  # pyright: ignore[reportOptionalMemberAccess], a pipe
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            os.close(screen)
