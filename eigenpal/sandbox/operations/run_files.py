"""Stored files of runs: listing them, and changing the inputs of a workflow run that has not begun to execute."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.clock import timestamp
from eigenpal.sandbox.new_runs import free_path, uploaded_file
from eigenpal.sandbox.operations.uploads import read_upload
from eigenpal.sandbox.problems import invalid, not_found
from eigenpal.sandbox.rows import FileRow, RunRow
from eigenpal.sandbox.states import NOT_STARTED

_NO_STEP = "output"  # where outputs are listed that were written outside of any step


async def list_files(call: Call) -> Response:
    """GET /runs/{id}/files"""
    run = call.run()
    files = call.services.store.files(run.id)
    outputs: dict[str, list[dict[str, Any]]] = {}
    if run.kind == "workflow":  # those of an agent are its artifacts
        for file in files:
            if file.path.startswith("output/"):
                outputs.setdefault(file.step_name or _NO_STEP, []).append(_row(file))
    inputs = [_row(file) for file in files if file.path.startswith("input/")]
    return json_answer({"inputs": inputs, "outputsByStep": outputs})


async def upload(call: Call) -> Response:
    """POST /runs/{id}/files"""
    services = call.services
    _changeable(call)
    part, _ = await read_upload(call)
    try:
        run = _changeable(call)  # it may have begun while the file arrived
        taken = {file.path for file in services.store.files(run.id)}
        file = uploaded_file(services.ids, part, free_path(part.filename, taken), run, now=services.now())
        services.store.put_file(file)
    except BaseException:
        services.blobs.delete(part.blob.name)
        raise
    return json_answer(_row(file), 201)


async def delete(call: Call) -> Response:
    """DELETE /runs/{id}/files/{fileId}"""
    run, store, file_id = call.run(), call.services.store, call.path["fileId"]
    found = [file for file in store.files(run.id) if file.id == file_id]
    if not found:
        raise not_found(f"The run has no file {file_id!r}.", hint="GET /runs/{id}/files lists them with their ids.")
    _changeable(call)
    if not found[0].path.startswith("input/"):
        raise invalid("path.fileId", "Only input files can be deleted.")
    for blob in store.delete_files(found):
        call.services.blobs.delete(blob)
    return Response(status_code=204)


def _changeable(call: Call) -> RunRow:
    """Return the run that the path names, its inputs still to be read."""
    run = call.run()
    if run.kind != "workflow":
        raise invalid("path.id", "The files of an agent run can't be changed; give them when you start it.")
    if run.status not in NOT_STARTED:
        message = f"The run is {run.status.value}; its files can be changed only before it begins to execute."
        raise invalid("path.id", message, hint="Start another run with the files it should have.")
    return run


def _row(file: FileRow) -> dict[str, Any]:
    return {
        "id": file.id,
        "filename": file.name,
        "contentType": file.content_type,
        "size": file.size,
        "inputName": file.input_name,
        "createdAt": timestamp(file.created_at),
    }
