"""A pending action for people: as text, and as HTML in which everything is escaped. The same rows in both, cut alike.

What an agent proposes may come from a stranger's e-mail, so nothing in it becomes a link, a line or a terminal code.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import islice
from typing import Final

from eigenpal.engine.display import CELL_CHARACTERS, VALUE_CHARACTERS, excerpt, json_excerpt, more, one_line, table
from eigenpal.epilot.models.previews import (
    PendingAction,
    PreviewChange,
    PreviewEntity,
    PreviewValue,
    PreviewValueType,
    ToolPreview,
)

NOTHING: Final = "(nothing)"  # what stands on a side of a change that has no value
UNNAMED: Final = "An action"
ARROW: Final = "->"
# What a change does, by whether there is a value before and after.
_SIGNS: Final = {(False, True): "+", (True, False): "-", (True, True): "~", (False, False): "~"}

Row = tuple[str, str, str]  # a sign, what it is about, what there is to say


def preview_as_text(preview: ToolPreview, limit: int | None) -> str:
    """Return an action as lines, with `limit` changes and values at most."""
    return _as_text(_verb(preview) or UNNAMED, preview, limit)


def preview_as_html(preview: ToolPreview, limit: int | None) -> str:
    """Return an action as a fragment of HTML, with `limit` changes and values at most."""
    return _as_html(_verb(preview) or UNNAMED, preview, limit)


def action_as_text(action: PendingAction, limit: int | None) -> str:
    """Return a tool call as lines: by its preview, or by what the tool would get."""
    return _as_text(_title(action), action.preview or _of_input(action), limit)


def action_as_html(action: PendingAction, limit: int | None) -> str:
    """Return a tool call as a fragment of HTML: by its preview, or by what the tool would get."""
    return _as_html(_title(action), action.preview or _of_input(action), limit)


def _as_text(title: str, preview: ToolPreview, limit: int | None) -> str:
    rows = list(_rows(preview))
    shown = [f"  {sign} {name}: {said}" for sign, name, said in rows[:limit]]
    rest = [f"  … {len(rows) - len(shown)} more"] if len(shown) < len(rows) else []
    way = [f"  {route}"] if (route := _route(preview)) else []
    why = [f"  Why: {one_line(preview.summary, VALUE_CHARACTERS)}"] if preview.summary else []
    return "\n".join([title, *way, *shown, *rest, *why])


def _as_html(title: str, preview: ToolPreview, limit: int | None) -> str:
    rows = list(_rows(preview))
    rest = 0 if limit is None else len(rows) - limit
    way = f"<p>{escape(route)}</p>" if (route := _route(preview)) else ""
    why = f"<p>Why: {escape(one_line(preview.summary, VALUE_CHARACTERS))}</p>" if preview.summary else ""
    listing = table(islice(rows, limit)) if rows else ""
    return f"<div><b>{escape(title)}</b>{way}{listing}{more(rest)}{why}</div>"


def _verb(preview: ToolPreview | None) -> str:
    action = None if preview is None else preview.action
    return "" if action is None else one_line(action.verb or str(action.type), CELL_CHARACTERS)


def _title(action: PendingAction) -> str:
    """Return what is done, in the words of the preview and of the agent, and by which tool."""
    described = one_line(action.description or "", VALUE_CHARACTERS)
    said = ": ".join(filter(None, (_verb(action.preview), described))) or "Call a tool"
    return said + (f" ({one_line(action.tool, CELL_CHARACTERS)})" if action.tool else "")


def _of_input(action: PendingAction) -> ToolPreview:
    """Return the preview of a tool that has none: its arguments as they are."""
    given = (action.input or {}).items()
    return ToolPreview(metadata={name: PreviewValue(type=PreviewValueType.TEXT, value=value) for name, value in given})


def _route(preview: ToolPreview) -> str:
    """Return what moves from where to where, or what is worked on."""
    ends = [_entity(entity) for entity in (preview.source, preview.target) if entity is not None]
    return f" {ARROW} ".join(ends)


def _rows(preview: ToolPreview) -> Iterator[Row]:
    yield from map(_change, preview.changes)
    for name, value in (preview.metadata or {}).items():
        yield "·", one_line(name, CELL_CHARACTERS), _value(value)


def _change(change: PreviewChange) -> Row:
    before, after = change.from_value, change.to_value
    sign = _SIGNS[_says_something(before), _says_something(after)]
    return (
        sign,
        one_line(change.label or change.field or "?", CELL_CHARACTERS),
        f"{_value(before)} {ARROW} {_value(after)}",
    )


def _says_something(value: PreviewValue | None) -> bool:
    return _value(value) != NOTHING


def _value(value: PreviewValue | None) -> str:
    if value is None:
        return NOTHING
    match value.type:
        case PreviewValueType.LIST if value.values is not None:
            said = excerpt(", ".join(value.values), CELL_CHARACTERS)
        case PreviewValueType.ENTITY if value.name or value.id:
            said = _named(value.name, value.schema, value.id)
        case PreviewValueType.BOOLEAN if isinstance(value.value, bool):
            said = "yes" if value.value else "no"
        case _ if value.value is None:
            said = _named(value.name, value.schema, value.id) or ", ".join(value.values or ())
        case _:
            said = value.value if isinstance(value.value, str) else json_excerpt(value.value, CELL_CHARACTERS + 1)
    return one_line(said, CELL_CHARACTERS) or NOTHING


def _entity(entity: PreviewEntity) -> str:
    return one_line(_named(entity.name, entity.type or entity.schema, entity.id) or "?", CELL_CHARACTERS)


def _named(name: str | None, kind: str | None, id: str | None) -> str:
    """Return a thing by its name, with what it is and its id behind it."""
    what = " ".join(filter(None, (kind, id)))
    return f"{name} ({what})" if name and what else name or what
