"""The ASGI application: request ids, recording, faults, size limits, and which API a request is for.

One thin layer: what a request costs here, every poll pays. What an API does is not known here.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from eigenpal.sandbox.api import Api
from eigenpal.sandbox.faults import Faults
from eigenpal.sandbox.multipart import too_large
from eigenpal.sandbox.playing import play
from eigenpal.sandbox.problems import Problem
from eigenpal.sandbox.recording import RecordedRequest, Recorder

logger: logging.Logger = logging.getLogger("eigenpal.sandbox")


class Application:
    """The server as an ASGI application.

    Args:
        main: The API that answers unless a prefix says otherwise.
        apis: The others, by the first segment of their paths.
        own: What the sandbox says about itself, likewise. Neither recorded nor hit by faults: looking at a sandbox must
            not change what a test sees.
        now: Returns the present moment in milliseconds since 1970.
        stopping: Whether the server is about to end.
        faults: Planned faults.
        recorder: Keeps the requests.
        max_body_bytes: Larger request bodies are refused with 413.
    """

    def __init__(
        self,
        *,
        main: Api,
        apis: Mapping[str, Api],
        own: Mapping[str, Api],
        now: Callable[[], int],
        stopping: Callable[[], bool],
        faults: Faults,
        recorder: Recorder,
        max_body_bytes: int,
    ) -> None:
        self._main = main
        self._apis = apis
        self._own = own
        self._now = now
        self._stopping = stopping
        self._faults = faults
        self._recorder = recorder
        self._max_body_bytes = max_body_bytes
        self._request_prefix = f"req_{secrets.token_hex(6)}"
        self._request_numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = f"{self._request_prefix}{next(self._request_numbers):06x}"
        place = scope["path"].lstrip("/").partition("/")[0]
        own = self._own.get(place)
        try:
            if own is None:
                await self._observe(self._apis.get(place, self._main), scope, receive, send, request_id)
            else:
                await self._serve(own, scope, receive, partial(_send_marked, send, request_id), request_id)
        except ClientDisconnect:
            logger.debug("%s %s: the client went away", scope["method"], scope["path"])
        except asyncio.CancelledError:
            if not self._stopping():
                raise

    async def _observe(self, api: Api, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        record = RecordedRequest(scope, request_id, self._now())
        limit, body_size = self._max_body_bytes, 0

        async def receive_counted() -> Message:
            nonlocal body_size
            message = await receive()
            if message["type"] == "http.request":
                piece = message.get("body", b"")
                body_size += len(piece)
                if body_size > limit:
                    raise too_large(limit)
                record.take(piece)
            return message

        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Before it is sent: a test may look at the record as soon as it has the answer.
                record.answered(message["status"])
                self._recorder.add(record)
            await _send_marked(send, request_id, message)

        async def serve(inner_receive: Receive, inner_send: Send) -> None:
            await self._serve(api, scope, inner_receive, inner_send, request_id)

        fault = self._faults.match(record.method, record.path)
        if fault is None:
            await serve(receive_counted, send_recorded)
            return
        if fault.drop in ("before_body", "after_body", "after_handling"):
            self._recorder.add(record)
        # A body that is not to be read isn't recorded either, although a part of it may have arrived.
        body = receive if fault.drop == "before_body" else receive_counted
        await play(fault, scope, body, send_recorded, serve, lambda problem: api.refuse(problem, request_id))

    async def _serve(self, api: Api, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        request: Request[Any] = Request(scope, receive)
        try:
            self._check_length(request)
            response = await api.answer(request)
        except Problem as problem:
            response = _refusal(api, problem, request_id)
        except ClientDisconnect:
            raise
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            response = _refusal(api, Problem(500, "The sandbox failed; its log has the traceback."), request_id)
        await response(scope, receive, send)

    def _check_length(self, request: Request[Any]) -> None:
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_body_bytes:
            raise too_large(self._max_body_bytes)


async def _send_marked(send: Send, request_id: str, message: Message) -> None:
    if message["type"] == "http.response.start":
        message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
    await send(message)


def _refusal(api: Api, problem: Problem, request_id: str) -> Response:
    response = api.refuse(problem, request_id)
    response.headers.update(problem.headers)
    return response
