"""Protection of visitors from each other: who may ask, and how long a connection may make the server wait."""

import asyncio
import contextlib
import ipaddress
import itertools
import json
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

PATIENCE = 15.0  # seconds until a whole request is there, or a piece of the answer is taken
PIECE = 2**16  # bytes
BODY_PATIENCE = 30.0  # seconds for all of a request's body
MAX_CONNECTIONS = 512  # half of the files that Linux lets a process open


class Protocol(AutoHTTPProtocol):
    """HTTP that closes idle connections and, past `MAX_CONNECTIONS`, the connection that has waited longest."""

    # What both of uvicorn's protocols have.
    loop: asyncio.AbstractEventLoop
    connections: set[Any]
    transport: asyncio.Transport
    cycle: Any

    _numbers = itertools.count()

    def connection_made(self, transport: asyncio.Transport):
        super().connection_made(transport)
        self._number = next(self._numbers)  # uvloop's time stands still within a round
        self._moved, self._unsent = self.loop.time(), 0
        there = [other for other in self.connections if not other.transport.is_closing()]
        if len(there) > MAX_CONNECTIONS:
            waiting = [other for other in there if isinstance(other, Protocol) and not other._is_busy()]
            min(waiting, key=lambda other: (other._moved, other._number)).transport.abort()
        self._watch()

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch(self):
        """Looks once a second, while this connection speaks HTTP. A websocket has pings of its own."""
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        unsent = self.transport.get_write_buffer_size()
        at_work = self._is_busy() and not unsent
        if at_work or unsent > self._unsent or unsent <= self._unsent - PIECE:
            self._moved, self._unsent = self.loop.time(), unsent
        if self.loop.time() - self._moved > PATIENCE:
            self.transport.abort()
        else:
            self.loop.call_later(1.0, self._watch)


class Guard:
    """Stands around an application, and refuses requests that a page of another site has a visitor's browser send.

    Such a page can send to any address and, if its name is made to mean this machine, also read the answers.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]):
        """`hosts`: the names for this server, beside localhost, this machine's name and any address."""
        self.app, self.hosts = app, {"localhost", socket.gethostname().lower(), *map(str.lower, hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        headers = {name: value.decode("latin-1").lower() for name, value in scope["headers"]}
        host, origin = headers.get(b"host"), headers.get(b"origin")
        if host is not None and not self._is_ours(f"//{host}"):
            return await _refuse(scope, send, 403, f"this server is not {host}; --allow_host names others")
        if origin is not None and origin.partition("://")[2] != host and not self._is_named(origin):
            return await _refuse(scope, send, 403, f"requests from pages of {origin} are not answered")
        if scope["type"] == "http":
            receive, send = _in_time(scope, receive, send)
        with contextlib.suppress(ClientDisconnect):  # nobody is left to hear of it
            await self.app(scope, receive, send)

    def _is_ours(self, url: str) -> bool:
        try:
            return self._is_named(url) or bool(ipaddress.ip_address(urlsplit(url).hostname or ""))
        except ValueError:
            return False

    def _is_named(self, url: str) -> bool:
        try:
            return urlsplit(url).hostname in self.hosts
        except ValueError:  # no closing bracket
            return False


def _in_time(scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """`receive` and `send` for which a visitor who takes too long to send a body is gone. The answer then says so."""
    ends = asyncio.get_running_loop().time() + BODY_PATIENCE
    whole = late = False

    async def receive_in_time() -> Message:
        nonlocal whole, late
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(ends):
                message = await receive()
        except TimeoutError:
            late = True
            return {"type": "http.disconnect"}
        whole = not message.get("more_body", False)
        return message

    async def send_in_time(message: Message):
        if not late:
            await send(message)
        elif message["type"] == "http.response.start":
            await _refuse(scope, send, 408, "the request ended before its body did")

    return receive_in_time, send_in_time


async def _refuse(scope: Scope, send: Send, status: int, message: str):
    if scope["type"] == "websocket":
        return await send({"type": "websocket.close", "code": 1008})
    body = json.dumps({"error": message[:500]}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
