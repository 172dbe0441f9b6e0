"""Lets a planned fault happen to a request. What is answered instead is built here and nowhere else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from eigenpal.sandbox.faults import Fault
from eigenpal.sandbox.problems import Problem, code_of

Serve: TypeAlias = Callable[[Receive, Send], Awaitable[None]]
Refuse: TypeAlias = Callable[[Problem], Response]

TRICKLE_PIECES = 10
TRICKLE_SECONDS = 0.05  # between two pieces, unless `delay` says otherwise

_HTML = "<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"


async def play(fault: Fault, scope: Scope, receive: Receive, send: Send, serve: Serve, refuse: Refuse) -> None:
    """Let a fault happen to a request.

    Args:
        fault: What happens.
        scope: The request.
        receive: Where its body comes from.
        send: Where its answer goes.
        serve: Answers the request as usual.
        refuse: Words a problem as the API that was asked does.
    """
    transport: asyncio.Transport = scope["state"]["transport"]
    if fault.delay and fault.kind != "trickle":
        await asyncio.sleep(fault.delay)
    if fault.drop == "before_body":
        transport.abort()
        await _closed(receive)
    elif fault.drop == "after_body":
        await _drain(receive)
        transport.close()
        await _closed(receive)
    elif fault.drop == "after_handling":
        await serve(receive, _swallow)
        transport.close()
        await _closed(receive)
    elif fault.drop == "mid_response":
        await serve(receive, _Cutter(send, transport))
        await _closed(receive)
    elif fault.kind == "trickle":
        await serve(receive, _Trickler(send, TRICKLE_SECONDS if fault.delay is None else fault.delay))
    elif fault.status is None and fault.body is None and fault.kind is None:
        await serve(receive, send)
    else:
        await _drain(receive)
        await _answer(fault, send, refuse)


async def _answer(fault: Fault, send: Send, refuse: Refuse) -> None:
    status = fault.status or 200
    body, content_type = _content(fault, status, refuse)
    headers = {"content-type": content_type, "content-length": str(len(body))} if body or status >= 200 else {}
    if status in (204, 304):
        body, headers = b"", {}
    if fault.retry_after is not None:
        headers["retry-after"] = _retry_after(fault.retry_after)
    headers |= {name.lower(): value for name, value in fault.headers.items()}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _retry_after(after: float | str) -> str:
    if isinstance(after, float) and after.is_integer():
        return str(int(after))
    return str(after)


def _content(fault: Fault, status: int, refuse: Refuse) -> tuple[bytes, str]:
    if fault.kind == "bad_json":
        return b'{"id": "exec_1Bv7sJk4QwE9tYp2LzR6m", "type": "work', "application/json"
    if fault.kind == "html":
        return _HTML.encode(), "text/html; charset=utf-8"
    if fault.kind == "empty":
        return b"", "application/json"
    if isinstance(fault.body, bytes):
        return fault.body, "application/octet-stream"
    if isinstance(fault.body, str):
        return fault.body.encode(), "text/plain; charset=utf-8"
    if fault.body is None:
        problem = Problem(status, "This answer was planned with sandbox.faults.", code=code_of(status))
        return bytes(refuse(problem).body), "application/json"
    return json.dumps(fault.body).encode(), "application/json"


class _Cutter:
    """Passes on the head and half of the body, then closes the connection and swallows the rest."""

    def __init__(self, send: Send, transport: asyncio.Transport) -> None:
        self._send = send
        self._transport = transport
        self._left = 0
        self._cut = False

    async def __call__(self, message: Message) -> None:
        if self._cut:
            return
        if message["type"] == "http.response.start":
            lengths = [int(value) for name, value in message["headers"] if name.lower() == b"content-length"]
            self._left = sum(lengths) // 2
            await self._send(message)
            return
        piece = bytes(message.get("body", b""))[: self._left]
        self._left -= len(piece)
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        if self._left == 0:
            self._cut = True
            self._transport.close()


class _Trickler:
    """Passes a body on in small pieces with pauses between them."""

    def __init__(self, send: Send, seconds: float) -> None:
        self._send = send
        self._seconds = seconds

    async def __call__(self, message: Message) -> None:
        body = bytes(message.get("body", b""))
        if message["type"] != "http.response.body" or len(body) < 2:
            await self._send(message)
            return
        size = -(-len(body) // TRICKLE_PIECES)
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        for piece in pieces[:-1]:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(self._seconds)
        await self._send({**message, "body": pieces[-1]})


async def _swallow(message: Message) -> None:
    """Send nothing."""


async def _drain(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


async def _closed(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
