"""The operations of generation 0.6: those of today under their older paths, with older bodies and older words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from eigenpal.sandbox import older_documents
from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.documents import expected_files
from eigenpal.sandbox.grammar import split_list
from eigenpal.sandbox.members import read_members
from eigenpal.sandbox.operations import GENERATION_07, artifacts, runs, starting, workflows
from eigenpal.sandbox.problems import invalid, not_found
from eigenpal.sandbox.routing import Operation, Route
from eigenpal.sandbox.rows import RunRow
from eigenpal.sandbox.start_request import StartRequest, read_bare_start_request

_INCLUDABLE = ("detail", "files", "output", "expected")
_WORKFLOW_REFS = ("latest", "original")


async def _start(call: Call) -> Response:
    """POST /run/{target}"""

    async def read(call: Call) -> StartRequest:
        services = call.services
        return await read_bare_start_request(
            call.request, services.blobs, lambda: services.ids.new("blob"), target=call.path["target"]
        )

    return await starting.start_as(call, read, _worded_start(older_documents.started))


async def _rerun(call: Call) -> Response:
    """POST /runs/{id}/rerun"""
    empty = call.request.headers.get("content-length", "0") == "0" and "content-type" not in call.request.headers
    version = None if empty else (await read_members(call)).text_or_null("sourceRef")
    if version is not None and call.run().kind == "workflow" and version not in _WORKFLOW_REFS:
        raise invalid("body.sourceRef", f"A workflow run can be repeated as {' or '.join(_WORKFLOW_REFS)}.")
    return await starting.rerun_as(call, version, _worded_start(older_documents.rerun))


async def _get(call: Call) -> Response:
    """GET /runs/{id}"""
    include = split_list(call.query_list("include"))
    for word in include:
        if word not in _INCLUDABLE:
            raise invalid("query.include", f"{word!r} is not one of {', '.join(_INCLUDABLE)}.")
    run, services = call.run(), call.services
    document = runs.expanded(call, run, ("input", "execution"))
    expected = services.reviews.review(run.id).expected
    files = expected_files(services.store.files(run.id))
    answer = older_documents.detail(document, None if expected is None else json.loads(expected), files, include)
    return json_answer({"run": answer})


async def _download(call: Call) -> Response:
    """GET /runs/{id}/artifact/{path}"""
    if call.run().kind != "agent":
        raise not_found("Only agent runs have artifacts.", hint="GET /runs/{id}/files lists those of a workflow run.")
    return await artifacts.download(call)


async def _list_workflows(call: Call) -> Response:
    """GET /workflows"""
    scope = call.request.scope
    query = [pair for pair in parse_qsl(scope["query_string"].decode("latin-1"), True) if pair[0] != "folderId"]
    return await workflows.list_workflows(
        replace(call, request=Request({**scope, "query_string": urlencode(query).encode()}))
    )


def _worded_start(wording: Callable[..., dict[str, Any]]) -> starting.Answer:
    def answer(call: Call, run: RunRow, waited: bool) -> Response:
        status = 200 if waited and run.finished else 202 if waited or run.kind == "agent" else 201
        return json_answer(wording(runs.expanded(call, run, ("usage",)), waited=waited), status)

    return answer


def _worded(operation: Operation, wording: Callable[[dict[str, Any]], dict[str, Any]]) -> Operation:
    async def answer(call: Call) -> Response:
        today = await operation(call)
        return json_answer(wording(json.loads(bytes(today.body))), today.status_code)

    return answer


_ABSENT = ("runs.artifacts.list", "runs.definition")

_OTHERWISE: Sequence[Route[Operation]] = (
    Route("POST", "/run/{target}", _start, "run"),
    Route("POST", "/runs/{id}/rerun", _rerun, "rerun"),
    Route("GET", "/runs/{id}", _get, "runs.get"),
    Route("GET", "/runs/{id}/artifact/{path:path}", _download, "runs.artifacts.download"),
    Route("GET", "/workflows", _list_workflows, "workflows.list"),
)

_WORDINGS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "runs.list": older_documents.page,
    "runs.cancel": older_documents.cancelled,
    "workflows.list": older_documents.without_switches,
    "workflows.get": older_documents.without_switches,
    "agents.list": older_documents.without_switches,
    "agents.get": older_documents.without_switches,
    "agents.create": older_documents.without_switches,
    "agents.update": older_documents.without_switches,
}


def _older(today: Route[Operation]) -> Route[Operation]:
    route = next((route for route in _OTHERWISE if route.name == today.name), today)
    wording = _WORDINGS.get(today.name)
    return route if wording is None else replace(route, operation=_worded(route.operation, wording))


GENERATION_06: Sequence[Route[Operation]] = tuple(_older(route) for route in GENERATION_07 if route.name not in _ABSENT)
