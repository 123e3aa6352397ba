"""The server under test: TensorFlow Serving where there is one, else the local server, on the committed models."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import tensorflow as tf

from bms_tf.client import Grpc, Rest
from tests.commands import TIME_LIMIT, Command, free_ports

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "savedmodels"


class Server(NamedTuple):
    kind: str  # "TensorFlow Serving" or "local"
    address: str  # host:port of gRPC
    url: str  # http://host:port of REST
    process: psutil.Process | None = None
    command: Command | None = None  # of the local one

    def grpc(self) -> Grpc:
        """A transport with patience, for slow machines; rest() likewise."""
        return Grpc(self.address, deadline=300.0)

    def rest(self) -> Rest:
        return Rest(self.url, deadline=300.0)


@contextmanager
def local_server(model_dir: Path = MODELS, *flags: str, errors: Path | None = None) -> Iterator[Server]:
    """The local server in a process of its own, ready. `errors`: what its stderr is appended to."""
    flags = (f"--model_dir={model_dir}", "--port=0", "--rest_port=0", *flags)
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder, "said")
        command = Command("bms_tf.serve", flags, said, errors=errors or Path(folder, "errors"), cwd=ROOT)
        try:
            end = time.monotonic() + TIME_LIMIT
            while not (ready := re.search(r"^gRPC at (\S+), REST and a page at (\S+)\n", command.said(), re.MULTILINE)):
                assert command.runs() and time.monotonic() < end, command.said()
                time.sleep(0.02)
            address, url = (text.replace("0.0.0.0", "127.0.0.1") for text in ready.groups())
            yield Server("local", address, url, psutil.Process(command.pid), command)
        finally:
            command.signal(signal.SIGKILL)
            command.wait()


@contextmanager
def _tensorflow_model_server() -> Iterator[Server]:
    """The real one, on the committed models."""
    grpc_port, rest_port = free_ports(2)
    entries = "".join(
        f'config {{ name: "{path.name}" base_path: "{path}" model_platform: "tensorflow" }}\n'
        for path in MODELS.iterdir()
        if path.is_dir()
    )
    command = ["tensorflow_model_server", f"--port={grpc_port}", f"--rest_api_port={rest_port}"]
    listing = Path(os.environ.get("TMPDIR", "/tmp")) / f"models-{grpc_port}.config"
    listing.write_text(f"model_config_list {{ {entries} }}")
    process = subprocess.Popen([*command, f"--model_config_file={listing}"])
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", rest_port)) == 0:
                    break
            time.sleep(0.5)
        url, found = f"http://127.0.0.1:{rest_port}", psutil.Process(process.pid)
        yield Server("TensorFlow Serving", f"127.0.0.1:{grpc_port}", url, found)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def _server() -> Iterator[Server]:
    pytest.importorskip("tensorflow_serving")
    if address := os.environ.get("TF_SERVING_ADDRESS"):  # host:port of gRPC; REST is on its usual port
        yield Server("TensorFlow Serving", address, f"http://{address.split(':')[0]}:8501")
    else:
        with _tensorflow_model_server() if shutil.which("tensorflow_model_server") else local_server() as server:
            yield server


@pytest.fixture(scope="session")
def local():
    """`with local(model_dir, *flags) as server`."""
    pytest.importorskip("tensorflow_serving")
    return local_server


@pytest.fixture
def server(_server, record_property) -> Server:
    """Counted at the end of the report, by kind."""
    record_property("server", _server.kind)
    return _server


@pytest.fixture(scope="session")
def ring():
    """The committed model of the ring, as TensorFlow loads it."""
    return tf.saved_model.load(str(MODELS / "ring/1"))


@pytest.fixture(scope="session")
def digits():
    """The committed model of the digits."""
    return tf.saved_model.load(str(MODELS / "digits/1"))
