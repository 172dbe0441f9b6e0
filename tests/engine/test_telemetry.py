"""What leaves the process besides requests: redacted addresses, headers that say who calls, one span for each call."""

from __future__ import annotations

import logging
import platform
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from eigenpal._version import __version__
from eigenpal.client import AsyncEigenpalClient
from eigenpal.engine import telemetry
from eigenpal.engine.telemetry import HARMLESS_QUERY, client_headers, shown_url
from eigenpal.errors import EigenpalError, EigenpalNotFoundError

ORIGIN = "https://host/prefix"
KEY = "eig_hunter2"

# ---------------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/prefix/a", "https://host/prefix/a"),
        ("https://host/prefix/a%2Fb", "https://host/prefix/a%2Fb"),
        ("https://host/prefix/a?limit=5&cursor=abc%3D", "https://host/prefix/a?limit=5&cursor=abc%3D"),
        ("https://host/prefix/a?search=hunter2&limit=5", "https://host/prefix/a?search=REDACTED&limit=5"),
        ("https://host/prefix/a?api_key=hunter2", "https://host/prefix/a?api_key=REDACTED"),
        ("https://host/prefix/a?limit[]=hunter2", "https://host/prefix/a?limit%5B%5D=REDACTED"),
        ("https://host/prefix/a?l%69mit=5", "https://host/prefix/a?l%69mit=5"),
        ("https://host/prefix/a?Limit=hunter2", "https://host/prefix/a?Limit=REDACTED"),
        ("https://host/prefix/a?a=b=hunter2", "https://host/prefix/a?a=REDACTED"),
        ("https://host/prefix/a?=hunter2", "https://host/prefix/a?=REDACTED"),
        ("https://host/prefix/a?hunter2", "https://host/prefix/a?REDACTED"),
        ("https://host/prefix/a?&&", "https://host/prefix/a"),
        ("https://host/prefix/a?a=1#hunter2", "https://host/prefix/a?a=REDACTED"),
        ("https://user:hunter2@host/prefix/a", "https://host/prefix/a"),
        ("https://user:hunter2@host/prefix/a?limit=5", "https://host/prefix/a?…"),
        ("https://user:hun@ter2@host/a", "https://host/a"),
        ("https://host/prefix/a@b", "https://host/prefix/a@b"),
        ("https://files.example/x?limit=5&X-Signature=hunter2", "https://files.example/x?…"),
        ("https://files.example/x", "https://files.example/x"),
        ("https://host.evil.example/prefix/a?cursor=hunter2", "https://host.evil.example/prefix/a?…"),
        ("https://host/prefixed/a?cursor=hunter2", "https://host/prefixed/a?…"),
        ("http://host/prefix/a?cursor=hunter2", "http://host/prefix/a?…"),
        ("https://host:8443/prefix/a?cursor=hunter2", "https://host:8443/prefix/a?…"),
    ],
)
def test_an_address_is_shown_without_what_could_be_a_secret(url: str, shown: str) -> None:
    assert shown_url(url, origin=ORIGIN) == shown


names = st.sampled_from(["limit", "token", "X-Amz-Signature", "cursor[]", "a b", "ä"]) | st.text(min_size=1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(names, st.just("hunter2")), max_size=5))
def test_no_value_of_a_name_that_is_not_known_to_be_harmless_is_shown(pairs: list[tuple[str, str]]) -> None:
    query = "&".join(f"{quote(name, safe='')}={value}" for name, value in pairs)
    expected = sum(name in HARMLESS_QUERY for name, _ in pairs)
    assert shown_url(f"{ORIGIN}/a?{query}", origin=ORIGIN).count("hunter2") == expected
    assert shown_url(f"{ORIGIN}/a?{query}").count("hunter2") == expected
    assert "hunter2" not in shown_url(f"https://elsewhere/a?{query}", origin=ORIGIN)


def test_nothing_that_could_carry_a_secret_is_called_harmless() -> None:
    telling = ("token", "key", "secret", "sig", "auth", "pass", "search", "metadata", "name", "path")
    assert not [name for name in HARMLESS_QUERY for word in telling if word in name.lower()]


# ---------------------------------------------------------------------------------------------------- headers


def test_the_headers_say_which_client_which_python_and_which_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "python_version", lambda: "3.12.1")
    monkeypatch.setattr(platform, "python_implementation", lambda: "CPython")
    assert client_headers("EigenPal", "X-Eigenpal") == {
        "User-Agent": f"eigenpal-async-python/{__version__} (EigenPal; python-3.12.1; linux-x86_64)",
        "X-Eigenpal-Sdk": "python",
        "X-Eigenpal-Sdk-Version": __version__,
        "X-Eigenpal-Sdk-Runtime": "python-3.12.1",
        "X-Eigenpal-Sdk-Os": "linux-x86_64",
    }
    monkeypatch.setattr(platform, "python_implementation", lambda: "PyPy")
    assert client_headers("EigenPal", "X-Eigenpal")["X-Eigenpal-Sdk-Runtime"] == "pypy-3.12.1"


