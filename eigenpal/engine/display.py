"""Answers as HTML for notebooks: small tables, everything in them escaped, of bounded size whatever the server sent.

Works on any model by what it shows (`Model.repr_members`); knows no service. Loaded when a notebook asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import Enum
from html import escape
from typing import Any, Final

from eigenpal.engine.model import Model, shown_members, stands_for

CELL_CHARACTERS: Final = 80  # of a value in a row of a list: a row stays one line on most screens
VALUE_CHARACTERS: Final = 400  # of a value that has a row for itself: some lines
MOST_ROWS: Final = 50  # what one scrolls through; `for` and `to_dict` give the rest

# No colours of our own: the table takes those of the page, be it light or dark.
_LEFT: Final = ' style="text-align:left"'


def as_html(answer: Model) -> str:
    """Return an answer as a fragment of HTML: a page as a table of its items, all else as a table of its members."""
    if hasattr(type(answer), "next_query"):
        return _page(answer)
    members = shown_members(answer)
    rows = ((label, excerpt(value, VALUE_CHARACTERS)) for label, value in members if value is not None and value != [])
    return f"<div><b>{type(answer).__name__}</b>{table(rows)}</div>"


def _page(page: Any) -> str:
    items: Sequence[Model] = page.items
    rows = [dict(shown_members(item)) for item in items[:MOST_ROWS]]
    labels = [label for label in (rows[0] if rows else ()) if any(row.get(label) not in (None, []) for row in rows)]
    cells = ([excerpt(row.get(label), CELL_CHARACTERS) for label in labels] for row in rows)
    there_is_more = f" of {page.total}" if hasattr(page, "total") else ", and more" if page.has_more else ""
    title = f"<b>{type(page).__name__}</b> ({len(items)}{there_is_more})"
    return f"<div>{title}{table(cells, labels) if rows else ''}{more(len(items) - len(rows))}</div>"


def table(rows: Iterable[Sequence[str]], labels: Sequence[str] = ()) -> str:
    """Return plain text in rows and columns as an HTML table; this is where it is escaped."""
    head = "".join(f"<th{_LEFT}>{escape(label)}</th>" for label in labels)
    body = "".join("<tr>" + "".join(f"<td{_LEFT}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


def more(count: int) -> str:
    """Return a line that says how much is left out; nothing when all is there."""
    return f"<p>… {count} more</p>" if count > 0 else ""


def excerpt(value: Any, characters: int) -> str:
    """Return the beginning of a value as one line of text, without ever writing out the whole of it."""
    match value := stands_for(value):
        case None:
            text = ""
        case Model():
            text = type(value).__name__
        case Enum():
            text = str(value.value)
        case str():
            text = value
        case datetime():
            text = value.isoformat(sep=" ", timespec="seconds")
        case _:
            text = json_excerpt(value, characters + 1)
    return one_line(text, characters)


def json_excerpt(value: Any, characters: int) -> str:
    """Return at least the first characters of the JSON text of a value, and little more.

    Args:
        value: Any JSON, of any size and depth; models in it are shown by what stands for them.
        characters: How many characters are wanted.
    """
    text = ""
    for piece in json.JSONEncoder(ensure_ascii=False, default=_stand_in).iterencode(value):
        text += piece
        if len(text) >= characters:
            break
    return text


def _stand_in(value: Any) -> Any:
    found = stands_for(value)
    return repr(value) if found is value else found


def one_line(text: str, characters: int) -> str:
    """Return text cut to a length; what does not print (line ends, terminal codes, half characters) is spelt out."""
    cut = text if len(text) <= characters else text[: characters - 1] + "…"
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in cut)
