"""What every test runs under: TensorFlow on two logical CPU devices, gin empty, the network closed."""

import ctypes
import gc
import os
import socket
from pathlib import Path

import pytest
from hypothesis import settings

# The workers of a run are as many as the cores, and NumPy's threads wait for each other at full speed.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
# For a processor that it does not know, NumPy's OpenBLAS takes its slowest kernels, which need four times as long.
if "avx2" in (Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""):
    os.environ["OPENBLAS_CORETYPE"] = "Haswell"
# Else each process keeps the largest tensors that any of its tests had, in a pool of oneDNN's.
os.environ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] = "1"

from bms_tf.core import config, startup  # noqa: E402
from tests import small_data  # noqa: E402

LIBC = ctypes.CDLL(None)
if hasattr(LIBC, "mallopt"):  # glibc, which else keeps more and more of the freed tensors
    LIBC.mallopt(-3, 2_000_000)  # M_MMAP_THRESHOLD: a larger block is given back as soon as it is free
    LIBC.mallopt(-8, 2)  # M_ARENA_MAX: else each of TensorFlow's threads has a heap of its own, full of holes


def pytest_configure(config):
    """Imports TensorFlow, but not in the process that only hands tests to others."""
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        return
    tf = startup.import_tensorflow()
    gc.freeze()  # else every collection walks over all of TensorFlow, half a second each
    # Before any other use of TensorFlow, and for all tests: it cannot be changed later in the process.
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


# The same few examples in every run.
settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def empty_gin():
    """No test sees another one's bindings."""
    config.clear()
    yield
    config.clear()


@pytest.fixture(autouse=True)
def freed(request):
    """What a test has freed goes back to the system, and what a slow one has left in cycles, such as a whole run."""
    yield
    if request.node.get_closest_marker("slow"):
        gc.collect()
    if hasattr(LIBC, "malloc_trim"):
        LIBC.malloc_trim(0)


@pytest.fixture(autouse=True, scope="session")
def closed_network():
    """Connections to another machine fail at once, so that no test depends on one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _loopback_only(getattr(socket.socket, name)))
        yield


def pytest_terminal_summary(terminalreporter):
    """How many tests a real TensorFlow Serving answered: they are the same tests with the local server in its place.
    And how many would have needed a browser."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, ())]
    kinds = [kind for report in reports for name, kind in report.user_properties if name == "server"]
    real = kinds.count("TensorFlow Serving")
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", ())]
    no_browser = sum("Chromium" in reason or "playwright" in reason for reason in reasons)
    terminalreporter.write_line(
        f"tests against TensorFlow Serving: {real}; against the local server: {len(kinds) - real}; "
        f"skipped without a browser: {no_browser}"
    )


def _loopback_only(connect):
    def guarded(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("localhost", "127.0.0.1", "::1"):
            raise OSError(f"tests do not use the network; received {address}")
        return connect(self, address)

    return guarded


@pytest.fixture(scope="session")
def tfds_dir(tmp_path_factory):
    """A folder of TensorFlow Datasets with few random pictures."""
    folder = str(tmp_path_factory.mktemp("tfds"))
    small_data.prepare(folder)
    return folder


@pytest.fixture(scope="session")
def digits_cache(tmp_path_factory):
    """A user's cache, for $XDG_CACHE_HOME, in which the classifier of the digits is trained once for all tests."""
    base = tmp_path_factory.getbasetemp()
    return str((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "digits_cache")
