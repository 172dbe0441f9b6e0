"""Planning faults over HTTP, for programs that are no Python: `/_sandbox/faults`. Only from this machine, with a key.

The plan is `sandbox.faults`; a request is the arguments of its `add` as JSON.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from eigenpal.sandbox.call import json_answer
from eigenpal.sandbox.faults import Fault, FaultError, Faults
from eigenpal.sandbox.json_values import is_object
from eigenpal.sandbox.local_only import require_local
from eigenpal.sandbox.multipart import read_json
from eigenpal.sandbox.problems import ROOT, Problem, envelope, invalid, not_found
from eigenpal.sandbox.routing import Route, Router

ADMIN_PLACE = "_sandbox"  # first segment of the paths that are answered here

Handler: TypeAlias = Callable[[Request[Any], Mapping[str, str]], Awaitable[Response]]

_ARGUMENTS: Sequence[str] = tuple(inspect.signature(Faults().add).parameters)


class AdminApi:
    """The admin routes.

    Args:
        faults: The plan.
        authenticate: Raises a `Problem` unless the request has a key of this sandbox.
    """

    def __init__(self, faults: Faults, authenticate: Callable[[Request[Any]], object]) -> None:
        self._faults = faults
        self._authenticate = authenticate
        self._router: Router[Handler] = Router(
            {
                f"/{ADMIN_PLACE}": [
                    Route("GET", "/faults", self._list, "faults.list"),
                    Route("POST", "/faults", self._add, "faults.add"),
                    Route("DELETE", "/faults", self._clear, "faults.clear"),
                    Route("GET", "/faults/{id}", self._get, "faults.get"),
                    Route("DELETE", "/faults/{id}", self._remove, "faults.remove"),
                ]
            }
        )

    async def answer(self, request: Request[Any]) -> Response:
        """Answer a request."""
        require_local(request)
        self._authenticate(request)
        route, path = self._router.find_for(request)
        return await route.operation(request, path)

    def refuse(self, problem: Problem, request_id: str) -> Response:
        """Return the error envelope for a problem, as of the main API."""
        return json_answer(envelope(problem, request_id), problem.status)

    async def _list(self, request: Request[Any], path: Mapping[str, str]) -> Response:
        return json_answer({"faults": [_document(fault) for fault in self._faults]})

    async def _add(self, request: Request[Any], path: Mapping[str, str]) -> Response:
        arguments = await read_json(request.stream())
        if not is_object(arguments):
            raise invalid("body", "A fault is a JSON object: the arguments of faults.add.")
        for name in arguments:
            if name not in _ARGUMENTS:
                hint = f"It has {', '.join(_ARGUMENTS)}."
                raise invalid(f"body.{name}", f"A fault has no argument {name!r}.", hint=hint)
        try:
            fault = self._faults.add(**arguments)
        except FaultError as error:
            raise invalid(ROOT if error.argument is None else f"body.{error.argument}", str(error)) from error
        return json_answer(_document(fault), 201)

    async def _get(self, request: Request[Any], path: Mapping[str, str]) -> Response:
        fault = next((fault for fault in self._faults if fault.id == path["id"]), None)
        if fault is None:
            raise not_found(f"No such fault: {path['id']!r}.")
        return json_answer(_document(fault))

    async def _remove(self, request: Request[Any], path: Mapping[str, str]) -> Response:
        if not self._faults.remove(path["id"]):
            raise not_found(f"No such fault: {path['id']!r}.")
        return Response(status_code=204)

    async def _clear(self, request: Request[Any], path: Mapping[str, str]) -> Response:
        self._faults.clear()
        return Response(status_code=204)


def _document(fault: Fault) -> dict[str, Any]:
    """Return a fault as JSON; bytes, which only Python can plan, as text with replacements."""
    document = asdict(fault)
    del document["seen"]
    if isinstance(fault.body, bytes):
        document["body"] = fault.body.decode("utf-8", "replace")
    return document
