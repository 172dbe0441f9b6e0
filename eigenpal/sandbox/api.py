"""What the server hosts: APIs, each under a prefix of its own, and the emulators of other services that bring one.

An API authenticates, dispatches and words its errors itself; everything else about a request is the application's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from eigenpal.sandbox.blobs import BlobFolder
from eigenpal.sandbox.call import Call, Services, Tenant, json_answer
from eigenpal.sandbox.clock import Clock, milliseconds
from eigenpal.sandbox.database import Database
from eigenpal.sandbox.download_tokens import token_opens
from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.problems import Problem, envelope
from eigenpal.sandbox.routing import Operation, Router

_OPEN_TO_TOKENS = "runs.artifacts.download_zip"


class Api(Protocol):
    """One API of the server."""

    async def answer(self, request: Request[Any]) -> Response:
        """Answer a request.

        Raises:
            Problem: It can't be served.
        """
        ...

    def refuse(self, problem: Problem, request_id: str) -> Response:
        """Return the answer that says why a request was not served, without the headers of the problem."""
        ...


@dataclass(frozen=True, slots=True)
class Resources:
    """What a running server lends to everything it hosts."""

    database: Database
    blobs: BlobFolder
    ids: IdSource
    clock: Clock
    latency: Callable[[], float]
    stopping: Callable[[], bool]

    def now(self) -> int:
        """Return the present moment in milliseconds since 1970."""
        return milliseconds(self.clock())


class Emulator(Protocol):
    """Another service that the sandbox plays. What is registered with it outlives the server.

    Attributes:
        prefix: First segment of its paths, such as `archastro`.
    """

    prefix: str

    async def open(self, resources: Resources) -> Api:
        """Take up its state and return its API; called in the server's loop."""
        ...

    async def end_work(self) -> None:
        """End its background work; requests may still be waiting for it."""


class EigenpalApi:
    """The EigenPal API: bearer keys, its routes, its error envelope.

    Args:
        router: Finds the operation of a request.
        services: Shared by the operations.
        tenant_of: Returns the tenant of an API key, None for an unknown key.
    """

    def __init__(
        self, *, router: Router[Operation], services: Services, tenant_of: Callable[[str], Tenant | None]
    ) -> None:
        self._router = router
        self._services = services
        self._tenant_of = tenant_of

    async def answer(self, request: Request[Any]) -> Response:
        """Answer a request."""
        tenant = self._bearer_of_token(request) or authenticate(request, self._tenant_of)
        route, path = self._router.find_for(request)
        return await route.operation(Call(request, path, tenant, self._services))

    def refuse(self, problem: Problem, request_id: str) -> Response:
        """Return the error envelope for a problem."""
        return json_answer(envelope(problem, request_id), problem.status)

    def _bearer_of_token(self, request: Request[Any]) -> Tenant | None:
        """Return the tenant for whom a download token stands; None without a good one, so that a key is asked for."""
        if b"token=" not in request.scope["query_string"]:
            return None
        services, token = self._services, request.query_params.get("token", "")
        try:
            route, path = self._router.find_for(request)
        except Problem:
            return None
        vault, now = services.organisation.vault, services.now()
        if route.name != _OPEN_TO_TOKENS or not token_opens(vault, token, path["id"], now):
            return None
        run = services.store.run(path["id"])
        return None if run is None else Tenant(run.tenant, {"id": run.user_id or ""})


def authenticate(request: Request[Any], tenant_of: Callable[[str], Tenant | None]) -> Tenant:
    """Return whose key a request has.

    Args:
        request: The request.
        tenant_of: Returns the tenant of an API key, None for an unknown key.

    Raises:
        Problem: 401, it has none or an unknown one.
    """
    key = bearer_token(request.headers)
    tenant = tenant_of(key) if key else None
    if tenant is None:
        given = request.headers.get("authorization", "").partition(" ")[2].strip()
        missing = "The API key is not valid." if given else "An API key is required."
        hint = "Send the header Authorization: Bearer <api key>."
        raise Problem(401, missing, hint=hint, headers={"www-authenticate": "Bearer"})
    return tenant


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """Return the bearer token of a request, None when it has none."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return (key.strip() or None) if scheme.lower() == "bearer" else None
