"""The server under test: TensorFlow Serving where there is one, else the local server, on the committed models."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import tensorflow as tf

from bms_tf.client import Grpc, Rest
from tests.commands import free_ports

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "savedmodels"


class Server(NamedTuple):
    kind: str  # "TensorFlow Serving" or "local"
    address: str  # host:port of gRPC
    url: str  # http://host:port of REST
    process: subprocess.Popen | None = None
    said: str = ""  # at its start

    def grpc(self) -> Grpc:
        """A transport with patience, for slow machines; rest() likewise."""
        return Grpc(self.address, deadline=300.0)

    def rest(self) -> Rest:
        return Rest(self.url, deadline=300.0)


@contextmanager
def local_server(model_dir: Path = MODELS, *flags: str, stderr=None) -> Iterator[Server]:
    """The local server in a process of its own, ready."""
    command = [sys.executable, "-m", "bms_tf.serve", f"--model_dir={model_dir}", "--port=0", "--rest_port=0", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=ROOT)
    said = ""
    try:
        for line in process.stdout:
            said += line
            if ready := re.match(r"gRPC at (\S+), REST and a page at (\S+)", line):
                address, url = (text.replace("0.0.0.0", "127.0.0.1") for text in ready.groups())
                yield Server("local", address, url, process, said)
                return
        raise AssertionError(f"the server ended with {process.wait()}")
    finally:
        process.kill()
        process.wait()


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
        yield Server("TensorFlow Serving", f"127.0.0.1:{grpc_port}", f"http://127.0.0.1:{rest_port}", process)
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
