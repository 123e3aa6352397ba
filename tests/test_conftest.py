"""What conftest.py promises to every other test."""

import socket
from pathlib import Path
from types import SimpleNamespace

import gin
import pytest
import tensorflow as tf


def test_there_are_two_logical_devices():
    assert len(tf.config.list_logical_devices("CPU")) == 2


def test_the_network_is_closed_and_loopback_is_open():
    with pytest.raises(OSError, match="tests do not use the network"):
        socket.create_connection(("192.0.2.1", 80), timeout=0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


@pytest.mark.parametrize("_", range(2))
def test_gin_is_empty_at_the_start_of_each_test(_):
    assert gin.config_str() == ""
    gin.bind_parameter("gin.singleton.constructor", 1)


def test_what_was_left_out_is_counted(pytestconfig):
    def report(**has):
        return SimpleNamespace(**{"user_properties": [], "longrepr": None} | has)

    no_browser = ["Skipped: no Chromium on the PATH", "Skipped: could not import 'playwright.sync_api'"]
    skipped = [report(longrepr=("test_page.py", 1, reason)) for reason in [*no_browser, "Skipped: no tmpfs"]]
    answered = [report(user_properties=[("server", kind)]) for kind in ("local", "TensorFlow Serving", "local")]
    lines = []
    reporter = SimpleNamespace(stats={"passed": [*answered, report()], "skipped": skipped}, write_line=lines.append)
    conftest = pytestconfig.pluginmanager.get_plugin(str(Path(__file__).with_name("conftest.py")))
    conftest.pytest_terminal_summary(reporter)
    line = "tests against TensorFlow Serving: 1; against the local server: 2; skipped without a browser: 2"
    assert lines == [line]
