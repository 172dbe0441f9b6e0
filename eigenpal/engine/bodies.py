"""Request bodies: JSON, or multipart as soon as a file is among the values. Which of the two follows from the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from eigenpal.engine.calls import Call, Envelope, Form, Json
from eigenpal.engine.files import FileInput
from eigenpal.engine.request import Operation
from eigenpal.engine.service import Service
from eigenpal.engine.transport.port import Body
from eigenpal.engine.unset import without_unset
from eigenpal.engine.uploads import MultipartBody, file_source, split_files
from eigenpal.errors import EigenpalInputError


@attrs.frozen
class Content:
    """A request body with the media type it is sent under."""

    media_type: str
    body: bytes | Body = attrs.field(repr=False)


async def content_of(service: Service, operation: Operation[Any], call: Call) -> Content | None:
    """Return the body of a call; each file in it is opened once before anything is sent.

    Raises:
        EigenpalInputError: A file that is missing or can't be read, or a value that can't be sent.
    """
    match call.body:
        case None:
            return None
        case Json():
            return _json_content(call.body.value)
        case Envelope():
            return await _envelope_content(call.body)
        case Form():
            return await _form_content(call.body)
        case members:
            return _json_content(operation.fill_body(service, members, call.extra))


def named_file(file: FileInput | bytes, filename: str, mime_type: str | None = None) -> FileInput:
    """Return a file input for one that may also be given as bytes, which have no name of their own."""
    if isinstance(file, bytes | bytearray | memoryview):
        return {"content": file, "filename": filename, "mime_type": mime_type}
    return file


def _json_content(value: Any) -> Content:
    return Content("application/json", _json("the body", value))


async def _envelope_content(envelope: Envelope) -> Content:
    arguments, files = await split_files(envelope.arguments)
    members = without_unset(envelope.members)
    if not files:
        return _json_content({**arguments, **members} if envelope.nested_in is None else _nested(envelope, arguments))
    texts = [(name, _text(name, value)) for name, value in {**members, envelope.text_part: arguments}.items()]
    return _multipart([*texts, *((envelope.file_part.format(name), source) for name, source in files)])


def _nested(envelope: Envelope, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return without_unset({**envelope.members, envelope.nested_in or "": arguments})


async def _form_content(form: Form) -> Content:
    texts = [(name, text) for name, text in form.texts.items() if text is not None]
    return _multipart([*texts, *[(name, await file_source(file, name)) for name, file in form.files.items()]])


def _multipart(parts: list[tuple[str, Any]]) -> Content:
    body = MultipartBody(parts)
    return Content(body.content_type, body)


def _text(name: str, value: Any) -> str:
    return value if isinstance(value, str) else _json(name, value).decode()


def _json(where: str, value: Any) -> bytes:
    from eigenpal.engine.codec import dumps

    try:
        return dumps(value)
    except (TypeError, ValueError, RecursionError) as problem:
        raise EigenpalInputError(f"{where} can't be sent as JSON: {problem}") from None
