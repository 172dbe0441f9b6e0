"""Starting, reading, cancelling and repeating runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from starlette.responses import Response

from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.documents import (
    debug_section,
    execution_section,
    input_section,
    receipt,
    run_document,
    usage_section,
)
from eigenpal.sandbox.grammar import parse_integer, parse_target, split_list
from eigenpal.sandbox.problems import invalid, not_found
from eigenpal.sandbox.registry import Automation, Release, require_api_trigger
from eigenpal.sandbox.rows import FileRow, Kind, RunRow
from eigenpal.sandbox.start_request import StartRequest, discard, read_start_request
from eigenpal.sandbox.states import NOT_STARTED, Status

MAX_WAIT_SECONDS = 600
_EXPANSIONS = ("input", "usage", "execution", "debug")
_TRIGGERS = ("api", "cli")
_RUN_PREFIXES: Mapping[Kind, str] = {"workflow": "exec", "agent": "aex"}

# Sections of older servers, and where their content is now.
_RETIRED = {
    "output": "output is always part of a completed run.",
    "lineage": "It is part of expand=execution.",
    "cost": "Use expand=usage.",
    "metadata": "It is part of expand=input.",
    "observability": "Use expand=debug.",
    "steps": "Steps live under expand=execution.",
    "files": "files is always part of a completed run; more is under expand=execution.",
    "expected": "It is part of expand=execution.",
    "feedback": "It is part of expand=execution.",
    "definition": "Use GET /runs/{id}/definition.",
    "trace": "Use expand=debug, or the artifact trace.jsonl.",
    "issues": "Use the artifact issues.md.",
    "lockfile": "Use the artifact eigenpal.lock.",
}


async def start(call: Call) -> Response:
    """POST /runs"""
    wait = _wait_seconds(call)
    trigger = call.request.headers.get("x-eigenpal-trigger", "api")
    if trigger not in _TRIGGERS:
        raise invalid("header.x-eigenpal-trigger", f"The trigger {trigger!r} is not one of {', '.join(_TRIGGERS)}.")
    services = call.services
    wanted = await read_start_request(call.request, services.blobs, lambda: services.ids.new("blob"))
    try:
        kind, name = parse_target(wanted.target)
        automation = services.registry.get(kind, name, field="body.target")
        require_api_trigger(automation)
        release = automation.resolve(call.query("version"))
        _check_overrides(automation, release, wanted.overrides)
        run = _new_run(call, automation, release, wanted, trigger=trigger)
        services.store.add_run(run, _input_files(call, run, wanted))
    except BaseException:
        discard([file for _, file in wanted.uploads], services.blobs)
        raise
    return await _launch(call, run, release, wait)


async def rerun(call: Call) -> Response:
    """POST /runs/{id}/rerun"""
    wait = _wait_seconds(call)
    original, services = call.run(), call.services
    automation = services.registry.get(original.kind, original.source_id)
    require_api_trigger(automation)
    version = call.query("version")
    release = automation.resolve(original.version if version == "original" else version)
    wanted = StartRequest(
        target=None,
        arguments=json.loads(original.arguments),
        overrides=None,
        metadata=json.loads(original.metadata) if original.metadata else None,
    )
    run = _new_run(call, automation, release, wanted, trigger="api")
    copies = [
        replace(file, id=services.ids.new("file"), run_id=run.id, created_at=run.created_at)
        for file in services.store.files(original.id)
        if file.path.startswith("input/")
    ]
    services.store.add_run(run, copies)
    return await _launch(call, run, release, wait)


async def get(call: Call) -> Response:
    """GET /runs/{id}"""
    if call.query("include") is not None:
        hint = "Use expand with input, usage, execution or debug."
        raise invalid("query.include", "The parameter include belongs to an older generation.", hint=hint)
    sections = set(split_list(call.query_list("expand")))
    for section in sorted(sections.difference(_EXPANSIONS)):
        message = f"Section {section} is not known. Use {', '.join(_EXPANSIONS[:-1])} or {_EXPANSIONS[-1]}."
        raise invalid("query.expand", message, hint=_RETIRED.get(section, f"Use one of {', '.join(_EXPANSIONS)}."))
    return json_answer(_expanded(call, call.run(), sections))


async def cancel(call: Call) -> Response:
    """POST /runs/{id}/cancel"""
    run = call.run()
    if run.finished:
        state, status = "already_terminal", run.status
    else:
        state = "cancelled" if run.status in NOT_STARTED else "requested"
        status = call.services.executor.cancel(run)
    return json_answer(
        {
            "id": run.id,
            "type": run.kind,
            "finished": run.finished or state == "cancelled",
            "execution": {"status": status.value},
            "cancellation": {"state": state, "wasStatus": run.status.value},
        }
    )


async def definition(call: Call) -> Response:
    """GET /runs/{id}/definition"""
    run = call.run()
    if run.kind != "workflow":
        raise not_found("Only workflow runs have a definition.", hint="The source of an agent is in its repository.")
    return json_answer({"definition": json.loads(run.definition)})


def _expanded(call: Call, run: RunRow, sections: set[str]) -> dict[str, Any]:
    store = call.services.store
    needs_files = run.status is Status.COMPLETED or bool(sections)
    files = store.files(run.id) if needs_files else []
    document = run_document(run, call.tenant.user, files)
    if "input" in sections:
        document["input"] = input_section(run, files)
    if "usage" in sections:
        document["usage"] = usage_section(run)
    if "execution" in sections:
        document["execution"].update(execution_section(run, files, store.steps(run.id)))
    if "debug" in sections:
        document["debug"] = debug_section(run)
    return document


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


def _new_run(call: Call, automation: Automation, release: Release, wanted: StartRequest, *, trigger: str) -> RunRow:
    requested = call.query("version")
    agent = automation.kind == "agent"
    return RunRow(
        sequence=0,
        id=call.services.ids.new(_RUN_PREFIXES[automation.kind]),
        tenant=call.tenant.name,
        kind=automation.kind,
        status=Status.CREATED,
        source_id=automation.id,
        source_name=automation.slug,
        version=release.version,
        version_id=release.id,
        model=automation.model,
        requested_ref=(requested or "latest") if agent else None,
        resolved_ref=release.version if agent else None,
        commit_sha=release.commit if agent else None,
        trigger=trigger,
        user_id=call.tenant.user_id,
        batch_id=None,
        example=None,
        example_id=None,
        score=None,
        passed=None,
        annotation=None,
        schema_valid=None,
        created_at=call.services.now(),
        started_at=None,
        completed_at=None,
        cancel_requested_at=None,
        arguments=json.dumps(wanted.arguments),
        metadata=None if wanted.metadata is None else json.dumps(wanted.metadata),
        overrides=None if wanted.overrides is None else json.dumps(wanted.overrides),
        output=None,
        error=None,
        traceback=None,
        usage=None,
        definition=release.definition,
    )


def _input_files(call: Call, run: RunRow, wanted: StartRequest) -> Sequence[FileRow]:
    ids, store = call.services.ids, call.services.store
    files: list[FileRow] = []
    taken: set[str] = set()
    for input_name, upload in wanted.uploads:
        name = _free_name(upload.filename, taken)
        files.append(
            FileRow(
                id=ids.new("file"),
                run_id=run.id,
                path=f"input/{name}",
                name=upload.filename,
                input_name=input_name,
                step_name=None,
                content_type=upload.content_type,
                size=upload.blob.size,
                digest=upload.blob.digest,
                blob=upload.blob.name,
                created_at=run.created_at,
            )
        )
    for reference in wanted.references:
        stored = store.file(reference.file_id, call.tenant.name)
        if stored is None:
            message = f"No such file: {reference.file_id!r}."
            raise invalid(f"body.files.{reference.input_name}", message, code="not_found")
        wanted_name = PurePosixPath(reference.filename or stored.name).name or stored.name
        files.append(
            replace(
                stored,
                id=ids.new("file"),
                run_id=run.id,
                path=f"input/{_free_name(wanted_name, taken)}",
                name=wanted_name,
                input_name=reference.input_name,
                step_name=None,
                content_type=reference.mime_type or stored.content_type,
                created_at=run.created_at,
            )
        )
    return files


def _free_name(filename: str, taken: set[str]) -> str:
    """Return a name for an artifact path: the file name, with a number when another input has the same one."""
    clean = "".join("_" if ord(character) < 32 else character for character in filename)
    path, number = PurePosixPath(clean), 1
    name = path.name
    while name in taken:
        number += 1
        name = f"{path.stem}-{number}{path.suffix}"
    taken.add(name)
    return name


async def _launch(call: Call, run: RunRow, release: Release, wait: int) -> Response:
    executor, store = call.services.executor, call.services.store
    executor.launch(run, release)
    if wait:
        await _wait_for_end(call, run.id, wait)
    current = store.run(run.id)
    assert current is not None
    if wait and current.finished:
        return json_answer(_expanded(call, current, set()))
    return json_answer(receipt(current), 202 if wait else 201)


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
