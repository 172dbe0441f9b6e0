"""The files that a run should have produced: they are files of the run, kept below `expected/`."""

from __future__ import annotations

import json
from dataclasses import replace

from starlette.responses import Response

from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.documents import expected_files
from eigenpal.sandbox.grammar import safe_path
from eigenpal.sandbox.members import read_members
from eigenpal.sandbox.new_runs import uploaded_file
from eigenpal.sandbox.operations.artifacts import send_file
from eigenpal.sandbox.operations.uploads import is_multipart, read_upload
from eigenpal.sandbox.problems import invalid, not_found
from eigenpal.sandbox.rows import FileRow, RunRow

MAX_NAME = 255  # characters, as in most file systems: whoever saves these files needs a name that works there


async def list_expected(call: Call) -> Response:
    """GET /runs/{id}/expected"""
    run, services = call.run(), call.services
    expected = services.reviews.review(run.id).expected
    return json_answer(
        {
            "expected": None if expected is None else json.loads(expected),
            "files": expected_files(services.store.files(run.id)),
        }
    )


async def create(call: Call) -> Response:
    """POST /runs/{id}/expected"""
    run = call.run()
    return await (_upload(call, run) if is_multipart(call.request) else _copy(call, run))


async def download(call: Call) -> Response:
    """GET /runs/{id}/expected/{filename}"""
    return send_file(call, _file(call, call.run()))


async def rename(call: Call) -> Response:
    """PATCH /runs/{id}/expected/{filename}"""
    run = call.run()
    name = _checked((await read_members(call)).required_text("name", limit=MAX_NAME), "body.name")
    file, path = _file(call, run), f"expected/{name}"
    if path != file.path:
        if call.services.store.file_at(run.id, path) is not None:
            hint = "Delete it first, or choose another name."
            raise invalid("body.name", f"There is an expected file {name!r} already.", hint=hint)
        call.services.store.move_file(file, path, name)
    return json_answer({"name": name})


async def delete(call: Call) -> Response:
    """DELETE /runs/{id}/expected/{filename}"""
    for blob in call.services.store.delete_files([_file(call, call.run())]):
        call.services.blobs.delete(blob)
    return Response(status_code=204)


async def _copy(call: Call, run: RunRow) -> Response:
    members, services = await read_members(call), call.services
    wanted = members.required_text("outputFileName")
    chosen = members.text_or_null("expectedName")
    with services.store.transaction():  # a run that goes on may be about to replace the file and delete its bytes
        outputs = [file for file in services.store.files(run.id) if file.path.startswith("output/")]
        output = next((file for file in outputs if wanted in (file.name, file.path)), None)
        if output is None:
            hint = "GET /runs/{id}/artifacts lists them."
            raise not_found(f"The run has no output file {wanted!r}.", field="body.outputFileName", hint=hint)
        name = _checked(chosen or output.name, "body.expectedName")
        path, now = f"expected/{name}", services.now()
        file = replace(output, id=services.ids.new("file"), path=path, name=name, step_name=None, created_at=now)
        unused = services.store.put_file(file)
    return _kept(call, file, unused)


async def _upload(call: Call, run: RunRow) -> Response:
    services = call.services
    upload, texts = await read_upload(call, texts=("name",))
    try:
        name = _checked(texts.get("name") or upload.filename, "body.name")
        path = f"expected/{name}"
        file = uploaded_file(services.ids, replace(upload, filename=name), path, run, now=services.now())
        unused = services.store.put_file(file)
    except BaseException:
        services.blobs.delete(upload.blob.name)
        raise
    return _kept(call, file, unused)


def _kept(call: Call, file: FileRow, unused: str | None) -> Response:
    """Answer that a file is kept; the bytes of the one it replaced go."""
    if unused is not None:
        call.services.blobs.delete(unused)
    return json_answer({"name": file.name}, 201)


def _file(call: Call, run: RunRow) -> FileRow:
    name = _checked(call.path["filename"], "path.filename")
    file = call.services.store.file_at(run.id, f"expected/{name}")
    if file is None:
        raise not_found(f"The run has no expected file {name!r}.", hint="GET /runs/{id}/expected lists them.")
    return file


def _checked(name: str, field: str) -> str:
    if len(name) > MAX_NAME:
        raise invalid(field, f"The name of an expected file has {MAX_NAME} characters at most.")
    if not safe_path(name):
        message = f"{name!r} can't be the name of an expected file: no empty, '.' or '..' segment, no backslash."
        raise invalid(field, message)
    return name
