"""What an answer means: its typed value or its typed error, whatever the server or a proxy on the way sent."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from eigenpal.engine.request import Operation
from eigenpal.engine.response import EXCERPT_CHARACTERS, Answer, Inflater, decode, error, excerpt, retry_after
from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalAuthError,
    EigenpalConflictError,
    EigenpalDecodeError,
    EigenpalForbiddenError,
    EigenpalNotFoundError,
    EigenpalPaymentRequiredError,
    EigenpalRateLimitError,
    EigenpalServerError,
    EigenpalValidationError,
)
from eigenpal.resources.operations import GET_RUN, LIST_RUNS
from eigenpal.service import EIGENPAL
from tests.spec.strategies import any_json, examples

URL = "https://host/api/v1/runs/exec_1"
HTML = b"<!doctype html>\n<html>\n  <body>  Sign in </body></html>"
ANYTHING: Operation[Any] = Operation(name="request GET", method="GET", path="/a", returns=Any)
NOTHING: Operation[None] = Operation(name="delete", method="DELETE", path="/a")


def answer(status: int = 200, content: bytes | Any = b"", **headers: str) -> Answer:
    """Return an answer; a body that is not bytes is sent as JSON, and header names have dashes for underscores."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer("GET", URL, status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def raised(status: int, content: bytes | Any = b"", **headers: str) -> EigenpalAPIError:
    return error(answer(status, content, **headers), EIGENPAL)


def envelope(message: str = "no such run", field: str = "<root>", **more: Any) -> dict[str, Any]:
    issue = {"field": field, "message": message, "code": "not_found", "severity": "error"}
    return {"issues": [issue], "requestId": "req_body", **more}


# ---------------------------------------------------------------------------------------------------- statuses


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (301, EigenpalAPIError, "set base_url to where the API lives"),
        (304, EigenpalAPIError, ""),
        (400, EigenpalValidationError, ""),
        (401, EigenpalAuthError, "Check the API key"),
        (402, EigenpalPaymentRequiredError, "plan of the account"),
        (403, EigenpalForbiddenError, "Check the scopes"),
        (404, EigenpalNotFoundError, "Check the id"),
        (405, EigenpalAPIError, ""),
        (408, EigenpalAPIError, "try again"),
        (409, EigenpalConflictError, ""),
        (413, EigenpalAPIError, "larger than the server allows"),
        (418, EigenpalAPIError, ""),
        (422, EigenpalValidationError, ""),
        (429, EigenpalRateLimitError, "Send fewer requests at once"),
        (500, EigenpalServerError, ""),
        (502, EigenpalServerError, ""),
        (503, EigenpalServerError, ""),
        (520, EigenpalServerError, ""),
        (599, EigenpalServerError, ""),
        (999, EigenpalServerError, ""),
    ],
)
@pytest.mark.parametrize("content", [b"", HTML, b'{"issues"', b"[]", b"\xff\xfe", json.dumps(envelope()).encode()])
def test_every_status_has_its_error_whatever_the_body(
    status: int, kind: type[EigenpalAPIError], advice: str, content: bytes
) -> None:
    failure = raised(status, content)
    assert type(failure) is kind
    assert failure.status == status
    assert str(failure).startswith(f"GET {URL} answered {status}: ")
    if status != 301 or content == b"":
        assert advice in str(failure)
    assert (failure.method, failure.url) == ("GET", URL)


@pytest.mark.parametrize("example", ["Err400", "Err401", "Err403", "Err404", "Err429", "Err500"])
def test_the_examples_of_error_envelopes_are_read(example: str) -> None:
    body = examples()[example]["value"]
    failure = raised(int(example[3:]), body, x_request_id="from header")
    assert body["issues"][0]["message"].rstrip(".") in str(failure)
    assert failure.request_id == body["requestId"]
    assert failure.envelope == body
    assert failure.issues == body["issues"]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(300, 999),
    st.binary(max_size=60) | any_json.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "location", "content-type"]), st.text(max_size=20)
    ),
)
def test_any_answer_at_all_becomes_an_error(status: int, content: bytes, headers: dict[str, str]) -> None:
    failure = error(Answer("GET", URL, status, headers, content), EIGENPAL)
    assert str(failure)
    assert failure.issues is not None
    assert failure.retry_after is None or failure.retry_after >= 0


# ---------------------------------------------------------------------------------------------------- what it says


def test_a_message_has_what_happened_where_what_to_do_and_what_to_quote() -> None:
    failure = raised(404, envelope())
    assert str(failure) == (
        f"GET {URL} answered 404: no such run. Check the id, and that the API key can see it. (request id req_body)"
    )


def test_the_field_to_blame_is_named_and_the_root_is_not() -> None:
    assert "400: body.input: is required." in str(raised(400, envelope("is required", "body.input")))
    assert "<root>" not in str(raised(400, envelope("is required")))


