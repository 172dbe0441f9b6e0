"""The list of runs: nineteen parameters, a cursor, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.documents import list_item
from eigenpal.sandbox.grammar import decode_cursor, encode_cursor, parse_moment, split_list
from eigenpal.sandbox.problems import invalid
from eigenpal.sandbox.states import Status
from eigenpal.sandbox.store import RunFilter

_KINDS = ("workflow", "agent")
_STATUSES = tuple(status.value for status in Status)
_NO_USER = "__system__"


async def list_runs(call: Call) -> Response:
    """GET /runs"""
    limit, offset = call.page()
    cursor = call.query("cursor")
    behind = None if cursor is None else decode_cursor(cursor)
    rows = call.services.store.runs(
        call.tenant.name, _filter(call), limit=limit + 1, offset=0 if behind else offset, behind=behind
    )
    page, more = rows[:limit], len(rows) > limit
    following = call.services.store.next_statuses(page)
    items = [list_item(run, call.tenant.user, following.get(run.next_run_id or "")) for run in page]
    return json_answer(
        {"runs": items, "nextCursor": encode_cursor(page[-1].created_at, page[-1].sequence) if more else None}
    )


def _filter(call: Call) -> RunFilter:
    kind, user_id = call.query("type"), call.query("triggeredBy")
    if kind is not None and kind not in _KINDS:
        raise invalid("query.type", f"The type {kind!r} is not one of {', '.join(_KINDS)}.")
    statuses = split_list(call.query_list("status"))
    for status in statuses:
        if status not in _STATUSES:
            raise invalid("query.status", f"The status {status!r} is not known.", hint=f"Use {', '.join(_STATUSES)}.")
    return RunFilter(
        kind=kind,
        source=call.query("source"),
        statuses=statuses,
        trigger=call.query("trigger"),
        user_id=None if user_id == _NO_USER else user_id,
        without_user=user_id == _NO_USER,
        source_ref=call.query("sourceRef"),
        batch_id=call.query("batchId"),
        example_id=call.query("exampleId"),
        example_id_contains=call.query("exampleIdContains"),
        created_from=_moments(call, "from", "createdAfter"),
        created_before=_moments(call, "to", "createdBefore"),
        completed_from=_moment(call, "completedAfter"),
        completed_before=_moment(call, "completedBefore"),
        ids=split_list(call.query_list("ids")) if call.query("ids") is not None else None,
    )


def _moments(call: Call, *names: str) -> Sequence[int]:
    return [moment for name in names if (moment := _moment(call, name)) is not None]


def _moment(call: Call, name: str) -> int | None:
    text = call.query(name)
    return None if text is None else parse_moment(text, f"query.{name}", call.services.clock())
