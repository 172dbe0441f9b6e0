"""Bodies: JSON, or multipart as soon as a file is among the values; what can't be sent is refused before it is."""

from __future__ import annotations

import io
import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from eigenpal.engine.bodies import Content, content_of
from eigenpal.engine.calls import Body, Call, Envelope, Json
from eigenpal.engine.unset import UNSET, Unset, without_unset
from eigenpal.errors import EigenpalInputError
from eigenpal.resources.operations import RUN
from eigenpal.service import EIGENPAL
from tests.spec.strategies import any_json

FILE = {"content": b"%PDF-1.7", "filename": "a.pdf"}


async def sent(content: Content) -> bytes:
    if isinstance(content.body, bytes):
        return content.body
    return b"".join([chunk async for chunk in content.body.chunks()])


async def parts(content: Content) -> list[tuple[str, str | None, bytes]]:
    """Return name, file name and bytes of each part, as another reader of the format sees them."""
    head = f"Content-Type: {content.media_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + await sent(content))
    found = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        assert isinstance(name, str)
        assert isinstance(payload, bytes)
        found.append((name, part.get_filename(), payload))
    return found


async def content(body: Body | None) -> Content | None:
    return await content_of(EIGENPAL, RUN, Call(body=body))


async def envelope(input: dict[str, Any], **members: Any) -> Content:
    made = await content(Envelope(members={"target": "workflows.a", **members}, arguments=input))
    assert made is not None
    return made


def json_content(value: Any) -> Content:
    made: Content = run_to_end(content(Json(value)))
    return made


def replayable(made: Content) -> bool:
    return isinstance(made.body, bytes) or made.body.replayable


@pytest.mark.parametrize("value", [None, {}, [], "text", 0, False, {"a": None}])
def test_a_json_body_is_its_json(value: Any) -> None:
    made = json_content(value)
    assert made.media_type == "application/json"
    assert isinstance(made.body, bytes)
    assert json.loads(made.body) == value
    assert replayable(made)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (math.nan, "not JSON compliant"),
        ([math.inf], "not JSON compliant"),
        (Decimal("Infinity"), "type Decimal has no JSON form"),
        (object(), "type object has no JSON form"),
        (b"bytes", "type bytes has no JSON form"),
        ({"a": UNSET}, "type Unset has no JSON form"),
        ({(1, 2): 3}, "keys must be"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_d4_what_has_no_json_form_is_refused_before_anything_is_sent(value: Any, problem: str) -> None:
    with pytest.raises(EigenpalInputError, match=f"^the body can't be sent as JSON: .*{problem}") as caught:
        json_content(value)
    assert caught.value.__suppress_context__


def test_what_contains_itself_or_is_too_deep_is_refused() -> None:
    circle: dict[str, Any] = {}
    circle["a"] = circle
    with pytest.raises(EigenpalInputError, match="can't be sent as JSON"):
        json_content(circle)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(EigenpalInputError, match="can't be sent as JSON"):
        json_content(deep)
    while deep:  # freed one by one: some interpreters do not free such depth at once
        deep = deep.pop()


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=8), any_json, max_size=3))
def test_any_input_of_plain_values_goes_as_json(input: dict[str, Any]) -> None:
    made = run_to_end(envelope(input))
    assert made.media_type == "application/json"
    assert json.loads(made.body) == {"target": "workflows.a", "input": input}


def run_to_end(coroutine: Any) -> Any:
    """Run a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited")


@pytest.mark.anyio
async def test_only_what_was_given_is_sent_and_null_is_given() -> None:
    made = await envelope({"a": None}, overrides=UNSET, metadata=None)
    assert json.loads(await sent(made)) == {"target": "workflows.a", "input": {"a": None}, "metadata": None}


@pytest.mark.anyio
async def test_one_file_makes_it_multipart_and_the_other_values_stay_json() -> None:
    made = await envelope(
        {"contract": FILE, "language": "en", "at": datetime(2026, 6, 14, tzinfo=UTC)}, metadata={"ä": 1}
    )
    assert made.media_type.startswith("multipart/form-data; boundary=")
    assert replayable(made)
    assert await parts(made) == [
        ("target", None, b"workflows.a"),
        ("metadata", None, '{"ä":1}'.encode()),
        ("input", None, b'{"language":"en","at":"2026-06-14T00:00:00Z"}'),
        ("files.contract", "a.pdf", b"%PDF-1.7"),
    ]


@pytest.mark.anyio
async def test_the_files_of_a_list_are_parts_of_one_name_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    path.write_bytes(b"second")
    made = await envelope({"pages": [FILE, path], "empty": []})
    assert await parts(made) == [
        ("target", None, b"workflows.a"),
        ("input", None, b'{"empty":[]}'),
        ("files.pages", "a.pdf", b"%PDF-1.7"),
        ("files.pages", "b.txt", b"second"),
    ]


@pytest.mark.anyio
async def test_the_length_is_known_before_it_is_sent_and_right() -> None:
    made = await envelope({"contract": FILE})
    assert not isinstance(made.body, bytes)
    assert made.body.length == len(await sent(made)) == len(await sent(made))


@pytest.mark.anyio
async def test_d4_a_file_that_can_not_be_read_twice_makes_the_body_so() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe(b"once")
    pipe.name = "pipe.txt"
    made = await envelope({"contract": pipe})
    assert not replayable(made)


@pytest.mark.anyio
async def test_a_missing_file_fails_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(EigenpalInputError, match=r"missing\.pdf \(input\.contract\) does not exist"):
        await envelope({"contract": tmp_path / "missing.pdf"})


@pytest.mark.anyio
@pytest.mark.parametrize(("member", "value"), [("metadata", {"a": math.nan}), ("overrides", {"a": object()})])
async def test_a_member_that_has_no_json_form_is_named(member: str, value: Any) -> None:
    with pytest.raises(EigenpalInputError, match=f"^{member} can't be sent as JSON: "):
        await envelope({"contract": FILE}, **{member: value})
    with pytest.raises(EigenpalInputError, match="^the body can't be sent as JSON: "):
        await envelope({}, **{member: value})


def test_a_body_is_not_shown() -> None:
    assert "secret" not in repr(json_content({"password": "secret"}))


def test_a_call_without_a_body_has_none() -> None:
    assert run_to_end(content(None)) is None


def test_members_by_their_wire_names_lie_below_those_that_are_given_by_name() -> None:
    call = Call(body={"file_name": "new", "absent": None, "unset": UNSET}, extra={"fileName": "old", "newMember": None})
    made = run_to_end(content_of(EIGENPAL, RUN, call))
    assert json.loads(made.body) == {"fileName": "new", "newMember": None}


# ---------------------------------------------------------------------------------------------------- UNSET


def test_unset_is_false_and_shows_its_name_and_is_one() -> None:
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    assert Unset["UNSET"] is UNSET


def test_without_unset_keeps_null_and_everything_false() -> None:
    members: dict[str, Any] = {"a": UNSET, "b": None, "c": 0, "d": "", "e": []}
    assert without_unset(members) == {"b": None, "c": 0, "d": "", "e": []}