def test_a_hint_of_the_server_comes_before_ours() -> None:
    failure = raised(404, envelope(hint="Use expand=execution."))
    assert "Use expand=execution." in str(failure)
    assert "Check the id" not in str(failure)


def test_the_bare_error_of_two_older_operations_is_read() -> None:
    assert "409: the source lives in Git." in str(raised(409, {"error": "the source lives in Git"}))


def test_the_request_id_comes_from_the_body_and_else_from_the_headers() -> None:
    assert raised(500, envelope(), x_request_id="req_header").request_id == "req_body"
    assert raised(500, HTML, x_request_id="req_header").request_id == "req_header"
    assert raised(500, {"requestId": 5}, x_request_id="req_header").request_id == "req_header"
    assert raised(500).request_id is None


def test_an_html_error_page_keeps_its_status_and_hints_at_base_url() -> None:
    failure = raised(502, HTML, content_type="text/html; charset=utf-8")
    assert type(failure) is EigenpalServerError
    assert "an HTML page instead of JSON, so base_url may not point at the API" in str(failure)
    assert "'<!doctype html> <html> <body> Sign in </body></html>'" in str(failure)
    assert failure.envelope is None


def test_a_redirect_says_where_to() -> None:
    failure = raised(308, b"", location="https://api.eigenpal.com/")
    assert "a redirect to https://api.eigenpal.com/, and API calls follow none; set base_url" in str(failure)


def test_a_body_that_is_not_an_envelope_is_shown_in_its_beginnings() -> None:
    assert "500: an empty body." in str(raised(500))
    assert "no error envelope; the body begins 'upstream connect error'" in str(raised(503, b"upstream connect error"))
    assert len(str(raised(500, b"x" * 10_000_000))) < EXCERPT_CHARACTERS + 200


def test_an_error_carries_the_headers_and_the_wait() -> None:
    failure = raised(429, envelope("slow down"), retry_after="7")
    assert failure.retry_after == 7
    assert failure.headers == {"retry-after": "7"}
    assert "The server asks to wait 7 s." in str(failure)


@pytest.mark.parametrize(
    "issues", [None, 5, "no", {}, [], [None], [5, "a"], [[]], [{"message": 5, "field": []}], [{"field": "a"}]]
)
def test_issues_of_any_shape_do_no_harm(issues: Any) -> None:
    failure = raised(400, {"issues": issues})
    assert "400: no error envelope" in str(failure)
    assert all(isinstance(issue, dict) for issue in failure.issues)


# ---------------------------------------------------------------------------------------------------- decoding


def test_a_good_answer_is_its_typed_value() -> None:
    run = decode(answer(200, examples()["RunCompletedWorkflow"]["value"]), GET_RUN)
    assert run.finished
    assert decode(answer(200, [1, None]), ANYTHING) == [1, None]
    assert decode(answer(200, None), ANYTHING) is None


@pytest.mark.parametrize("content", [b"", b"{}", HTML])
def test_a_body_that_nobody_asked_for_is_ignored(content: bytes) -> None:
    decode(answer(204, content), NOTHING)


@pytest.mark.parametrize(
    ("content", "content_type", "problem"),
    [
        (b"", "application/json", "the body is empty where JSON was promised"),
        (HTML, "text/html", "it is an HTML page, not JSON, so base_url may not point at the API; it begins '<!doctype"),
        (HTML, "", "the body is not valid JSON; it begins '<!doctype"),
        (b'{"id": "exec_1", "type"', "application/json", 'the body is not valid JSON; it begins \'{"id"'),
        (b'{"id": "\xff"}', "application/json", "the body is not valid JSON"),
        (b'{"a": 1} {"b": 2}', "application/json", "the body is not valid JSON"),
        (b"[" * 1_000_000, "application/json", "the body is not valid JSON; it begins '[["),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "application/json", "the body is not valid JSON"),
        (b"9" * 5000, "application/json", "the body is not valid JSON; it begins '999"),
        (b"\0", "application/octet-stream", "the body is not valid JSON"),
        (b"null", "application/json", "in the answer to runs.get, $ should be an object, not None"),
        (b'"' + b"x" * 10_000_000 + b'"', "application/json", "$ should be an object, not 'xxx"),
        (b"{}", "application/json", "in the answer to runs.get, $ should be an object with 'id', not {}"),
    ],
)
def test_a_body_that_is_not_what_was_promised_is_a_decode_error(
    content: bytes, content_type: str, problem: str
) -> None:
    with pytest.raises(EigenpalDecodeError) as caught:
        decode(answer(200, content, content_type=content_type, x_request_id="req_1"), GET_RUN)
    failure = caught.value
    assert str(failure).startswith(f"GET {URL} answered 200, but ")
    assert problem in str(failure)
    assert len(str(failure)) < 600
    assert (failure.status, failure.request_id, failure.method, failure.url) == (200, "req_1", "GET", URL)
    assert failure.__cause__ is None
    assert failure.__suppress_context__


