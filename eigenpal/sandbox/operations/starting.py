"""Starting and repeating runs: from a request to a run in flight, and on to the answer, which may wait for its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from starlette.responses import Response

from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.documents import receipt, run_document
from eigenpal.sandbox.grammar import parse_integer, parse_target
from eigenpal.sandbox.new_runs import Origin, copied_inputs, free_path, new_run, rerun_of, uploaded_file
from eigenpal.sandbox.problems import invalid
from eigenpal.sandbox.registry import Automation, Release, require_api_trigger
from eigenpal.sandbox.rows import FileRow, RunRow
from eigenpal.sandbox.start_request import StartRequest, discard, read_start_request

MAX_WAIT_SECONDS = 600
_TRIGGERS = ("api", "cli")

Reader: TypeAlias = Callable[[Call], Awaitable[StartRequest]]
"""Reads the body of a start."""

Answer: TypeAlias = Callable[[Call, RunRow, bool], Response]
"""Words the answer to a start: the call, the run as it is now, and whether the client wanted to wait."""


async def start(call: Call) -> Response:
    """POST /runs"""
    return await start_as(call, _read, answer)


async def rerun(call: Call) -> Response:
    """POST /runs/{id}/rerun"""
    return await rerun_as(call, call.query("version"), answer)


async def start_as(call: Call, read: Reader, answer: Answer) -> Response:
    """Start what a request asks for.

    Args:
        call: The request.
        read: Reads its body. The uploads in it are deleted again when nothing is started.
        answer: Words the answer.

    Raises:
        Problem: 400, 403, 404, 413 or 415; nothing was started.
    """
    services = call.services
    wait = _wait_seconds(call)
    trigger = call.request.headers.get("x-eigenpal-trigger", "api")
    if trigger not in _TRIGGERS:
        raise invalid("header.x-eigenpal-trigger", f"The trigger {trigger!r} is not one of {', '.join(_TRIGGERS)}.")
    wanted = await read(call)
    try:
        kind, name = parse_target(wanted.target, wanted.target_field)
        automation = services.organisation.catalogue.get(call.tenant.name, kind, name, field=wanted.target_field)
        require_api_trigger(automation)
        release = automation.resolve(call.query("version"))
        _check_overrides(automation, release, wanted.overrides)
        run = new_run(
            services.ids,
            automation,
            release,
            _origin(call, trigger),
            requested_version=call.query("version"),
            arguments=wanted.arguments,
            metadata=wanted.metadata,
            overrides=wanted.overrides,
        )
        with services.store.transaction():  # a file that is referred to must not go between the two
            services.store.add_run(run, _input_files(call, run, wanted))
    except BaseException:
        discard(wanted.uploads, services.blobs)
        raise
    return await _launch(call, run, release, wait, answer)


async def rerun_as(call: Call, version: str | None, answer: Answer) -> Response:
    """Start the run that the path names once more.

    Args:
        call: The request.
        version: The version that is asked for; `original` for that of the run.
        answer: Words the answer.

    Raises:
        Problem: 400, 403 or 404; nothing was started.
    """
    wait = _wait_seconds(call)
    original, services = call.run(), call.services
    automation = services.organisation.catalogue.get(original.tenant, original.kind, original.source_id)
    require_api_trigger(automation)
    release = automation.resolve((original.commit_sha or original.version) if version == "original" else version)
    run = rerun_of(services.ids, original, automation, release, _origin(call, "api"), requested_version=version)
    services.store.add_run(run, copied_inputs(services.ids, services.store.files(original.id), run))
    return await _launch(call, run, release, wait, answer)


def answer(call: Call, run: RunRow, waited: bool) -> Response:
    """Answer a start: the whole run when it has ended in the time that the client waited, else its receipt."""
    if waited and run.finished:
        store = call.services.store
        return json_answer(run_document(run, call.tenant.user, store.files(run.id), store.next_status(run)))
    return json_answer(receipt(run), 202 if waited else 201)


async def _read(call: Call) -> StartRequest:
    services = call.services
    return await read_start_request(call.request, services.blobs, lambda: services.ids.new("blob"))


def _origin(call: Call, trigger: str) -> Origin:
    return Origin(call.tenant.name, call.tenant.user_id, trigger, call.services.now())


def _wait_seconds(call: Call) -> int:
    text = call.query("wait_for_completion")
    return 0 if text is None else parse_integer(text, "query.wait_for_completion", 0, MAX_WAIT_SECONDS)


def _check_overrides(automation: Automation, release: Release, overrides: Mapping[str, Any] | None) -> None:
    steps: Mapping[str, Any] = (overrides or {}).get("steps") or {}
    if overrides is not None and automation.kind != "workflow":
        raise invalid("body.overrides", "Overrides work for workflow targets only.")
    for name in steps:
        if release.steps and name not in release.steps:
            hint = f"It has: {', '.join(release.steps)}."
            raise invalid(f"body.overrides.steps.{name}", f"The workflow has no step {name!r}.", hint=hint)


def _input_files(call: Call, run: RunRow, wanted: StartRequest) -> Sequence[FileRow]:
    ids, store = call.services.ids, call.services.store
    taken: set[str] = set()
    files = [
        uploaded_file(ids, upload, free_path(upload.filename, taken), run, now=run.created_at)
        for upload in wanted.uploads
    ]
    for reference in wanted.references:
        stored = store.file(reference.file_id, call.tenant.name)
        if stored is None:
            message = f"No such file: {reference.file_id!r}."
            raise invalid(f"body.files.{reference.input_name}", message, code="not_found")
        name = PurePosixPath(reference.filename or stored.name).name or stored.name
        files.append(
            replace(
                stored,
                id=ids.new("file"),
                run_id=run.id,
                path=free_path(name, taken),
                name=name,
                input_name=reference.input_name,
                step_name=None,
                content_type=reference.mime_type or stored.content_type,
                created_at=run.created_at,
            )
        )
    return files


async def _launch(call: Call, run: RunRow, release: Release, wait: int, answer: Answer) -> Response:
    executor, store = call.services.executor, call.services.store
    executor.launch(run, release)
    if wait:
        await _wait_for_end(call, run.id, wait)
    current = store.run(run.id)
    assert current is not None
    return answer(call, current, bool(wait))


async def _wait_for_end(call: Call, run_id: str, seconds: float) -> None:
    """Return when the run has ended, the time is up, or the client has gone."""
    ended = asyncio.ensure_future(call.services.executor.wait_ended(run_id))
    gone = asyncio.ensure_future(_disconnected(call))
    try:
        await asyncio.wait((ended, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
        gone.cancel()


async def _disconnected(call: Call) -> None:
    while (await call.request.receive())["type"] != "http.disconnect":
        pass
