"""The limits of connections and the checks of who asks, around an application that only echoes."""

import asyncio
import contextlib
import json
import socket
import threading
import time

import pytest
import requests

uvicorn = pytest.importorskip("uvicorn")

from starlette.applications import Starlette  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import PlainTextResponse, Response  # noqa: E402
from starlette.routing import Route  # noqa: E402

from bms_tf.serving import guard  # noqa: E402


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def large(request: Request) -> Response:
    return PlainTextResponse("x" * 50_000_000)


async def slow(request: Request) -> Response:
    while not released.is_set():
        await asyncio.sleep(0.01)
    return PlainTextResponse("done")


released = threading.Event()


@pytest.fixture
def port(monkeypatch):
    """Of a server with little patience: a second for anything, and eight connections."""
    monkeypatch.setattr(guard, "PATIENCE", 1.0)
    monkeypatch.setattr(guard, "BODY_PATIENCE", 1.0)
    monkeypatch.setattr(guard, "MAX_CONNECTIONS", 8)
    routes = [Route("/", echo, methods=["POST"]), Route("/large", large), Route("/slow", slow)]
    app = guard.Guard(Starlette(routes=routes), ["models.example"])
    server = uvicorn.Server(uvicorn.Config(app, http=guard.Protocol, log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            number = listening.getsockname()[1]
            for _ in range(600):
                with contextlib.suppress(requests.ConnectionError):
                    requests.post(f"http://127.0.0.1:{number}", timeout=60)
                    break
                time.sleep(0.05)
            yield number
        finally:
            released.set()
            server.should_exit = True
            thread.join(60)


def connect(port: int, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(sent)
    return connection


def is_closed_in_time(connection: socket.socket) -> bool:
    """Whether the other side ends it; on a slow machine that may take long, as nothing else is waited for."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_a_connection_without_a_whole_request_is_closed(port, sent):
    with connect(port, sent) as connection:
        assert is_closed_in_time(connection)


def test_headers_that_trickle_in_are_not_waited_for(port):
    with connect(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ") as connection:
        with contextlib.suppress(ConnectionError):  # it may be closed while something is sent
            for _ in range(600):
                connection.sendall(b"x")
                time.sleep(0.1)
            pytest.fail("a minute of headers")


def test_a_body_that_does_not_come_is_answered_and_closed(port):
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    with connect(port, head + b"half") as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"error": "the request ended before its body did"}


def test_an_answer_that_nobody_takes_is_given_up(port):
    with connect(port, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n") as connection:
        time.sleep(5)
        received = 0
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(2**20):
                received += len(data)
    assert received < 50_000_000


def test_work_that_takes_longer_is_waited_for(port):
    released.clear()
    with connect(port, b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") as connection:
        time.sleep(3)
        released.set()
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"done")


def test_idle_connections_lock_nobody_out(port, monkeypatch):
    monkeypatch.setattr(guard, "PATIENCE", 600.0)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(port)) for _ in range(30)]
        answer = requests.post(f"http://127.0.0.1:{port}", data=b"me too", timeout=60)
        assert answer.content == b"me too"
        assert is_closed_in_time(idle[0])  # the one that waited the longest
        idle[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            idle[-1].recv(1)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "LOCALHOST:1"}, 200),
        ({"Host": socket.gethostname()}, 200),
        ({"Host": "models.example:8501"}, 200),
        ({"Host": "192.168.3.4"}, 200),
        ({"Host": "[::1]:8501"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": "a" * 5000}, 403),
        ({"Origin": "https://models.example"}, 200),
        ({"Origin": "http://localhost:9"}, 200),
        ({"Host": "192.168.3.4:5", "Origin": "http://192.168.3.4:5"}, 200),
        ({"Host": "192.168.3.4:5", "Origin": "http://192.168.3.4:6"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[::1"}, 403),
    ],
)
def test_who_may_ask(port, headers, status):
    answer = requests.post(f"http://127.0.0.1:{port}", data=b"x", headers=headers, timeout=60)
    assert answer.status_code == status and len(answer.content) < 1000
    assert status == 200 or list(answer.json()) == ["error"]


def test_a_websocket_of_another_site_is_refused(port):
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
    for origin in (b"http://evil.example", b"null"):
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + upgrade + key + b"Origin: " + origin + b"\r\n\r\n"
        with connect(port, request) as connection:
            assert connection.recv(65536).startswith(b"HTTP/1.1 403 ")


def test_many_requests_on_one_connection(port):
    with requests.Session() as session:
        for number in range(20):
            answer = session.post(f"http://127.0.0.1:{port}", data=b"%d" % number, timeout=60)
            assert answer.content == b"%d" % number
