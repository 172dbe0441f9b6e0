"""Reading workflows and their versions."""

from __future__ import annotations

from starlette.responses import Response

from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.documents import workflow_summary, workflow_version
from eigenpal.sandbox.grammar import slug_key
from eigenpal.sandbox.problems import invalid
from eigenpal.sandbox.registry import Automation

_KINDS = ("workflow", "block")


async def list_workflows(call: Call) -> Response:
    """GET /workflows"""
    limit, offset = call.page()
    kind = call.query("kind")
    if kind is not None and kind not in _KINDS:
        raise invalid("query.kind", f"The kind {kind!r} is not one of {', '.join(_KINDS)}.")
    found = [workflow for workflow in call.services.registry.all("workflow") if _matches(call, workflow, kind)]
    rows = [workflow_summary(workflow) for workflow in found[offset : offset + limit]]
    return json_answer({"data": rows, "total": len(found), "limit": limit, "offset": offset})


async def get(call: Call) -> Response:
    """GET /workflows/{id}"""
    workflow = call.services.registry.get("workflow", call.path["id"])
    return json_answer({**workflow_summary(workflow), "yamlContent": workflow.latest.yaml})


async def versions(call: Call) -> Response:
    """GET /workflows/{id}/versions"""
    limit, offset = call.page()
    workflow = call.services.registry.get("workflow", call.path["id"])
    releases = workflow.newest_first()
    rows = [workflow_version(workflow, release) for release in releases[offset : offset + limit]]
    return json_answer({"data": rows, "total": len(releases), "limit": limit, "offset": offset})


def _matches(call: Call, workflow: Automation, kind: str | None) -> bool:
    search, name, folder = call.query("search"), call.query("name"), call.query("folderId")
    if search is not None and search.lower() not in workflow.slug.lower():
        return False
    if name is not None and slug_key(name) != slug_key(workflow.slug):
        return False
    if kind is not None and (kind == "block") is not workflow.block:
        return False
    return folder is None or (workflow.folder_id is None if folder == "null" else workflow.folder_id == folder)
