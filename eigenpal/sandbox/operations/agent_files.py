"""Source files of agents: browsing them, and the deprecated writes that a repository in Git refuses."""

from __future__ import annotations

import asyncio
import base64
import binascii

from starlette.responses import Response

from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.grammar import safe_path
from eigenpal.sandbox.members import Members, read_members
from eigenpal.sandbox.operations.agents import agent_of
from eigenpal.sandbox.problems import invalid, not_found
from eigenpal.sandbox.repository import MAIN, Changes, Content, Refused

_IN_GIT = "The source of this agent is held in Git; push to its repository instead of writing files here."
_MAX_BODY_TEXT = 16 * 1024 * 1024  # of one file in a body; what a package takes is decided by the repository


async def list_files(call: Call) -> Response:
    """GET /agents/{agentId}/files"""
    automation, packages = agent_of(call).automation, call.services.organisation.packages
    path, prefix, ref = call.query("path"), call.query("prefix") or "", call.query("ref") or MAIN
    files = packages.files(packages.resolve(automation, ref, field="query.ref"))
    if path is None:
        return json_answer({"files": [name for name in files if name.startswith(prefix)]})
    if not safe_path(path):
        raise invalid("query.path", f"{path!r} can't be the path of a file: no empty, '.' or '..' segment.")
    file = files.get(path)
    if file is None or not path.startswith(prefix):
        raise not_found(f"{automation.package} has no file {path!r} at {ref}.", field="query.path")
    data = await asyncio.to_thread(file.read_bytes)
    return json_answer({"path": path, "contentType": file.content_type, **_payload(data)})


async def put_file(call: Call) -> Response:
    """PUT /agents/{agentId}/files"""
    path, prefix, ref = call.query("path"), call.query("prefix") or "", call.query("ref") or MAIN
    agent_of(call)
    if path is None:
        raise invalid("query.path", "A path is required.", code="required")
    if not path.startswith(prefix):
        raise invalid("query.path", f"{path!r} does not lie under the prefix {prefix!r}.")
    if ref != MAIN:
        raise invalid("query.ref", f"{ref!r} can't be written to: the only branch is {MAIN}.")
    content = _content(await read_members(call))
    return await _write(call, {path: content}, "query.path") or json_answer({"ok": True, "path": path})


async def upload_files(call: Call) -> Response:
    """POST /agents/{agentId}/files"""
    agent_of(call)
    body = await read_members(call)
    if "files" not in body:
        raise invalid("body.files", "A list of files is required.", code="required")
    changes: dict[str, Content | None] = {}
    for item in body.objects("files"):
        path = item.required_text("path")
        if path in changes:
            raise invalid(item.path("path"), f"{path!r} is there twice.")
        changes[path] = _content(item)
    return await _write(call, changes, "body.files") or json_answer({"ok": True, "files": list(changes)})


async def _write(call: Call, changes: Changes, field: str) -> Response | None:
    """Commit changes; return the refusal where the API writes no source."""
    organisation = call.services.organisation
    try:
        organisation.repository.check(changes)
        if not organisation.writable:
            return json_answer({"error": _IN_GIT}, 409)
        await asyncio.to_thread(
            organisation.repository.commit,
            call.tenant.name,
            agent_of(call).automation.package,
            changes,
            author={**call.tenant.user, "image": None},
        )
    except Refused as refusal:
        raise invalid(field, str(refusal)) from None
    return None


def _content(body: Members) -> Content:
    text = body.text("content", limit=_MAX_BODY_TEXT)
    encoded = body.text("contentBase64", limit=_MAX_BODY_TEXT)
    content_type = body.text("contentType", limit=200)
    if (text is None) is (encoded is None):
        raise invalid(body.path("content"), "Either content or contentBase64 is required.", code="required")
    if content_type is not None and not (content_type.isascii() and content_type.isprintable()):
        raise invalid(body.path("contentType"), f"{content_type!r} can't be a media type.")
    if encoded is None:
        return Content((text or "").encode(), content_type)
    try:
        return Content(base64.b64decode(encoded, validate=True), content_type)
    except (binascii.Error, ValueError):
        raise invalid(body.path("contentBase64"), "This is not base64.") from None


def _payload(data: bytes) -> dict[str, str]:
    try:
        return {"content": data.decode()}
    except UnicodeDecodeError:
        return {"contentBase64": base64.b64encode(data).decode()}
