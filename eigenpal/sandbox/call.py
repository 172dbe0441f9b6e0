"""What an operation gets to answer one request, and the two answers that most operations give."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from eigenpal.sandbox.blobs import BlobFolder
from eigenpal.sandbox.clock import Clock, milliseconds
from eigenpal.sandbox.executor import Executor
from eigenpal.sandbox.grammar import parse_integer
from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.organisation import Organisation
from eigenpal.sandbox.problems import not_found
from eigenpal.sandbox.registry import Registry
from eigenpal.sandbox.reviews import Reviews
from eigenpal.sandbox.rows import RunRow
from eigenpal.sandbox.store import Store

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who an API key belongs to; runs of one tenant don't exist for another."""

    name: str
    user: Mapping[str, Any]

    @property
    def user_id(self) -> str:
        """Id of the user behind the key."""
        return str(self.user["id"])


@dataclass(frozen=True, slots=True)
class Services:
    """What the operations of one server share."""

    store: Store
    reviews: Reviews
    blobs: BlobFolder
    registry: Registry
    organisation: Organisation
    executor: Executor
    ids: IdSource
    clock: Clock
    stopping: Callable[[], bool]

    def now(self) -> int:
        """Return the present moment in milliseconds since 1970."""
        return milliseconds(self.clock())


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to an operation."""

    request: Request
    path: Mapping[str, str]
    tenant: Tenant
    services: Services

    def query(self, name: str) -> str | None:
        """Return a query parameter, None when it is absent or empty."""
        return self.request.query_params.get(name) or None

    def query_list(self, name: str) -> Sequence[str]:
        """Return every value of a query parameter."""
        return self.request.query_params.getlist(name)

    def page(self) -> tuple[int, int]:
        """Return limit and offset.

        Raises:
            Problem: 400, one of them is out of bounds.
        """
        limit, offset = self.query("limit"), self.query("offset")
        return (
            DEFAULT_PAGE_SIZE if limit is None else parse_integer(limit, "query.limit", 1, MAX_PAGE_SIZE),
            0 if offset is None else parse_integer(offset, "query.offset", 0),
        )

    def run(self) -> RunRow:
        """Return the run that the path names.

        Raises:
            Problem: 404, there is none, or it belongs to another tenant.
        """
        run = self.services.store.run(self.path["id"], self.tenant.name)
        if run is None:
            raise not_found(f"No such run: {self.path['id']!r}.")
        return run


def json_answer(document: Any, status: int = 200) -> Response:
    """Return an answer with a JSON body.

    Args:
        document: Any JSON.
        status: HTTP status.
    """
    # ASCII, with escapes: what a client sent may hold lone surrogates, which UTF-8 can't carry.
    return Response(json.dumps(document, separators=(",", ":")).encode("ascii"), status, media_type="application/json")