def test_the_headers_do_not_pose_as_the_client_of_the_vendor() -> None:
    assert "eigenpal-sdk-python" not in client_headers("EigenPal", "X-Eigenpal")["User-Agent"]


# ---------------------------------------------------------------------------------------------------- calls


Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


def client_of(handler: Handler) -> AsyncEigenpalClient:
    client = AsyncEigenpalClient(KEY, base_url=ORIGIN, transport=httpx.MockTransport(handler))
    client._session.policy.sleep = no_sleep
    return client


async def no_sleep(_: float) -> None:
    await anyio.lowlevel.checkpoint()


def failing(*statuses: int, body: Any) -> Handler:
    """Return a server that answers with these statuses in turn, then with 200 and the body."""
    left = list(statuses)
    return lambda _: httpx.Response(left.pop(0)) if left else httpx.Response(200, json=body)


def written(span: ReadableSpan) -> str:
    """Return everything a span says, for everybody to search."""
    return f"{span.to_json()} {span.attributes} {[event.attributes for event in span.events]}"


@pytest.mark.anyio
async def test_a_call_is_one_span_retries_included(spans: InMemorySpanExporter) -> None:
    async with client_of(failing(500, 503, body={"runs": [], "nextCursor": None})) as client:
        await client.runs.list(limit=5, source="wf_1", example_id_contains="hunter2")
    (span,) = spans.get_finished_spans()
    assert span.name == "runs.list"
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.full": f"{ORIGIN}/api/v1/runs?source=wf_1&exampleIdContains=REDACTED&limit=5",
        "http.request.resend_count": 2,
    }
    assert span.status.status_code is StatusCode.UNSET
    assert "hunter2" not in written(span)


@pytest.mark.anyio
async def test_a_call_that_succeeds_at_once_says_nothing_of_retries(spans: InMemorySpanExporter) -> None:
    async with client_of(failing(body={"runs": [], "nextCursor": None})) as client:
        await client.runs.list()
        await client.runs.list()
    first, second = spans.get_finished_spans()
    assert set(first.attributes or {}) == set(second.attributes or {}) == {"http.request.method", "url.full"}


@pytest.mark.anyio
async def test_a_call_that_fails_is_a_span_with_its_error_and_no_secret(spans: InMemorySpanExporter) -> None:
    async with client_of(failing(404, body=None)) as client:
        with pytest.raises(EigenpalNotFoundError):
            await client.request("GET", "/api/v1/things", query={"token": "hunter2"})
    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]
    assert "EigenpalNotFoundError" in written(span)
    assert "hunter2" not in written(span)


@pytest.mark.anyio
async def test_the_span_of_a_call_is_inside_the_span_of_its_caller(spans: InMemorySpanExporter) -> None:
    async with client_of(failing(body={"runs": [], "nextCursor": None})) as client:
        with trace.get_tracer("application").start_as_current_span("request of a user") as outer:
            await client.runs.list()
    inner = spans.get_finished_spans()[0]
    assert inner.parent is not None
    assert inner.parent.span_id == outer.get_span_context().span_id


@pytest.mark.anyio
async def test_a_call_that_is_cancelled_ends_its_span(spans: InMemorySpanExporter) -> None:
    asking = anyio.Event()

    async def hang(_: httpx.Request) -> httpx.Response:
        asking.set()
        await anyio.sleep_forever()
        raise AssertionError

    client = AsyncEigenpalClient(KEY, base_url=ORIGIN, transport=httpx.MockTransport(hang))
    async with client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.runs.list)
        await asking.wait()
        tasks.cancel_scope.cancel()
    assert [span.name for span in spans.get_finished_spans()] == ["runs.list"]


def test_an_application_that_does_not_trace_pays_for_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    assert telemetry.tracing()
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    assert not telemetry.tracing()


@pytest.mark.anyio
async def test_no_log_line_and_no_error_has_the_key_or_a_secret_of_the_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with client_of(failing(500, 500, 500, 500, body={})) as client:
        with pytest.raises(EigenpalError) as caught:
            await client.request("GET", "/api/v1/things", query={"token": "hunter2", "limit": 5})
        await client.request("GET", "/api/v1/things", query={"token": "hunter2", "limit": 5})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("eigenpal")]
    assert any("token=REDACTED&limit=5" in line for line in ours)
    assert len(ours) >= 4
    for text in (*ours, str(caught.value), repr(caught.value), repr(vars(caught.value)), repr(client)):
        assert "hunter2" not in text
