"""Request bodies: JSON, or multipart as soon as a file is among the values. Which of the two follows from the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from eigenpal.engine.transport.port import Body
from eigenpal.engine.unset import without_unset
from eigenpal.engine.uploads import MultipartBody, split_files
from eigenpal.errors import EigenpalInputError


@attrs.frozen
class Content:
    """A request body with the media type it is sent under."""

    media_type: str
    body: bytes | Body = attrs.field(repr=False)

    @property
    def replayable(self) -> bool:
        """Whether the body can be sent again from its start."""
        return isinstance(self.body, bytes) or self.body.replayable


def json_content(value: Any) -> Content:
    """Return a JSON body.

    Raises:
        EigenpalInputError: A value that JSON has no form for.
    """
    return Content("application/json", _json("the body", value))


async def envelope_content(members: Mapping[str, Any], *, files_in: str) -> Content:
    """Return an envelope whose member `files_in` maps argument names to values, some of which may be files.

    Without files it is JSON. With files it is multipart: every member is a text part (JSON unless it is a string), and
    each file is a part named `files.<argument>`, repeated for a list. Each file is opened once before anything is sent.

    Raises:
        EigenpalInputError: A file that is missing or can't be read, or a value that can't be sent.
    """
    arguments, files = await split_files(members[files_in])
    given = without_unset({**members, files_in: arguments})
    if not files:
        return json_content(given)
    texts = [(name, _text(name, value)) for name, value in given.items()]
    body = MultipartBody([*texts, *((f"files.{name}", source) for name, source in files)])
    return Content(body.content_type, body)


def _text(name: str, value: Any) -> str:
    return value if isinstance(value, str) else _json(name, value).decode()


def _json(where: str, value: Any) -> bytes:
    from eigenpal.engine.codec import dumps

    try:
        return dumps(value)
    except (TypeError, ValueError, RecursionError) as problem:
        raise EigenpalInputError(f"{where} can't be sent as JSON: {problem}") from None
