"""The ASGI application: request ids, recording, faults, keys, size limits, dispatch, and errors as envelopes.

One thin layer: what a request costs here, every poll pays. What an operation does is not known here.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from eigenpal.sandbox.call import Call, Services, Tenant, json_answer
from eigenpal.sandbox.faults import Faults, play
from eigenpal.sandbox.multipart import too_large
from eigenpal.sandbox.problems import Problem, envelope
from eigenpal.sandbox.recording import RecordedRequest, Recorder
from eigenpal.sandbox.routing import Router

logger: logging.Logger = logging.getLogger("eigenpal.sandbox")


class Application:
    """The server as an ASGI application.

    Args:
        router: Finds the operation of a request.
        services: Shared by the operations.
        tenant_of: Returns the tenant of an API key, None for an unknown key.
        faults: Planned faults.
        recorder: Keeps the requests.
        max_body_bytes: Larger request bodies are refused with 413.
    """

    def __init__(
        self,
        *,
        router: Router,
        services: Services,
        tenant_of: Callable[[str], Tenant | None],
        faults: Faults,
        recorder: Recorder,
        max_body_bytes: int,
    ) -> None:
        self._router = router
        self._services = services
        self._tenant_of = tenant_of
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
            if not self._services.stopping():
                raise

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        try:
            response = await self._answer(scope, receive)
        except Problem as problem:
            response = _refusal(problem, request_id)
        except ClientDisconnect:
            raise
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            response = _refusal(Problem(500, "The sandbox failed; its log has the traceback."), request_id)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        request: Request[Any] = Request(scope, receive)
        tenant = self._authenticate(request)
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        route, path = self._router.find(scope["method"], raw_path.partition(b"?")[0].decode("ascii", "replace"))
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_body_bytes:
            raise too_large(self._max_body_bytes)
        return await route.operation(Call(request, path, tenant, self._services))

    def _authenticate(self, request: Request[Any]) -> Tenant:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        tenant = self._tenant_of(key.strip()) if scheme.lower() == "bearer" else None
        if tenant is None:
            missing = "An API key is required." if not key else "The API key is not valid."
            hint = "Send the header Authorization: Bearer <api key>."
            raise Problem(401, missing, hint=hint, headers={"www-authenticate": "Bearer"})
        return tenant


def _refusal(problem: Problem, request_id: str) -> Response:
    response = json_answer(envelope(problem, request_id), problem.status)
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response
