"""Calling every operation of the API description by what the description says, and looking at what was sent."""

from __future__ import annotations

import email
import json
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any
from urllib.parse import parse_qsl, quote

import attrs
import httpx

from eigenpal.engine.model import snake_case
from tests.spec.document import JSON, MULTIPART, Document, Operation, properties, sample

# Where the method for one form of a body is, if not under the name of the operation.
OTHER_METHOD: Mapping[tuple[str, str | None], str] = {
    ("runs.expected.copy_output", MULTIPART): "runs.expected.upload",
}
# Members that are another name for one that is sent, by their Python names.
ALIASES: Mapping[str, Mapping[str, str]] = {
    "runs.feedback.update": {"feedback": "body", "feedback_rating": "rating", "feedback_status": "status"},
}
# Members that are given through another argument, and why: files of a start go into its input.
INSIDE_INPUT = ("files",)
FILE = {"content": b"%PDF-1.7 a file", "filename": "contract.pdf"}
# Values that a sample made from the schema alone can't be.
VALUES: Mapping[str, Any] = {"target": "workflows.invoice-intake"}
TRIGGER = "cli"


@attrs.frozen
class Sent:
    """A request as it went out."""

    method: str
    path: str  # as on the wire, percent-encoded
    query: Mapping[str, str]
    headers: httpx.Headers
    body: Any  # JSON, or a mapping of part names to what was in them; None without a body


@attrs.define
class Recorder:
    """Answers every request with the same, and keeps what was sent."""

    answer: httpx.Response
    sent: list[Sent] = attrs.field(factory=list[Sent])

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(recorded(request, await request.aread()))
        return self.answer


def recorded(request: httpx.Request, content: bytes) -> Sent:
    """Return a request with its body read."""
    path, _, query = request.url.raw_path.decode().partition("?")
    pairs = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    return Sent(request.method, path, pairs, request.headers, _body(request.headers.get("content-type"), content))


def _body(content_type: str | None, content: bytes) -> Any:
    if content_type is None:
        assert content == b"", "a body without a media type"
        return None
    if content_type == JSON:
        return json.loads(content)
    message = email.message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + content)
    parts = [(part, part.get_payload(decode=True)) for part in message.walk() if not part.is_multipart()]
    named = [(str(part.get_param("name", header="content-disposition")), text) for part, text in parts]
    found = {name: [text for other, text in named if other == name] for name, _ in named}
    return {name: texts if len(texts) > 1 else texts[0] for name, texts in found.items()}


def answer_to(document: Document, operation: Operation) -> httpx.Response:
    """Return an answer with everything that the description promises."""
    if operation.status == 204:
        return httpx.Response(204)
    if operation.media_type not in (None, JSON):
        return httpx.Response(operation.status, content=b"PK some bytes", headers={"content-type": "application/pdf"})
    body = {} if operation.answer is None else sample(document, operation.answer)
    return httpx.Response(operation.status, json=body)


def method_of(client: Any, operation: Operation, form: str | None) -> Any:
    """Return the method of a client for one form of an operation."""
    return attribute(client, OTHER_METHOD.get((operation.id, form), operation.id))


def attribute(client: Any, dotted: str) -> Any:
    """Return what a dotted name stands for: `runs.artifacts.list`."""
    return reduce(getattr, dotted.split("."), client)


def arguments(document: Document, operation: Operation, form: str | None) -> dict[str, Any]:
    """Return a value for everything that an operation takes, by Python name."""
    found = {p.python_name: _value(document, p.python_name, p.schema) for p in operation.parameters if p.python_name}
    if form is None:
        return found
    body = operation.bodies[form]
    members = {snake_case(name): member for name, member in properties(document, body).items()}
    found |= {name: _value(document, name, member) for name, member in members.items()}
    if form == MULTIPART and "file" in members:
        found["file"] = FILE
    if form == MULTIPART and "patternProperties" in body:
        structured = arguments(document, operation, JSON)
        found |= {name: structured[name] for name in members}
        found["input"] = {**structured["input"], "contract": FILE}
    return {name: value for name, value in found.items() if name not in ALIASES.get(operation.id, {})}


def _value(document: Document, name: str, schema: Mapping[str, Any]) -> Any:
    return VALUES.get(name) or sample(document, schema, f"{name}/with é")


def expected(document: Document, operation: Operation, form: str | None, given: Mapping[str, Any]) -> Sent:
    """Return what has to be on the wire for the arguments given."""
    path = operation.path
    for parameter in operation.parameters:
        if parameter.place == "path":
            whole = parameter.python_name != "artifact_path"  # ids are one segment; paths keep their slashes
            encoded = quote(given[parameter.python_name or ""], safe="" if whole else "/")
            path = path.replace(f"{{{parameter.name}}}", encoded)
    query = {p.name: _text(given[p.python_name]) for p in operation.parameters if p.place == "query" and p.python_name}
    headers = {p.name: TRIGGER for p in operation.parameters if p.place == "header"}
    return Sent(operation.method, path, query, httpx.Headers(headers), _expected_body(document, operation, form, given))


def _expected_body(document: Document, operation: Operation, form: str | None, given: Mapping[str, Any]) -> Any:
    if form is None:
        return None
    aliases = ALIASES.get(operation.id, {})
    names = {snake_case(name): name for name in properties(document, operation.bodies[form])}
    body = {wire: given[name] for name, wire in names.items() if name not in aliases}
    if form == JSON:
        return body
    uploaded = "file" if "file" in body else "files.contract"
    texts = {name: _part(value) for name, value in body.items() if name != uploaded}
    return {name: text.encode() for name, text in texts.items()} | {uploaded: FILE["content"]}


def _part(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps({name: item for name, item in value.items() if item is not FILE})


def differences(sent: Sent, wanted: Sent) -> Iterator[str]:
    """Yield where what was sent is not what was wanted."""
    for name in ("method", "path", "query"):
        if getattr(sent, name) != getattr(wanted, name):
            yield f"{name} is {getattr(sent, name)!r}, not {getattr(wanted, name)!r}"
    for header, value in wanted.headers.items():
        if sent.headers.get(header) != value:
            yield f"header {header} is {sent.headers.get(header)!r}, not {value!r}"
    if _comparable(sent.body) != _comparable(wanted.body):
        yield f"body is {sent.body!r}, not {wanted.body!r}"


def _comparable(body: Any) -> Any:
    """Return a body with JSON texts in its parts parsed, since the spaces in them mean nothing."""
    if not isinstance(body, dict):
        return body
    return {name: json.loads(part) if _is_json(part) else part for name, part in body.items()}


def _is_json(part: Any) -> bool:
    return isinstance(part, bytes) and part.startswith(b"{")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
