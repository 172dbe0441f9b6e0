"""The ASGI application: request ids, recording, faults, size limits, and which API a request is for.

One thin layer: what a request costs here, every poll pays. What an API does is not known here.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from eigenpal.sandbox.api import Api
from eigenpal.sandbox.faults import Faults, play
from eigenpal.sandbox.multipart import too_large
from eigenpal.sandbox.problems import Problem
from eigenpal.sandbox.recording import RecordedRequest, Recorder

logger: logging.Logger = logging.getLogger("eigenpal.sandbox")


class Application:
    """The server as an ASGI application.

    Args:
        main: The API that answers unless a prefix says otherwise.
        apis: The others, by the first segment of their paths.
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
        stopping: Callable[[], bool],
        faults: Faults,
        recorder: Recorder,
        max_body_bytes: int,
    ) -> None:
        self._main = main
        self._apis = apis
        self._stopping = stopping
        self._faults = faults
        self._recorder = recorder
        self._max_body_bytes = max_body_bytes
        self._request_prefix = f"req_{secrets.token_hex(6)}"
        self._request_numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = f"{self._request_prefix}{next(self._request_numbers):06x}"
        record = RecordedRequest(scope, request_id)
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
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
                # Before it is sent: a test may look at the record as soon as it has the answer.
                record.status = message["status"]
                self._recorder.add(record)
            await send(message)

        async def serve(inner_receive: Receive, inner_send: Send) -> None:
            await self._serve(scope, inner_receive, inner_send, request_id)

        try:
            fault = self._faults.match(record.method, record.path)
            if fault is None:
                await serve(receive_counted, send_recorded)
            else:
                if fault.drop in ("before_body", "after_body", "after_handling"):
                    self._recorder.add(record)
                # A body that is not to be read isn't recorded either, although a part of it may have arrived.
                body = receive if fault.drop == "before_body" else receive_counted
                await play(fault, scope, body, send_recorded, serve, request_id)
        except ClientDisconnect:
            logger.debug("%r: the client went away", record)
        except asyncio.CancelledError:
            if not self._stopping():
                raise

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        request: Request[Any] = Request(scope, receive)
        api = self._apis.get(scope["path"].lstrip("/").partition("/")[0], self._main)
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


def _refusal(api: Api, problem: Problem, request_id: str) -> Response:
    response = api.refuse(problem, request_id)
    response.headers.update(problem.headers)
    return response