@pytest.mark.parametrize("depth", [*range(880, 1000, 5)])
def test_json_near_the_depth_python_can_read_is_a_value_or_a_decode_error(depth: int) -> None:
    content = b'{"runs":' + b"[" * depth + b"]" * depth + b"}"
    with pytest.raises(EigenpalDecodeError):
        decode(answer(200, content), LIST_RUNS)


def test_a_json_body_may_begin_with_a_byte_order_mark_or_be_utf_16() -> None:
    assert decode(answer(200, b"\xef\xbb\xbf[1]"), ANYTHING) == [1]
    assert decode(answer(200, '["ä"]'.encode("utf-16")), ANYTHING) == ["ä"]


@given(st.binary(max_size=40))
def test_any_bytes_decode_or_are_a_decode_error(content: bytes) -> None:
    with pytest.raises(EigenpalDecodeError):
        decode(answer(200, content), GET_RUN)


def test_an_answer_shows_no_headers_and_no_body() -> None:
    text = repr(answer(200, b"secret", set_cookie="secret"))
    assert "secret" not in text
    assert URL in text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        (b"a\r\n\t b", "a b"),
        (b"\xff\x00a", "\ufffd\0a"),
        ("é".encode() * 500, "é" * EXCERPT_CHARACTERS),
        ("😀".encode() * 500, "😀" * EXCERPT_CHARACTERS),
        (b"a" + "😀".encode() * 500, "a" + "😀" * (EXCERPT_CHARACTERS - 1)),
    ],
)
def test_an_excerpt_is_one_short_line(content: bytes, text: str) -> None:
    assert excerpt(content) == text


# ---------------------------------------------------------------------------------------------------- Retry-After


NOW = datetime(2026, 6, 14, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "3600"}, 3600),
        ({"retry-after": "Sun, 14 Jun 2026 09:30:10 GMT"}, 10),
        ({"retry-after": "Sun, 14 Jun 2026 11:30:10 +0200"}, 10),
        ({"retry-after": "Sun, 14 Jun 2026 09:30:10 -0000"}, 10),
        ({"retry-after": "Sunday, 14-Jun-26 09:30:10 GMT"}, 10),
        ({"retry-after": "Sun, 14 Jun 2026 09:29:50 GMT"}, 0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after-ms": "-1", "retry-after": "9"}, 9),
        ({"retry-after-ms": "nan", "retry-after": "9"}, 9),
        ({"retry-after-ms": "inf"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "5, 10"}, None),
        ({"retry-after": "Sun, 99 Jun 2026 09:30:10 GMT"}, None),
        ({"retry-after": "1 Jan 99999999999 00:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 -9999"}, None),
    ],
)
def test_d2_what_the_server_asks_to_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


numbers = st.integers(-1, 10**12)
dates = st.builds("Sun, {} Jun {} {}:{}:{} {}".format, numbers, numbers, numbers, numbers, numbers, numbers)


@settings(deadline=None)
@given(st.text(max_size=40) | dates)
def test_d2_any_text_is_a_finite_wait_or_none(text: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        seconds = retry_after({name: text}, NOW)
        assert seconds is None or 0 <= seconds < float("inf")


@given(
    st.timedeltas(timedelta(seconds=-1000), timedelta(days=9)),
    st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3, minutes=-30))]),
)
def test_d2_a_date_is_the_seconds_until_then(delta: timedelta, zone: timezone) -> None:
    text = format_datetime((NOW + delta).astimezone(zone))
    assert retry_after({"retry-after": text}, NOW) == max(0, delta // timedelta(seconds=1))


# ---------------------------------------------------------------------------------------------------- decompression


LIMIT = 64


def compressed(data: bytes, encoding: str, level: int = 9) -> bytes:
    window = {"gzip": 31, "x-gzip": 31, "deflate": 15, "raw": -15}[encoding]
    compressor = zlib.compressobj(level, wbits=window)
    return compressor.compress(data) + compressor.flush()


def fed(inflater: Inflater, data: bytes, sizes: list[int]) -> list[bytes]:
    """Feed data cut into pieces of these sizes, the last of them over and over, and return what comes out."""
    pieces: list[bytes] = []
    for size in [*sizes, *[max(1, sizes[-1])] * len(data)]:
        pieces += inflater.feed(data[:size])
        data = data[size:]
    return pieces


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eigenpal.engine.response.INFLATE_BYTES", LIMIT)


bodies = st.binary(max_size=300) | st.builds(
    lambda seed, times: seed * times, st.binary(min_size=1, max_size=3), st.integers(0, 2000)
)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "raw"])
@settings(max_examples=30, deadline=None)
@given(data=bodies, level=st.sampled_from([0, 1, 9]), sizes=st.lists(st.integers(0, 50), min_size=1, max_size=8))
def test_r4_a_body_in_any_split_inflates_to_the_same_bytes_in_bounded_pieces(
    encoding: str, data: bytes, level: int, sizes: list[int]
) -> None:
    inflater = Inflater("deflate" if encoding == "raw" else encoding)
    wire = compressed(data, encoding, level)
    pieces = fed(inflater, wire, sizes)
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= LIMIT for piece in pieces)
    assert inflater.complete


