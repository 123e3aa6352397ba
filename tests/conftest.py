"""What every test runs under: TensorFlow on two logical CPU devices, gin empty, the network closed."""

import socket

import pytest

from bms_tf.core import config, startup

tf = startup.import_tensorflow()
# Before any other use of TensorFlow, and for all tests: it cannot be changed later in the process.
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(autouse=True)
def empty_gin():
    """No test sees another one's bindings."""
    config.clear()
    yield
    config.clear()


@pytest.fixture(autouse=True, scope="session")
def closed_network():
    """Connections to another machine fail at once, so that no test depends on one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _loopback_only(getattr(socket.socket, name)))
        yield


def _loopback_only(connect):
    def guarded(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("localhost", "127.0.0.1", "::1"):
            raise OSError(f"tests do not use the network; received {address}")
        return connect(self, address)

    return guarded
