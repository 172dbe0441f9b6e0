"""Server-sent events: lines to events however the bytes are cut, and streams that open, go silent, break and close."""

from __future__ import annotations

import itertools
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from eigenpal.client import AsyncEigenpalClient
from eigenpal.engine.events import EventDecoder, ServerEvent, open_events
from eigenpal.engine.request import Operation
from eigenpal.errors import (
    EigenpalConnectionError,
    EigenpalDecodeError,
    EigenpalForbiddenError,
    EigenpalTimeoutError,
    EigenpalUsageError,
)

STREAM: Operation[bytes] = Operation(name="things.stream", method="GET", path="/things/{id}/stream", returns=bytes)
TEXT = (
    "\ufeffevent: update\r\n"
    'data: {"name":"Größe"}\r\n'
    "\r\n"
    ": keepalive\n\n"
    "id: 7\n"
    "data: one\n"
    "data:two\n"
    "data:  three\n"
    "unknown: field\n"
    "retry: 100\n"
    "\n"
    "event: empty\n\n"  # without data it is no event
    "data\n\n"  # nor is one with empty data
    "event: last\rdata: \u2028 is no line end\r\r"
)
EVENTS = [
    ServerEvent("update", '{"name":"Größe"}'),
    ServerEvent("message", "one\ntwo\n three", "7"),
    ServerEvent("last", "\u2028 is no line end", "7"),
]


def decoded(*pieces: bytes, most: int = 10_000) -> list[ServerEvent]:
    decoder = EventDecoder(most)
    return [event for piece in pieces for event in decoder.feed(piece)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(TEXT.encode())), max_size=12))
def test_events_are_the_same_however_their_bytes_are_cut(cuts: list[int]) -> None:
    data = TEXT.encode() + b"\n"
    places = [0, *sorted(cuts), len(data)]
    assert decoded(*(data[start:end] for start, end in itertools.pairwise(places))) == EVENTS


def test_bytes_that_are_no_utf8_are_replaced_and_break_nothing() -> None:
    assert decoded(b"data: a\xffb\n\n") == [ServerEvent("message", "a\ufffdb")]


def test_an_event_that_was_cut_off_is_none() -> None:
    assert decoded(b"data: whole\n\n", b"data: cut\n") == [ServerEvent("message", "whole")]


@pytest.mark.parametrize("endless", [b"data: " + b"x" * 40, b"data: x\n" * 10])
def test_an_event_that_never_ends_is_refused_before_it_fills_memory(endless: bytes) -> None:
    with pytest.raises(EigenpalDecodeError, match="larger than 30 characters"):
        decoded(endless, most=30)


def test_comments_and_whole_events_do_not_count_towards_the_largest() -> None:
    assert len(decoded(b": keepalive\n\n" * 50, b"data: x\n\n" * 50, most=30)) == 50


def test_data_is_read_as_json_or_says_why_not() -> None:
    assert ServerEvent("update", '{"a": 1}').json() == {"a": 1}
    with pytest.raises(EigenpalDecodeError, match=r"'update' event is not valid JSON; it begins '\{cut'"):
        ServerEvent("update", "{cut").json()


# ------------------------------------------------------------------------------------------------ one connection


def client_of(
    chunks: Callable[[], AsyncIterator[bytes]], seen: list[httpx.Request] | None = None, **answer: Any
) -> AsyncEigenpalClient:
    headers = {"content-type": "text/event-stream; charset=utf-8"}

    async def handle(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return httpx.Response(**{"status_code": 200, "headers": headers, "content": chunks(), **answer})

    return AsyncEigenpalClient("k", base_url="https://here.example", transport=httpx.MockTransport(handle))


class Chunks:
    """A body that a test plays; a class, so that one that is left half-way is not complained about."""

    def __init__(self, *steps: Any) -> None:
        self._steps = iter(steps)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        step = next(self._steps, None)
        if step is None:
            raise StopAsyncIteration
        if isinstance(step, BaseException):
            raise step
        if step is Ellipsis:
            await anyio.sleep_forever()
        data: bytes = step
        return data


def events_of(client: AsyncEigenpalClient, **options: Any) -> Any:
    limits = {"connect_seconds": 5, "idle_seconds": 5}
    return open_events(client._session, STREAM, "a", **{**limits, **options})


@pytest.mark.anyio
async def test_events_come_one_by_one_and_the_end_of_the_body_is_the_end() -> None:
    seen: list[httpx.Request] = []
    client = client_of(lambda: Chunks(b"data: 1\n\ndata: 2\n", b"\n"), seen)
    async with events_of(client, last_event_id="6") as stream:
        assert [event.data async for event in stream] == ["1", "2"]
    assert seen[0].headers["accept"] == "text/event-stream"
    assert seen[0].headers["last-event-id"] == "6"
    assert seen[0].headers["authorization"] == "Bearer k"


@pytest.mark.anyio
async def test_a_stream_that_goes_silent_ends_at_the_idle_limit_and_bytes_of_any_kind_hold_it_open() -> None:
    client = client_of(lambda: Chunks(b"data: 1\n\n", b": still here\n", ...))
    async with events_of(client, idle_seconds=0.05, connect_seconds=None) as stream:
        assert (await anext(stream)).data == "1"
        with pytest.raises(EigenpalTimeoutError, match=r"things.stream: nothing came over the stream for 0.05 s"):
            await anext(stream)


@pytest.mark.anyio
async def test_opening_has_a_limit_of_its_own() -> None:
    async def handle(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError("cancelled")

    client = AsyncEigenpalClient("k", transport=httpx.MockTransport(handle))
    with pytest.raises(EigenpalTimeoutError, match=r"did not open within 0.05 s"):
        async with events_of(client, connect_seconds=0.05, idle_seconds=None):
            raise AssertionError("opened")


@pytest.mark.anyio
async def test_a_stream_that_breaks_raises_where_it_is_read() -> None:
    client = client_of(lambda: Chunks(b"data: 1\n\n", httpx.ReadError("gone")))
    async with events_of(client) as stream:
        assert (await anext(stream)).data == "1"
        with pytest.raises(EigenpalConnectionError):
            await anext(stream)


@pytest.mark.anyio
async def test_an_answer_that_is_no_stream_is_a_decode_error_and_a_refusal_is_what_it_is() -> None:
    client = client_of(lambda: Chunks(b"<html>"), headers={"content-type": "text/html"})
    with pytest.raises(EigenpalDecodeError, match="no stream of events: its media type is 'text/html'"):
        async with events_of(client):
            raise AssertionError("opened")
    refused = client_of(lambda: Chunks(b"{}"), status_code=403, headers={})
    with pytest.raises(EigenpalForbiddenError):
        async with events_of(refused):
            raise AssertionError("opened")


@pytest.mark.anyio
async def test_credentials_do_not_follow_a_redirect_to_another_origin() -> None:
    seen: list[httpx.Request] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.host == "here.example":
            return httpx.Response(307, headers={"location": "https://there.example/stream"})
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=b"data: 1\n\n")

    client = AsyncEigenpalClient("k", base_url="https://here.example", transport=httpx.MockTransport(handle))
    async with events_of(client) as stream:
        assert [event.data async for event in stream] == ["1"]
    assert [request.headers.get("authorization") for request in seen] == ["Bearer k", None]


@pytest.mark.anyio
async def test_a_missing_extra_is_named_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx_sse._decoders", None)
    seen: list[httpx.Request] = []
    with pytest.raises(EigenpalUsageError, match=r'pip install "eigenpal\[events\]"'):
        async with events_of(client_of(Chunks, seen)):
            raise AssertionError("opened")
    assert seen == []