@pytest.mark.usefixtures("small_pieces")
@settings(max_examples=30, deadline=None)
@given(
    st.lists(bodies, min_size=1, max_size=4),
    st.sampled_from([b"", b"\0" * 100, b"\0\x1f\x8b trailing"]),
    st.lists(st.integers(0, 50), min_size=1, max_size=8),
)
def test_r4_gzip_of_several_members_is_all_of_them_and_padding_is_none(
    members: list[bytes], padding: bytes, sizes: list[int]
) -> None:
    inflater = Inflater("gzip")
    wire = b"".join(compressed(member, "gzip") for member in members) + padding
    pieces = fed(inflater, wire, sizes)
    assert b"".join(pieces) == b"".join(members)
    assert inflater.complete


def test_r4_padding_stays_padding_even_if_a_later_piece_begins_like_a_member() -> None:
    inflater = Inflater("gzip")
    pieces = [
        piece for part in (compressed(b"abc", "gzip"), b"\0", b"\x1f\x8b no member") for piece in inflater.feed(part)
    ]
    assert pieces == [b"abc"]
    assert inflater.complete


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw"])
@settings(max_examples=40, deadline=None)
@given(data=bodies, end=st.data())
def test_r4_a_body_that_was_cut_is_never_complete(encoding: str, data: bytes, end: st.DataObject) -> None:
    wire = compressed(data, encoding)
    inflater = Inflater("deflate" if encoding == "raw" else encoding)
    fed(inflater, wire[: end.draw(st.integers(1, len(wire) - 1))], [7])
    assert not inflater.complete


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@settings(max_examples=50, deadline=None)
@given(wire=st.binary(max_size=100))
def test_r4_any_bytes_inflate_or_are_broken(encoding: str, wire: bytes) -> None:
    inflater = Inflater(encoding)
    try:
        pieces = fed(inflater, wire, [9])
    except zlib.error:
        return
    assert all(len(piece) <= LIMIT for piece in pieces)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", None, "identity"])
def test_a_body_that_is_empty_is_complete(encoding: str | None) -> None:
    inflater = Inflater(encoding)
    assert list(inflater.feed(b"")) in ([], [b""])
    assert inflater.complete


@pytest.mark.parametrize("encoding", [None, "", "identity", " Identity ", "identity, identity", ",", "identity,"])
def test_a_body_without_an_encoding_passes_as_it_is(encoding: str | None) -> None:
    inflater = Inflater(encoding)
    assert list(inflater.feed(b"abc")) == [b"abc"]
    assert inflater.complete


@pytest.mark.parametrize("encoding", ["deflate, gzip", " DEFLATE ,GZip", "deflate, identity, gzip"])
def test_encodings_on_top_of_each_other_are_undone_in_turn(encoding: str) -> None:
    inflater = Inflater(encoding)
    wire = compressed(compressed(b"abc" * 1000, "deflate"), "gzip")
    assert b"".join(inflater.feed(wire)) == b"abc" * 1000
    assert inflater.complete


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "compress", "x" * 10_000, "gzip," * 5000])
def test_an_encoding_that_was_not_asked_for_is_refused_in_few_words(encoding: str) -> None:
    with pytest.raises(ValueError, match="asked for") as caught:
        Inflater(encoding)
    assert len(str(caught.value)) < 100


def test_r4_a_bomb_inflates_in_pieces_that_fit_memory() -> None:
    compressor = zlib.compressobj(9, wbits=31)
    wire = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(50)) + compressor.flush()
    assert len(wire) < 300_000
    sizes = [len(piece) for piece in Inflater("gzip").feed(wire)]
    assert max(sizes) <= 1 << 20
    assert sum(sizes) == 50 << 20


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip, gzip, gzip"])
def test_r4_a_bomb_in_a_bomb_inflates_in_pieces_that_fit_memory(encoding: str) -> None:
    compressor = zlib.compressobj(9, wbits=31)
    wire = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(20)) + compressor.flush()
    for _ in encoding.split(",")[1:]:
        wire = compressed(wire, "gzip")
    sizes = [len(piece) for piece in Inflater(encoding).feed(wire)]
    assert max(sizes) <= 1 << 20
    assert sum(sizes) == 20 << 20
