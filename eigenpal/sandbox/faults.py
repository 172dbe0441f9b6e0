"""Faults on demand: which requests go wrong, how, and how often they did. Safe to use from any thread.

`Faults` decides, `play` lets it happen on one request. What a fault answers instead is built here and nowhere else.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias, get_args

from starlette.types import Message, Receive, Scope, Send

from eigenpal.sandbox.problems import Problem, code_of, envelope

Drop: TypeAlias = Literal["on_accept", "before_body", "after_body", "after_handling", "mid_response"]
Kind: TypeAlias = Literal["bad_json", "html", "empty", "trickle"]
Serve: TypeAlias = Callable[[Receive, Send], Awaitable[None]]

TRICKLE_PIECES = 10
TRICKLE_SECONDS = 0.05  # between two pieces, unless `delay` says otherwise

_HTML = "<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"


@dataclass(eq=False)
class Fault:
    """One planned fault.

    Attributes:
        fired: How often it has happened.
    """

    route: str
    method: str | None
    status: int | None
    times: int | None
    after: int
    retry_after: float | str | None
    headers: Mapping[str, str]
    body: Any
    delay: float | None
    drop: Drop | None
    kind: Kind | None
    fired: int = field(default=0, init=False)
    seen: int = field(default=0, init=False, repr=False)

    @property
    def spent(self) -> bool:
        """True once it has happened as often as it should."""
        return self.times is not None and self.fired >= self.times

    def takes(self, method: str, path: str) -> bool:
        """Tell whether this request is meant; counts it."""
        if self.spent or (self.method is not None and self.method != method):
            return False
        if path != self.route and not fnmatchcase(path, self.route):
            return False
        self.seen += 1
        if self.seen <= self.after:
            return False
        self.fired += 1
        return True


class Faults:
    """The faults of one sandbox. The first one added that fits a request happens to it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        route: str = "*",
        method: str | None = None,
        status: int | None = None,
        times: int | None = 1,
        *,
        after: int = 0,
        retry_after: float | str | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        delay: float | None = None,
        drop: Drop | None = None,
        kind: Kind | None = None,
    ) -> Fault:
        """Let the next requests that fit go wrong.

        Args:
            route: Path, or a pattern as in `fnmatch`, such as `/api/v1/runs/*`; any path unless given.
            method: HTTP method; any unless given.
            status: Answer with this status instead of serving, and with an error envelope unless `body` is given.
            times: How often; None for ever.
            after: How many fitting requests are served before.
            retry_after: Value of the Retry-After header: seconds, or an HTTP date.
            headers: More headers of that answer.
            body: Its body: bytes, text, or any JSON.
            delay: Seconds to wait first; alone, the request is then served as usual. For `trickle`, the seconds
                between two pieces.
            drop: Close the connection: `on_accept` before anything is read (any route), `before_body` after the request
                head, `after_body` with nothing done, `after_handling` with the request done but not answered,
                `mid_response` half-way through the answer's body.
            kind: `bad_json`, `html` or `empty` answer instead of serving; `trickle` serves and sends the body slowly.

        Returns:
            The fault; its `fired` says how often it has happened.

        Raises:
            ValueError: It would do nothing, or two things at once.
        """
        if drop is not None and drop not in get_args(Drop):
            raise ValueError(f"drop={drop!r} is not one of {', '.join(get_args(Drop))}.")
        if kind is not None and kind not in get_args(Kind):
            raise ValueError(f"kind={kind!r} is not one of {', '.join(get_args(Kind))}.")
        if status is None and body is None and delay is None and drop is None and kind is None:
            raise ValueError("A fault needs one of status, body, delay, drop or kind.")
        if drop is not None and (status is not None or body is not None or kind is not None):
            raise ValueError("A dropped connection has no answer: drop goes with delay only.")
        fault = Fault(
            route=route,
            method=None if method is None else method.upper(),
            status=status,
            times=times,
            after=after,
            retry_after=retry_after,
            headers=headers or {},
            body=body,
            delay=delay,
            drop=drop,
            kind=kind,
        )
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Plan no more faults."""
        with self._lock:
            self._faults.clear()

    def match(self, method: str, path: str) -> Fault | None:
        """Return the fault that happens to this request, None for none."""
        if not self._faults:
            return None
        with self._lock:
            return next((one for one in self._faults if one.drop != "on_accept" and one.takes(method, path)), None)

    def refuses_connection(self) -> bool:
        """Tell whether a connection that was just accepted is to be closed."""
        if not self._faults:
            return False
        with self._lock:
            planned = (one for one in self._faults if one.drop == "on_accept" and one.method is None)
            return any(one.takes("", one.route) for one in planned)


async def play(fault: Fault, scope: Scope, receive: Receive, send: Send, serve: Serve, request_id: str) -> None:
    """Let a fault happen to a request.

    Args:
        fault: What happens.
        scope: The request.
        receive: Where its body comes from.
        send: Where its answer goes.
        serve: Answers the request as usual.
        request_id: Correlation id, for the error envelope.
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
        await _answer(fault, send, request_id)


async def _answer(fault: Fault, send: Send, request_id: str) -> None:
    status = fault.status or 200
    body, content_type = _content(fault, status, request_id)
    headers = {"content-type": content_type, "content-length": str(len(body))} if body or status >= 200 else {}
    if status in (204, 304):
        body, headers = b"", {}
    if fault.retry_after is not None:
        after = fault.retry_after
        headers["retry-after"] = after if isinstance(after, str) else f"{after:g}"
    headers |= {name.lower(): value for name, value in fault.headers.items()}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _content(fault: Fault, status: int, request_id: str) -> tuple[bytes, str]:
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
    body = fault.body
    if body is None:
        problem = Problem(status, "This answer was planned with sandbox.faults.", code=code_of(status))
        body = envelope(problem, request_id)
    return json.dumps(body).encode(), "application/json"


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
