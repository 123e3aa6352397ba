"""What conftest.py promises to every other test."""

import socket

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
